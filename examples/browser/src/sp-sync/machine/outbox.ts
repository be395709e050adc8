/** Operations of the application on their way into the document, and what the answers to writes mean (C29, C31). */

import { SpSyncError } from '../error';
import type { Document } from '../heart/document';
import { verbOf, type Operation, type Outcome } from '../heart/operation';
import { resolve } from '../heart/resolve';
import { OPERATIONS_WAITING_MAX, WRITE_WITHIN_MS } from '../limits';
import type { ServiceClock } from './clock';
import type { Flight, Pending, Settle, State } from './pending';

export class Outbox {
    private waiting: Pending[] = [];
    flight: Flight | undefined;
    /** The state that writes with a lost answer were made from. */
    private doubtBase: State | undefined;

    constructor(private readonly instance: string) {}

    get isEmpty(): boolean {
        return this.waiting.length === 0;
    }

    accept(operation: Operation, undated: Pending['undated'], settle: Settle, now: number): void {
        if (this.waiting.length >= OPERATIONS_WAITING_MAX) {
            const message = `${OPERATIONS_WAITING_MAX} operations wait to be written: try again`;
            return settle(new SpSyncError('WriteFailed', message));
        }
        const deadline = now + WRITE_WITHIN_MS;
        const none = { alone: false, inDoubtSince: undefined, outcome: undefined, delayedBy: undefined };
        this.waiting.push({ operation, undated, settle, deadline, ...none });
    }

    /**
     * What the next write carries: everything up to the first that needs the service's time while that is not known, or
     * that goes alone.
     */
    next(clock: ServiceClock, now: number): readonly Operation[] {
        const operations: Operation[] = [];
        for (const pending of this.waiting) {
            if (operations.length > 0 && (pending.alone || this.waiting[0]?.alone)) break;
            if (pending.undated !== undefined) {
                if (!clock.isFresh) break;
                pending.operation = dated(pending.operation, pending.undated, clock.at(now));
                pending.undated = undefined;
            }
            operations.push(pending.operation);
        }
        return operations;
    }

    /** What the operations carried did, should the write hold. */
    noteOutcomes(outcomes: readonly Outcome[]): void {
        outcomes.forEach((outcome, place) => {
            const pending = this.waiting[place];
            if (pending !== undefined) pending.outcome = outcome;
        });
    }

    /** Answers so many operations with what they did. */
    answer(carried: number): void {
        for (const pending of this.waiting.splice(0, carried)) pending.settle?.(pending.outcome ?? { is: 'Nothing' });
    }

    /** The write was refused for good: so are the operations it carried. */
    refuse(carried: number, error: SpSyncError): void {
        for (const pending of this.waiting.splice(0, carried)) pending.settle?.(inDoubtOr(pending, error));
    }

    /** Something in the write was refused: each of so many operations is tried alone. */
    part(carried: number): void {
        for (const pending of this.waiting.slice(0, carried)) pending.alone = true;
    }

    /** The write failed; what waits, waits longer. */
    delay(error: SpSyncError): void {
        for (const pending of this.waiting) pending.delayedBy = error;
    }

    /** The answer was lost: the operations carried are in doubt until a newer document tells. */
    lost({ number, base, carried }: Flight): void {
        for (const pending of this.waiting.slice(0, carried)) {
            // What was refused was not in the write.
            if (pending.outcome?.is !== 'Refused') pending.inDoubtSince ??= number;
        }
        this.doubtBase = base;
    }

    /** Looks operations in doubt up in the newest document, once it is newer than the one they were written over. */
    settleDoubts({ revision, document }: State): void {
        const base = this.doubtBase;
        if (base === undefined || revision <= base.revision) return;
        this.doubtBase = undefined;
        this.waiting = this.waiting.filter((pending) => this.isStillToDo(pending, base.document, document));
    }

    private isStillToDo(pending: Pending, base: Document, later: Document): boolean {
        const { inDoubtSince, operation, outcome } = pending;
        if (inDoubtSince === undefined) return true;
        const verdict = later.isForeign ? 'Unknown' : resolve(base, later, this.instance, inDoubtSince, operation);
        pending.inDoubtSince = undefined;
        if (verdict === 'NotHeld') return true;
        // Held, but refused by the last of the writes in doubt: which it was cannot be told.
        const told = verdict === 'Held' && outcome !== undefined && outcome.is !== 'Refused';
        pending.settle?.(told ? outcome : maybeApplied(operation));
        return false;
    }

    /**
     * Operations that have waited too long are answered with what delays them. Those on their way may still be carried
     * out. Answers when the next one's time is over.
     */
    giveUpLate(now: number): number {
        const carried = this.flight?.carried ?? 0;
        this.waiting = this.waiting.filter((pending, place) => {
            if (pending.deadline > now || pending.settle === undefined) return pending.settle !== undefined || place < carried;
            const slow = new SpSyncError('WriteFailed', `${verbOf(pending.operation)}: the service is slow or away, try again`);
            const sent = place < carried || pending.inDoubtSince !== undefined;
            pending.settle(sent ? maybeApplied(pending.operation) : pending.delayedBy ?? slow);
            pending.settle = undefined;
            // The flight counts on it; only the caller waits no longer.
            return place < carried;
        });
        const due = this.waiting.flatMap(({ deadline, settle }) => (settle === undefined ? [] : [deadline]));
        return Math.min(Infinity, ...due);
    }

    /** The client ends with work undone: whoever waits for it hears what is known of it. */
    abandon(error: SpSyncError): void {
        const carried = this.flight?.carried ?? 0;
        this.flight = undefined;
        this.waiting.splice(0).forEach((pending, place) => {
            pending.settle?.(place < carried ? maybeApplied(pending.operation) : inDoubtOr(pending, error));
        });
    }
}

function maybeApplied(operation: Operation): SpSyncError {
    const message = `${verbOf(operation)}: the answer was lost, and the document does not tell whether it was written`;
    return new SpSyncError('MaybeApplied', message);
}

function inDoubtOr({ inDoubtSince, operation }: Pending, error: SpSyncError): SpSyncError {
    return inDoubtSince === undefined ? error : maybeApplied(operation);
}

/** The same with the time at which its actions expire (C43). */
function dated(operation: Operation, expiresMs: readonly (number | undefined)[], serviceNow: number): Operation {
    if (operation.op !== 'Enqueue') return operation;
    const actions = operation.actions.map(({ executor, item }, place) => {
        const wait = expiresMs[place];
        return { executor, item: wait === undefined ? item : item.withTag({ ...item.tag, exp: serviceNow + wait }) };
    });
    return { ...operation, actions };
}
