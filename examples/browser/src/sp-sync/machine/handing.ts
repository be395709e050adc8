/**
 * Handing actions over: whoever adds one for a client that it has just seen at work writes the claim too, and saves that
 * client a write.
 */

import type { Document } from '../heart/document';
import type { Operation } from '../heart/operation';

/** Who takes what comes next for an executor, as this client has seen it. */
export class Taker {
    private seen: { readonly by: string; readonly number: number; readonly at: number } | undefined;

    constructor(private readonly executor: string) {}

    /** Notes whether the taker has written since it was last looked at. What stood there at first tells nothing. */
    look({ ledger }: Document, isFirst: boolean, now: number): void {
        const by = ledger?.next(this.executor);
        const number = by === undefined ? undefined : ledger?.lastWrite(by.slice(by.lastIndexOf('#') + 1));
        if (by === undefined || number === undefined) {
            this.seen = undefined;
        } else if (this.seen?.by !== by || number > this.seen.number) {
            this.seen = { by, number, at: isFirst ? -Infinity : now };
        }
    }

    /** What follows operations that add actions of its executor. */
    handOver(operations: readonly Operation[], now: number, withinMs: number): readonly Operation[] {
        const { executor, seen } = this;
        const adds = operations.some((of) => of.op === 'Enqueue' && of.actions.some((added) => added.executor === executor));
        return seen !== undefined && adds && now < seen.at + withinMs ? [{ op: 'HandOver', executor, to: seen.by }] : [];
    }
}
