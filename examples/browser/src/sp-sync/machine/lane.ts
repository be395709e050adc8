/** One executor's actions as this client takes and carries them out: one at a time, in order (C36). */

import type { Document } from '../heart/document';
import type { Item } from '../heart/item';
import { markOf, sameMark, type Claim, type Mark } from '../heart/ledger';
import type { Response } from '../heart/operation';
import type { Dropped } from '../notice';
import { numbered } from '../random';
import { Taker } from './handing';
import { Remembered } from './remembered';
import { Addressed } from './unread';
import type { View, Wishes } from './view';

/** An action in the hands of a handler. */
export interface Running {
    readonly id: string;
    readonly item: Item;
    readonly attempt: number;
    /** The attempt as the claim has it; less where a foreign writer has wiped some. */
    readonly n: number;
    /** At most once: only its id is left of the claim. */
    readonly once: boolean;
    /** It was removed, not claimed (C46). */
    readonly plain: boolean;
}

/** An action that has ended here and whose claim is not yet seen to be gone. */
export interface Ended {
    readonly id: string;
    /** Taken away when the service refuses it. */
    response: Response | undefined;
    /** A write that carried it and other responses was refused for something in it: it goes without the others. */
    alone: boolean;
    /** Number of the first write that carried it; every later one carries it too. */
    sent: number | undefined;
    /** The write that carried it last left the response out; nothing in the document tells of that. */
    dropped: Dropped | undefined;
    /** It may wait for others until then. */
    readonly lingerUntil: number;
}

/** A failed action that keeps its place until it is tried again (C42). */
export interface Retry {
    readonly id: string;
    readonly plain: boolean;
    readonly failed: number;
    readonly until: number;
}

export class Lane {
    /** Somebody here subscribes. */
    wanted = false;
    /** Claims of an earlier life under the same instance are to be counted as begun before anything else (C40). */
    resuming = false;
    running: Running | undefined;
    /** Oldest first. */
    ended: Ended[] = [];
    retry: Retry | undefined;
    /** Claims are to go back to the array; inside, the action that had been started, and its attempts so far. */
    givingBack: { readonly started: { readonly id: string; readonly begun: number } | undefined } | undefined;
    /** Another client's oldest claim, and since when it looks the same (C40). */
    private observed: { readonly mark: Mark; readonly since: number } | undefined;
    renewAt: number | undefined;
    /** The at-most-once action whose start is being recorded: only its id is in the document then. */
    once: Item | undefined;
    /** Attempts begun here. */
    readonly begun = new Remembered();
    /** Actions finished here (C61). */
    readonly finished = new Remembered();
    /** Removed from the array without bookkeeping and not started (C46). */
    removed: { readonly id: string; readonly item: Item }[] = [];
    puttingBack = false;
    /** The answer to putting them back was lost. */
    putBackInDoubt = false;
    /** A corrupt array has been reported. */
    corrupt = false;
    private readonly addressed: Addressed;
    readonly taker: Taker;

    constructor(readonly executor: string, private readonly place: number) {
        this.taker = new Taker(executor);
        this.addressed = new Addressed(executor);
    }

    /** Whether nothing is left to be recorded or given back. */
    get isIdle(): boolean {
        return this.ended.length === 0 && !this.givingBack && !this.running && this.removed.length === 0;
    }

    /** Own claims that have not ended here, oldest first. */
    private openClaims(document: Document, by: string): Claim[] {
        return document.claims(this.executor)
            .filter((claim) => claim.by === by && !this.ended.some(({ id }) => id === claim.id));
    }

    hasOpenClaims(document: Document, by: string): boolean {
        return this.openClaims(document, by).length > 0;
    }

    /**
     * The claim to carry out next, unless something before it is to be recorded first: the rule that lets a later
     * holder know which actions may have begun (see `Begun` in heart/claims).
     */
    nextClaim(document: Document, by: string): Claim | undefined {
        const claims = document.claims(this.executor);
        const busy = this.running || this.retry || this.givingBack || this.resuming;
        if (!this.wanted || busy || (claims[0] !== undefined && claims[0].by !== by)) return undefined;
        const [next] = this.openClaims(document, by);
        if (next === undefined) return undefined;
        const unrecorded = claims.slice(0, claims.indexOf(next)).filter((claim) => claim.by === by);
        const waits = unrecorded.length > 0 && (next.n > 1 || unrecorded.some(({ n }) => n > 1));
        return waits ? undefined : next;
    }

    /** What this lane wants written, given the newest document. */
    wishes(document: Document, view: View, wishes: Wishes): void {
        if (this.wishPutBack(document, wishes)) return;
        if (view.plain) return this.wishPlain(document, view, wishes);
        const { executor } = this;
        this.addressed.look(document, view.now);
        if (!this.wanted) this.addressed.wishAway(document, view, wishes);
        this.wishEnds(document, view, wishes);
        if (this.hasToStepBack(document, view)) wishes.push({ op: 'StepBack', executor });
        const [head] = document.claims(executor);
        if (head !== undefined && head.by !== view.by) return this.observe(head, view, wishes);
        this.observed = undefined;
        if (this.resuming) {
            if (head !== undefined) return wishes.push({ op: 'TakeOver', executor, mark: markOf(head) });
            this.resuming = false;
        }
        const open = this.hasOpenClaims(document, view.by);
        if (!this.givingBack && !this.wanted && !this.running && open) {
            this.givingBack = { started: this.retry && { id: this.retry.id, begun: this.retry.failed } };
            this.retry = undefined;
        }
        if (this.givingBack && open) {
            const { started } = this.givingBack;
            const unseen = this.once;
            return wishes.push({ op: 'GiveBack', executor, ...(started && { started }), ...(unseen && { unseen }) });
        }
        this.givingBack = undefined;
        this.wishRenewal(open, view, wishes);
        this.wishNext(document, view, wishes);
    }

    /**
     * Nobody here takes actions any more: others must not hand any over. Whoever was silent for longer is not believed to
     * be at work.
     */
    hasToStepBack({ ledger }: Document, { by, now, heldAt, renewEveryMs }: View): boolean {
        return !this.wanted && now < heldAt + renewEveryMs && ledger?.next(this.executor) === by;
    }

    private wishEnds(document: Document, view: View, wishes: Wishes): void {
        const more = this.hasOpenClaims(document, view.by);
        const careful = document.claims(this.executor).some(({ n }) => n > 1);
        for (const { id, response, lingerUntil } of this.ended) {
            const operation = { op: 'Finish', executor: this.executor, id, ...(response && { response }) } as const;
            const waits = response !== undefined || careful || !more;
            wishes.linger(operation, waits ? view.now : lingerUntil, view.now);
        }
    }

    /** Watches another client's claim; when it has not changed for a lease, this client takes over. */
    private observe(head: Claim, view: View, wishes: Wishes): void {
        const mark = markOf(head);
        const since = this.observed && sameMark(this.observed.mark, mark) ? this.observed.since : view.now;
        this.observed = { mark, since };
        if (!this.wanted) return;
        if (view.now >= since + view.leaseMs) wishes.push({ op: 'TakeOver', executor: this.executor, mark });
        else wishes.wake(since + view.leaseMs);
    }

    private wishRenewal(open: boolean, view: View, wishes: Wishes): void {
        if (!open) {
            this.renewAt = undefined;
            return;
        }
        this.renewAt ??= view.now + view.renewEveryMs;
        if (this.renewAt <= view.now) wishes.push({ op: 'Renew', executor: this.executor });
        else wishes.wake(this.renewAt);
    }

    private wishNext(document: Document, view: View, wishes: Wishes): void {
        const { executor, retry } = this;
        if (retry) {
            if (document.claims(executor).some(({ id, n }) => id === retry.id && n <= retry.failed)) {
                wishes.push({ op: 'Retry', executor, id: retry.id, failed: retry.failed });
            }
            if (retry.until > view.now) wishes.wake(retry.until);
            return;
        }
        if (!this.wanted || this.running) return;
        const next = this.nextClaim(document, view.by);
        if (next?.item !== undefined && view.runsOnce(next.item) && !this.isOver(next.id, next.item, view)) {
            this.once = next.item;
            wishes.push({ op: 'StartOnce', executor, id: next.id });
        } else if (next === undefined && !this.hasOpenClaims(document, view.by)) {
            this.wishClaim(document, view, wishes);
        }
    }

    private wishClaim(document: Document, view: View, wishes: Wishes): void {
        if (this.removed.length > 0) return;
        const released = this.addressed.released(document, view, wishes);
        const isFree = (item: Item) =>
            !item.isAddressed || item.tag.to === view.by || (item.id !== undefined && released.has(item.id));
        if (document.waiting(this.executor).some(isFree)) {
            const fresh = `${numbered(view.fresh, view.number)}-${numbered('', this.place)}-`;
            wishes.push({ op: 'Claim', executor: this.executor, fresh, released });
        }
    }

    /** Whether an action must not start any more: expired, finished here before, or begun when it may run once. */
    isOver(id: string, item: Item, view: View): boolean {
        const expired = item.tag.exp !== undefined && item.tag.exp <= view.serviceNow;
        return expired || this.finished.has(id) || this.hasRunOnce(id, item, view);
    }

    /** Whether it may run at most once and was begun here: an old copy of the document has brought it back. */
    hasRunOnce(id: string, item: Item, view: View): boolean {
        return view.runsOnce(item) && (this.begun.get(id) ?? 0) > 0;
    }

    /** Without bookkeeping there are no claims to look after, whatever others have written. */
    private wishPlain(document: Document, view: View, wishes: Wishes): void {
        this.givingBack = undefined;
        this.observed = undefined;
        if (this.retry) wishes.wake(this.retry.until);
        else if (this.wanted && !this.running) this.wishClaim(document, view, wishes);
    }

    /**
     * What was removed and is not carried out here goes back to its array (C44, C46). Without ids only the array tells
     * whether a write whose answer was lost has put it there; taken again meanwhile, it is put back twice.
     */
    private wishPutBack(document: Document, wishes: Wishes): boolean {
        if (!this.wanted && !this.running && this.removed.length > 0) {
            this.retry = undefined;
            this.puttingBack = true;
        }
        const waiting = document.waiting(this.executor);
        const isThere = () => this.removed.every(({ item }, place) => waiting[place]?.isSame(item) ?? false);
        if (this.putBackInDoubt && isThere()) this.putBack(this.removed.length);
        this.puttingBack &&= this.removed.length > 0 && document.corruptArray(this.executor) === undefined;
        if (this.puttingBack) {
            wishes.push({ op: 'PutBack', executor: this.executor, items: this.removed.map(({ item }) => item) });
        }
        return this.puttingBack;
    }

    /** So many of what was removed are in the array again. */
    putBack(count: number): void {
        this.removed.splice(0, count);
        this.puttingBack = false;
        this.putBackInDoubt = false;
    }

    /** The answer to a write that held tells that this end is recorded. `undefined` when that was known already. */
    recorded(id: string): Ended | undefined {
        const place = this.ended.findIndex((ended) => ended.id === id);
        if (place < 0) return undefined;
        this.finished.set(id, 0);
        return this.ended.splice(place, 1)[0];
    }

    /**
     * Compares local state with a newer document: what has vanished there is over here (C40, C60). Answers the ends that
     * are recorded, and an action whose handler is to be cancelled.
     */
    reconcile(document: Document, by: string, lastWrite: number | undefined, inFlight: number | undefined): {
        readonly recorded: readonly Ended[];
        readonly lost: string | undefined;
    } {
        const claims = document.claims(this.executor);
        const mine = (id: string) => claims.some((claim) => claim.by === by && claim.id === id);
        const recorded: Ended[] = [];
        this.ended = this.ended.filter((ended) => {
            const { id, sent } = ended;
            if (mine(id)) return true;
            const held = sent !== undefined && lastWrite !== undefined && lastWrite >= sent;
            // The document may be the one just written, told before the answer, and too full for our stamp.
            if (!held && sent !== undefined && inFlight !== undefined && sent <= inFlight) return true;
            // One that somebody else holds, or that was put back, is not finished and may come here again.
            const left = document.waiting(this.executor).some((item) => item.id === id)
                || claims.some((claim) => claim.id === id);
            if (held || !left) this.finished.set(id, 0);
            if (held) recorded.push(ended);
            return false;
        });
        if (this.retry && !this.retry.plain && !mine(this.retry.id)) this.retry = undefined;
        if (!this.running || this.running.plain || mine(this.running.id)) return { recorded, lost: undefined };
        const lost = this.running.id;
        this.running = undefined;
        return { recorded, lost };
    }
}
