/** Requests that wait for their response (C50, C51). */

import type { SpSyncError } from '../error';
import type { Document } from '../heart/document';
import type { Item } from '../heart/item';
import type { Wishes } from './view';

/** A wait for a response. */
export interface Wait {
    /** Whose array took the request. */
    readonly executor: string;
    readonly item: Item;
    /** Whose array takes the response. */
    readonly respondTo: string;
    readonly resolve: (response: Item) => void;
    readonly reject: (error: SpSyncError) => void;
}

/** A response that belongs to a waiter and still lies in the document. */
interface Matched {
    readonly executor: string;
    readonly item: Item;
    /**
     * Waits until the response is ours: somebody else might take one that is not addressed. An addressed one is handed
     * over when it is seen, and only its removal is left to do.
     */
    readonly wait: Wait | undefined;
    readonly lingerUntil: number;
    /** Number of the first write that carried its removal. */
    sent: number | undefined;
}

export class Requests {
    /** In the order in which they were made. */
    private waiting: Wait[] = [];
    private matched: Matched[] = [];

    get count(): number {
        return this.waiting.length;
    }

    /** Whether nothing is left to be removed. */
    get isSettled(): boolean {
        return this.matched.length === 0;
    }

    add(wait: Wait): void {
        this.waiting.push(wait);
    }

    /** Nobody waits any more. Answers whether somebody did. */
    giveUp(wait: Wait): boolean {
        const place = this.waiting.indexOf(wait);
        if (place >= 0) this.waiting.splice(place, 1);
        return place >= 0;
    }

    /** Looks for responses in a newer document, and at what has become of those seen before. */
    look(document: Document, by: string, lastWrite: number | undefined, lingerUntil: number): void {
        this.settle(document, lastWrite);
        for (const executor of new Set(this.waiting.map(({ respondTo }) => respondTo))) {
            // Without ids two responses may read the same: each stands for one that was matched.
            const known = this.matched.map(({ item }) => item);
            for (const item of document.waiting(executor)) {
                const place = known.findIndex((other) => other.isSame(item));
                if (place >= 0) {
                    known.splice(place, 1);
                    continue;
                }
                const wait = this.match(executor, item, by);
                if (wait === undefined) continue;
                const addressed = item.tag.to !== undefined;
                if (addressed) wait.resolve(item);
                this.matched.push({ executor, item, wait: addressed ? undefined : wait, lingerUntil, sent: undefined });
            }
        }
    }

    /** Responses that are gone from the document were removed by us, or taken by somebody else. */
    private settle(document: Document, lastWrite: number | undefined): void {
        const still: Matched[] = [];
        const gone: Matched[] = [];
        for (const matched of this.matched) {
            const same = (item: Item) => item.isSame(matched.item);
            const there = document.waiting(matched.executor).filter(same).length;
            const accounted = still.filter(({ item }) => same(item)).length;
            (there > accounted ? still : gone).push(matched);
        }
        this.matched = still;
        for (const { wait, item, sent } of gone) {
            const ours = sent !== undefined && lastWrite !== undefined && lastWrite >= sent;
            if (wait !== undefined && ours) wait.resolve(item);
            else if (wait !== undefined) this.waiting.unshift(wait);
        }
    }

    /** The wait a response belongs to: by `re` where present, otherwise the oldest of that name. */
    private match(executor: string, item: Item, by: string): Wait | undefined {
        const { action, tag } = item;
        if (action === undefined || (tag.to !== undefined && tag.to !== by)) return undefined;
        const place = this.waiting.findIndex((wait) =>
            wait.respondTo === executor
            && (tag.re === undefined ? wait.item.action?.action === action.action : tag.re === wait.item.id));
        return place < 0 ? undefined : this.waiting.splice(place, 1)[0];
    }

    /** An element that this client has taken as an ordinary action may be a response that came just before. */
    give(executor: string, item: Item, by: string): boolean {
        const wait = this.match(executor, item, by);
        wait?.resolve(item);
        return wait !== undefined;
    }

    /** This client has removed a response: it is its own, also where no bookkeeping tells. */
    took(executor: string, item: Item, by: string): void {
        const place = this.matched.findIndex((matched) => matched.item.isSame(item));
        if (place < 0) {
            this.give(executor, item, by);
        } else {
            const [matched] = this.matched.splice(place, 1);
            matched?.wait?.resolve(item);
        }
    }

    /** What is to be written: removals of matched responses. One that was handed over can wait for another write. */
    wishes(now: number, wishes: Wishes): void {
        for (const { executor, item, wait, lingerUntil } of this.matched) {
            wishes.linger({ op: 'TakeResponse', executor, item }, wait === undefined ? lingerUntil : now, now);
        }
    }

    /** The wishes are on their way under this number. */
    sent(number: number): void {
        // The first: it may hold although its answer was lost, and every later one carries it again.
        for (const matched of this.matched) matched.sent ??= number;
    }

    fail(error: SpSyncError): void {
        const all = [...this.waiting, ...this.matched.flatMap(({ wait }) => (wait === undefined ? [] : [wait]))];
        this.waiting = [];
        this.matched = [];
        for (const wait of all) wait.reject(error);
    }
}
