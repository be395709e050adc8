/** Taking, renewing, finishing and giving back (C38–C44). */

import type { Document } from './document';
import { Item } from './item';
import { markOf, sameMark, type Claim, type Mark } from './ledger';
import type { Operation, Outcome, Response, Taken } from './operation';
import { SpSyncError } from '../error';
import { tooLarge, type Step } from './step';

type Of<Name extends Operation['op']> = Extract<Operation, { op: Name }>;

const NOTHING: Outcome = { is: 'Nothing' };

export function claim(step: Step, { executor, fresh, released }: Of<'Claim'>): Outcome {
    const plain = step.isPlain;
    const claims = plain ? [] : step.document.claims(executor);
    if (claims.some(({ by }) => by !== step.writer.by)) return { is: 'HeldByAnother' };
    const room = Math.max(0, step.rules.runMax - claims.length);
    const held = new Set(claims.map(({ id }) => id));
    const { taken, left } = split(step.document, executor, step.writer.by, held, room, released);
    if (left.length === step.document.waiting(executor).length) return NOTHING;
    step.checkIsArray(executor);
    const before = step.document.clone();
    step.document.setWaiting(executor, left);
    let returned = 0;
    if (!plain) {
        const more = taken.items.map((item, place) => firstClaim(step.writer.by, item, fresh, place));
        step.document.ledgerMade.setClaims(executor, [...claims, ...more]);
        step.document.ledgerMade.setNext(executor, step.writer.by);
        returned = fit(step, executor, before, claims.length + (more.length === 0 ? 0 : 1));
    }
    step.changed = true;
    return { is: 'Taken', taken: { ...taken, items: taken.items.slice(0, taken.items.length - returned) } };
}

/**
 * Everything that waits goes to the one who takes what comes next, or nothing: only it may remove what is no action, and
 * what waits already waits for a reason. While it is busy it takes what comes with the write that ends what it does.
 */
export function handOver(step: Step, executor: string, to: string): Outcome {
    const { document } = step;
    const saysSo = document.ledger?.next(executor) === to;
    if (step.isPlain || !saysSo || document.claims(executor).length > 0) return NOTHING;
    const { taken, left } = split(document, executor, to, new Set(), step.rules.runMax, new Set());
    const all = left.length + taken.malformed.length + taken.duplicates.length === 0;
    if (!all || taken.items.length === 0 || taken.items.some(({ id }) => id === undefined)) return NOTHING;
    step.checkIsArray(executor);
    const before = step.document.clone();
    step.document.setWaiting(executor, []);
    const more = taken.items.map((item) => firstClaim(to, item, '', 0));
    step.document.ledgerMade.setClaims(executor, more);
    if (step.document.bytes > step.limitInUse) {
        // It takes them itself when it has made room.
        step.document = before;
        return NOTHING;
    }
    step.changed = true;
    return { is: 'Done' };
}

export function stepBack(step: Step, executor: string): Outcome {
    if (step.isPlain || step.document.ledger?.next(executor) !== step.writer.by) return NOTHING;
    step.document.ledgerMade.setNext(executor, undefined);
    step.changed = true;
    return { is: 'Done' };
}

/** Parts the array into what a claim by this holder takes and what stays. */
function split(
    document: Document,
    executor: string,
    holder: string,
    seen: Set<string>,
    room: number,
    released: ReadonlySet<string>,
): { taken: Taken; left: Item[] } {
    const taken = { items: [] as Item[], malformed: [] as Item[], duplicates: [] as Item[] };
    const left: Item[] = [];
    let passedOver = true;
    for (const item of document.waiting(executor)) {
        const { id } = item;
        const mine = !item.isAddressed || item.tag.to === holder || (id !== undefined && released.has(id));
        if (item.action === undefined) {
            taken.malformed.push(item);
        } else if (id !== undefined && seen.has(id)) {
            taken.duplicates.push(item);
        } else if (mine && taken.items.length < room && passedOver) {
            if (id !== undefined) seen.add(id);
            taken.items.push(item);
        } else {
            passedOver &&= item.isAddressed;
            left.push(item);
        }
    }
    return { taken, left };
}

/** What is taken is claimed for the first time by this holder. */
function firstClaim(by: string, item: Item, fresh: string, place: number): Claim {
    const { n: begun, ...tag } = item.tag;
    const id = tag.id ?? `${fresh}${place}`;
    const untouched = tag.id !== undefined && begun === undefined;
    return { by, n: (begun ?? 0) + 1, t: 0, id, item: untouched ? item : item.withTag({ ...tag, id }) };
}

/**
 * Makes the document fit after bookkeeping has grown: forgets old writers, then returns the youngest claims to the
 * array, down to the `fewest`. Answers how many were returned. Only where even these do not fit is the step taken back.
 */
function fit(step: Step, executor: string, before: Document, fewest: number): number {
    const limitBytes = step.allowedBytes;
    for (let returned = 0; ; ) {
        const sizeBytes = step.document.bytes;
        if (sizeBytes <= limitBytes) return returned;
        const ledger = step.document.ledgerMade;
        if (ledger.forgetSomething()) continue;
        const claims = ledger.claimsOf(executor);
        const youngest = claims.length > fewest ? claims.at(-1) : undefined;
        if (youngest?.item === undefined || executor === '' || step.document.corruptArray(executor) !== undefined) {
            step.document = before;
            throw tooLarge(sizeBytes, limitBytes);
        }
        returned += 1;
        ledger.setClaims(executor, claims.slice(0, -1));
        const item = youngest.item.withBegun(youngest.n - 1);
        step.document.setWaiting(executor, [item, ...step.document.waiting(executor)]);
        ledger.tidy();
    }
}

export function takeOver(step: Step, executor: string, mark: Mark): Outcome {
    const claims = step.document.claims(executor);
    const [head] = claims;
    if (step.isPlain || head === undefined || !sameMark(markOf(head), mark)) return NOTHING;
    const before = step.document.clone();
    const lost: string[] = [];
    const next: Claim[] = [];
    const begun = new Begun();
    for (const claim of claims) {
        const counts = begun.mayHaveBegun(claim);
        if (claim.by !== mark.by) {
            next.push(claim);
        } else if (claim.item === undefined) {
            lost.push(claim.id);
        } else {
            next.push({ ...claim, by: step.writer.by, n: claim.n + (counts ? 1 : 0), t: 0 });
        }
    }
    step.document.ledgerMade.setClaims(executor, next);
    step.document.ledgerMade.tidy();
    step.document.ledgerMade.setNext(executor, step.writer.by);
    // A longer name may not fit. Back in the array the actions are shorter than under any holder.
    fit(step, executor, before, 0);
    step.changed = true;
    return { is: 'TakenOver', lost };
}

/**
 * Which claims of a silent holder it may have started: the oldest, and those behind it as long as all are first
 * attempts. For a holder starts the next action before the end of the one before is recorded only while both are first
 * attempts.
 */
class Begun {
    private pastOldest = false;
    private over = false;

    mayHaveBegun({ n }: Claim): boolean {
        const repeated = n > 1;
        const counts = !this.over && (!this.pastOldest || !repeated);
        this.pastOldest = true;
        this.over ||= repeated;
        return counts;
    }
}

export function renew(step: Step, executor: string): Outcome {
    return change(step, executor, () => true, (claim) => ({ ...claim, t: claim.t + 1 }));
}

export function retry(step: Step, { executor, id, failed }: Of<'Retry'>): Outcome {
    // Less than `failed` where a foreign writer has put an older claim back.
    return change(step, executor, (claim) => claim.id === id && claim.n <= failed, (claim) => ({ ...claim, n: failed + 1 }));
}

export function startOnce(step: Step, executor: string, id: string): Outcome {
    const which = (claim: Claim) => claim.id === id && claim.item !== undefined;
    return change(step, executor, which, (claim) => ({ ...claim, item: undefined }));
}

/** Changes those of the writer's own claims that are meant. */
function change(step: Step, executor: string, which: (claim: Claim) => boolean, to: (claim: Claim) => Claim): Outcome {
    const claims = step.document.claims(executor);
    const meant = (claim: Claim) => claim.by === step.writer.by && which(claim);
    if (step.isPlain || !claims.some(meant)) return NOTHING;
    step.document.ledgerMade.setClaims(executor, claims.map((claim) => (meant(claim) ? to(claim) : claim)));
    step.changed = true;
    return { is: 'Done' };
}

export function finish(step: Step, { executor, id, response }: Of<'Finish'>): Outcome {
    if (!step.isPlain) {
        const claims = step.document.claims(executor);
        const others = claims.filter((claim) => claim.by !== step.writer.by || claim.id !== id);
        if (others.length === claims.length) return NOTHING;
        step.document.ledgerMade.setClaims(executor, others);
        step.changed = true;
    }
    return response === undefined ? { is: 'Done' } : respond(step, response);
}

function respond(step: Step, { executor, item }: Response): Outcome {
    const waiting = step.document.waiting(executor);
    try {
        step.checkArray(executor, waiting.length);
    } catch (error) {
        const full = error instanceof SpSyncError && error.kind === 'Full';
        return { is: 'ResponseDropped', why: full ? 'Full' : 'CorruptArray' };
    }
    if (item.isTooDeep) return { is: 'ResponseDropped', why: 'TooLarge' };
    const before = step.document.clone();
    step.document.setWaiting(executor, [...waiting, item]);
    // The reserve is kept: a response that nobody could claim would hold up the requester for good.
    if (step.document.bytes > step.limitInUse) {
        step.document = before;
        return { is: 'ResponseDropped', why: 'TooLarge' };
    }
    step.changed = true;
    return { is: 'Done' };
}

export function giveBack(step: Step, { executor, started, unseen }: Of<'GiveBack'>): Outcome {
    const claims = step.document.claims(executor);
    const mine = claims.filter(({ by }) => by === step.writer.by);
    if (step.isPlain || step.document.corruptArray(executor) !== undefined || mine.length === 0) return NOTHING;
    step.checkIsArray(executor);
    step.document.ledgerMade.setClaims(executor, claims.filter(({ by }) => by !== step.writer.by));
    stepBack(step, executor);
    const waiting = step.document.waiting(executor);
    let kept = mine.some((claim) => claim.item === undefined && claim.id === unseen?.id) ? unseen : undefined;
    step.document.setWaiting(executor, [...returned(mine, started, kept), ...waiting]);
    // What was started at most once had left the document; by now there may be no room for it.
    if (kept !== undefined && step.document.bytes > step.allowedBytes) {
        kept = undefined;
        step.document.setWaiting(executor, [...returned(mine, started, kept), ...waiting]);
    }
    step.changed = true;
    const lost = mine.filter((claim) => claim.item === undefined && claim.id !== kept?.id).map(({ id }) => id);
    return lost.length === 0 ? { is: 'Done' } : { is: 'TakenOver', lost };
}

export function putBack(step: Step, executor: string, items: readonly Item[]): Outcome {
    step.checkIsArray(executor);
    step.document.setWaiting(executor, [...items, ...step.document.waiting(executor)]);
    step.changed = true;
    return { is: 'Done' };
}

/** Own claims as the actions that go back to the array: each remembers attempts already begun. */
function returned(mine: readonly Claim[], started: Of<'GiveBack'>['started'], unseen: Item | undefined): Item[] {
    return mine.flatMap((claim) => {
        const begun = started?.id === claim.id ? started.begun : claim.n - 1;
        const item = claim.item ?? (unseen?.id === claim.id ? unseen : undefined);
        return item === undefined ? [] : [item.withBegun(begun)];
    });
}
