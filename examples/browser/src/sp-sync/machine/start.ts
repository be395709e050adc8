/** Starting what has been taken: only from a document that shows it as ours, one at a time, oldest first. */

import { Item } from '../heart/item';
import type { Claim } from '../heart/ledger';
import { ATTEMPTS_MAX } from '../limits';
import { errorResponse } from './ending';
import type { Lane } from './lane';
import type { Machine } from './machine';

/** Why an action is over without running here. */
type Over = 'Response' | 'Duplicate' | 'Lost' | 'Expired' | 'TooOften';

/** Hands over whatever can be started now. */
export function startAll(machine: Machine, now: number): void {
    for (const lane of machine.lanes) {
        while (startOne(machine, lane, now)) { /* what was over without running makes way for the next */ }
    }
}

/** Looks at the next action of a lane. Answers whether to look again. */
function startOne(machine: Machine, lane: Lane, now: number): boolean {
    const document = machine.state?.document;
    if (document === undefined) return false;
    // What was removed comes first, even if the document has bookkeeping by now: it came from before what is left.
    if (document.isForeign || lane.removed.length > 0) return startRemoved(machine, lane, now);
    const claim = lane.nextClaim(document, machine.config.by);
    if (claim === undefined) return false;
    // Others may have seen the claims unchanged for longer than since the latest write, by up to a renewal.
    if (now + machine.renewEveryMs > machine.heldAt + machine.config.leaseMs) {
        // This page was asleep, or the service away, for so long that another may have taken over: the claim must be
        // shown to hold before anything is started on it.
        lane.renewAt = now;
        return false;
    }
    if (claim.item === undefined) return startedOnce(machine, lane, claim, now);
    return startClaimed(machine, lane, claim, claim.item, now);
}

/** An at-most-once action whose start is recorded: it is run by whoever recorded it, or by nobody. */
function startedOnce(machine: Machine, lane: Lane, { id, n }: Claim, now: number): boolean {
    const item = lane.once?.id === id ? lane.once : undefined;
    lane.once = undefined;
    if (item === undefined) {
        passOver(machine, lane, id, undefined, 'Lost', n, now);
        return true;
    }
    // Started once means a first attempt, however often its claim has changed hands.
    start(machine, lane, { id, item, n, once: true, plain: false }, 1, now);
    return false;
}

function startClaimed(machine: Machine, lane: Lane, { id, n }: Claim, item: Item, now: number): boolean {
    const over = whyOver(machine, lane, id, item, n, now);
    if (over !== undefined) {
        passOver(machine, lane, id, item, over, n, now);
        return true;
    }
    // An at-most-once action starts when its start is recorded.
    if (!machine.view(now).runsOnce(item)) start(machine, lane, { id, item, n, once: false, plain: false }, n, now);
    return false;
}

function whyOver(machine: Machine, lane: Lane, id: string, item: Item, n: number, now: number): Over | undefined {
    const view = machine.view(now);
    if (machine.requests.give(lane.executor, item, machine.config.by)) return 'Response';
    if (lane.finished.has(id)) return 'Duplicate';
    if (lane.hasRunOnce(id, item, view)) return 'Lost';
    if (lane.isOver(id, item, view)) return 'Expired';
    return n > ATTEMPTS_MAX ? 'TooOften' : undefined;
}

function startRemoved(machine: Machine, lane: Lane, now: number): boolean {
    if (lane.running || lane.retry || lane.puttingBack || !lane.wanted) return false;
    const removed = lane.removed.shift();
    if (removed === undefined) return false;
    if (machine.requests.give(lane.executor, removed.item, machine.config.by)) return true;
    const attempt = (lane.begun.get(removed.id) ?? 0) + 1;
    start(machine, lane, { ...removed, n: attempt, once: false, plain: true }, attempt, now);
    return false;
}

interface Found {
    readonly id: string;
    readonly item: Item;
    readonly n: number;
    readonly once: boolean;
    readonly plain: boolean;
}

function start(machine: Machine, lane: Lane, found: Found, n: number, now: number): void {
    const { id, item } = found;
    if (item.action === undefined) return;
    // A foreign writer may have wiped the attempts from the document; those begun here are known.
    const attempt = found.once ? 1 : Math.max(n, (lane.begun.get(id) ?? 0) + 1);
    lane.begun.set(id, attempt);
    lane.running = { ...found, attempt };
    lane.renewAt = now + machine.renewEveryMs;
    machine.hooks.start({ executor: lane.executor, action: item.action, id, attempt });
}

function passOver(machine: Machine, lane: Lane, id: string, item: Item | undefined, why: Over, n: number, now: number): void {
    const { executor } = lane;
    const action = item?.action?.action ?? '';
    let response;
    if (why === 'Duplicate') machine.hooks.notice({ kind: 'DuplicateRemoved', executor, id });
    if (why === 'Lost') machine.hooks.notice({ kind: 'StartedOnceAndLost', executor, ids: [id] });
    if (why === 'Expired') machine.hooks.notice({ kind: 'ActionExpired', executor, action, id });
    if (why === 'TooOften' && item !== undefined) {
        const failure = { code: 'attempts', message: 'its executor stopped as often as it may be tried' };
        response = errorResponse(machine, item, failure);
        machine.hooks.notice({ kind: 'ActionFailed', executor, action, id, attempts: n - 1, failure });
    }
    lane.ended.push({ id, response, alone: false, sent: undefined, dropped: undefined, lingerUntil: now });
}
