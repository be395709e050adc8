/** A document on its way from one state to the next, and what its changes have in common. */

import { SpSyncError } from '../error';
import { arrayKey, type Document } from './document';
import type { Rules, Writer } from './operation';

export class Step {
    changed = false;

    constructor(
        public document: Document,
        readonly writer: Writer,
        readonly rules: Rules,
        /** Bytes that bookkeeping may fill: a document must never be too full to be worked off. */
        readonly allowedBytes: number,
    ) {}

    /** Whether this document is written without bookkeeping (C46, C60). */
    get isPlain(): boolean {
        return this.document.isForeign;
    }

    /** Bytes up to which actions and application data may fill a document whose queues are in use. */
    get limitInUse(): number {
        return Math.max(0, this.rules.documentBytesMax - (this.isPlain ? 0 : this.rules.reserveBytes));
    }

    /** Refuses to make the document longer by `growth` bytes where there is no room (C55). */
    checkRoom(growth: number, queuesWillBeUsed: boolean): void {
        if (growth <= 0) return;
        const inUse = queuesWillBeUsed || this.document.isInUse;
        const limitBytes = inUse ? this.limitInUse : this.rules.documentBytesMax;
        const sizeBytes = Math.max(0, this.document.bytes + growth);
        if (sizeBytes > limitBytes) throw tooLarge(sizeBytes, limitBytes);
    }

    /** Refuses where an executor's array is none, or has no place (C14, C56). */
    checkArray(executor: string, waiting: number): void {
        this.checkIsArray(executor);
        const limit = this.rules.waitingMax;
        if (waiting >= limit) {
            const now = this.document.waiting(executor).length;
            const message = `${now} actions wait for ${executor}, the limit is ${limit}: is its executor there?`;
            throw new SpSyncError('Full', message, { executor, waiting: now, limit });
        }
    }

    /** Refuses where an executor can have no array, or has something else there (C14). */
    checkIsArray(executor: string): void {
        if (executor === '') throw new SpSyncError('Invalid', 'an executor has a name');
        const found = this.document.corruptArray(executor);
        if (found !== undefined) {
            const message = `${arrayKey(executor)} holds ${found}: it is left as it is`;
            throw new SpSyncError('CorruptArray', message, { executor, found });
        }
    }
}

export function tooLarge(sizeBytes: number, limitBytes: number): SpSyncError {
    const message = `the document would have ${sizeBytes} bytes, the limit is ${limitBytes}: nothing was written`;
    return new SpSyncError('TooLarge', message, { sizeBytes, limitBytes });
}
