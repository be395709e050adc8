import type { Item } from '../heart/item';
import type { Operation } from '../heart/operation';

/** What lanes need to know of the client and the moment. All times are milliseconds of the local monotonic clock. */
export interface View {
    /** `<identity>#<instance>` of this client. */
    readonly by: string;
    readonly now: number;
    readonly leaseMs: number;
    readonly renewEveryMs: number;
    /** When the latest write that held was sent. */
    readonly heldAt: number;
    /** The document is written without bookkeeping (C46, C60). */
    readonly plain: boolean;
    /** The service's time now, in Unix milliseconds. */
    readonly serviceNow: number;
    /** What ids of this life begin with. */
    readonly fresh: string;
    /** Number of the next write. */
    readonly number: number;
    /** Whether an action may run at most once (C41). */
    readonly runsOnce: (item: Item) => boolean;
}

/** What is to be written, and whether it can wait. */
export class Wishes {
    readonly operations: Operation[] = [];
    /** Something that does not wait is among them. */
    urgent = false;
    /** When the next wish becomes urgent. */
    wakeAt = Infinity;

    wake(at: number): void {
        this.wakeAt = Math.min(this.wakeAt, at);
    }

    push(operation: Operation): void {
        this.urgent = true;
        this.operations.push(operation);
    }

    /** A wish that may wait for another write until then. */
    linger(operation: Operation, until: number, now: number): void {
        this.operations.push(operation);
        if (until <= now) this.urgent = true;
        else this.wake(until);
    }
}
