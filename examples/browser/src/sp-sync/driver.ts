/** What stands between the machine and the official SDK: it moves data and timers, and decides nothing. */

import type { SpSyncError } from './error';
import type { JsonObject } from './json';
import { CLOSE_WITHIN_MS } from './limits';
import type { Config, Hooks } from './machine/config';
import { Machine } from './machine/machine';

/** What is needed of the official SDK's `SyncDocument`. */
export interface SharedDocument {
    readonly data: object;
    /** Grows with every change. */
    readonly lastEventId: number;
    readonly dateUpdated: Date;
    mutate(mutator: (current: object) => object | null): Promise<unknown>;
    on(event: 'updated' | 'removed', listener: () => void): unknown;
    removeListener(event: 'updated' | 'removed', listener: () => void): unknown;
    close(): void;
}

/** Milliseconds of a clock that never goes back. */
function now(): number {
    return performance.now();
}

/** Browsers take no longer wait. */
export const TIMER_MAX_MS = 2 ** 31 - 1;

export class Driver {
    readonly machine: Machine;
    private timer: ReturnType<typeof setTimeout> | undefined;
    private pumping = false;
    /** Something happened since the machine was last asked what to do. */
    private news = false;
    private ended = false;
    private readonly idle: (() => void)[] = [];

    constructor(private readonly document: SharedDocument, config: Config, hooks: Hooks) {
        const { lastEventId, data, dateUpdated } = document;
        this.machine = new Machine(config, hooks, lastEventId, data as JsonObject, dateUpdated.getTime(), now());
        document.on('updated', this.updated);
        document.on('removed', this.removed);
        this.look();
    }

    /** Does something with the machine, at this moment. */
    tell<T>(what: (machine: Machine, now: number) => T): T {
        const answer = what(this.machine, now());
        this.look();
        return answer;
    }

    private readonly updated = (): void => {
        const { lastEventId, data, dateUpdated } = this.document;
        this.machine.saw(lastEventId, data as JsonObject, dateUpdated.getTime(), now());
        this.look();
    };

    private readonly removed = (): void => {
        this.machine.removed();
        this.end();
    };

    /** Lets the machine decide soon: calls made together share a write (C31). */
    private look(): void {
        this.news = true;
        if (this.ended) return;
        // While a write is on its way the next action may start.
        if (this.pumping) return this.setTimer(this.machine.step(now()).wakeAt);
        this.pumping = true;
        queueMicrotask(() => void this.pump());
    }

    private async pump(): Promise<void> {
        let wakeAt = Infinity;
        while (this.news && !this.ended) {
            this.news = false;
            const step = this.machine.step(now());
            wakeAt = step.wakeAt;
            if (step.write && (await this.write())) this.news = true;
        }
        this.pumping = false;
        if (this.machine.isIdle(now())) this.idle.splice(0).forEach((tell) => tell());
        this.setTimer(wakeAt);
    }

    /** Writes once. Answers whether there may be more to do now. */
    private async write(): Promise<boolean> {
        const { document, machine } = this;
        const before = machine.state;
        let wrote = false;
        // A caller whose time is over hears so although the SDK still tries.
        this.setTimer(machine.step(now()).wakeAt);
        try {
            await document.mutate((current) => {
                const next = machine.write(document.lastEventId, current as JsonObject, now());
                wrote = next !== undefined;
                return next ?? null;
            });
            if (wrote) machine.held(document.lastEventId, document.data as JsonObject, document.dateUpdated.getTime(), now());
        } catch (error) {
            machine.failed(error, now());
            wrote = true;
        }
        // Changes told meanwhile have waited for the answer.
        machine.saw(document.lastEventId, document.data as JsonObject, document.dateUpdated.getTime(), now());
        return wrote || machine.hasMoreToWrite || machine.state !== before;
    }

    private setTimer(at: number): void {
        clearTimeout(this.timer);
        if (at === Infinity || this.ended) return;
        const wait = Math.min(Math.max(at - now(), 0), TIMER_MAX_MS);
        this.timer = setTimeout(() => {
            // While a write is on its way only its callers' patience can end.
            if (this.pumping) this.setTimer(this.machine.step(now()).wakeAt);
            else this.look();
        }, wait);
    }

    /** Gives back what was not finished, waits for what is to be written, and ends (C44). */
    async close(error: SpSyncError): Promise<void> {
        if (this.ended) return;
        this.tell((machine) => machine.close());
        await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, CLOSE_WITHIN_MS);
            this.idle.push(() => {
                clearTimeout(timer);
                resolve();
            });
        });
        this.machine.abandon(error);
        this.end();
        this.document.close();
    }

    private end(): void {
        this.ended = true;
        clearTimeout(this.timer);
        this.idle.splice(0).forEach((tell) => tell());
        this.document.removeListener('updated', this.updated);
        this.document.removeListener('removed', this.removed);
    }
}
