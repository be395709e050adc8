/** How a handler's end becomes something to write (C39, C42, C52). */

import { Item, type ActionBody, type Tag } from '../heart/item';
import type { Response } from '../heart/operation';
import { entries, fromEntries, type JsonObject } from '../json';
import { ATTEMPTS_MAX, FINISH_LINGER_MS, RETRY_DELAY_MAX_MS, RETRY_DELAY_MIN_MS } from '../limits';
import type { Failure } from '../notice';
import type { Start } from './config';
import type { Lane, Running } from './lane';
import type { Machine } from './machine';

/** The handler has done its work; a response, if any, has been checked. */
export function finished(machine: Machine, which: Start, fields: JsonObject | undefined, now: number): void {
    const { lane, running } = taken(machine, which);
    if (lane === undefined || running === undefined) return;
    end(machine, lane, running, fields && response(machine, running.item, fields, {}), now);
}

/** The handler failed: it is tried again after a growing delay, holding its place, or given up (C42). */
export function handlerFailed(machine: Machine, which: Start, failure: Failure, again: boolean, now: number): void {
    const { lane, running } = taken(machine, which);
    if (lane === undefined || running === undefined) return;
    const { executor } = lane;
    const { id, item, attempt, plain } = running;
    const action = item.action?.action ?? '';
    if (again && !running.once && attempt < ATTEMPTS_MAX) {
        const afterMs = Math.min(RETRY_DELAY_MIN_MS * 2 ** (attempt - 1), RETRY_DELAY_MAX_MS);
        machine.hooks.notice({ kind: 'ActionRetried', executor, action, id, attempt, failure, afterMs });
        if (plain) lane.removed.unshift({ id, item });
        lane.retry = { id, plain, failed: running.n, until: now + afterMs };
        return;
    }
    const answer = errorResponse(machine, item, failure);
    machine.hooks.notice({ kind: 'ActionFailed', executor, action, id, attempts: attempt, failure });
    end(machine, lane, running, answer, now);
}

/** The action is let go unfinished: it goes back to the front of its array for whoever is quick. */
export function letGo(lane: Lane, running: Running): void {
    lane.running = undefined;
    if (running.once) {
        lane.ended.push({ id: running.id, response: undefined, alone: false, sent: undefined, dropped: undefined, lingerUntil: -Infinity });
    } else if (running.plain) {
        lane.removed.unshift({ id: running.id, item: running.item });
        lane.puttingBack = true;
    } else {
        lane.givingBack = { started: { id: running.id, begun: running.n } };
    }
}

/** The action was handed over and no handler was there any more. */
export function unseen(machine: Machine, which: Start): void {
    const { lane, running } = taken(machine, which);
    if (lane !== undefined && running !== undefined) letGoUnseen(lane, running);
}

/** As `letGo`, for an action that no handler has seen: the attempt does not count, also where there is only one. */
export function letGoUnseen(lane: Lane, running: Running): void {
    const { id, item, attempt, once, plain } = running;
    lane.running = undefined;
    lane.begun.set(id, attempt - 1);
    if (plain) {
        lane.removed.unshift({ id, item });
        lane.puttingBack = true;
        return;
    }
    if (once) lane.once = item;
    lane.givingBack = { started: undefined };
}

/** The answer of a failed handler: only for a requester that knows bookkeeping (C52). */
export function errorResponse(machine: Machine, request: Item, error: Failure): Response | undefined {
    const knows = request.tag.from !== undefined && !machine.state?.document.isForeign;
    return knows ? response(machine, request, {}, { error }) : undefined;
}

/** What runs here under this name, taken from its lane: whatever ends after it was cancelled is no longer ours. */
function taken(machine: Machine, { executor, id, attempt }: Start): { lane?: Lane; running?: Running } {
    const lane = machine.lane(executor);
    const running = lane?.running;
    if (lane === undefined || running === undefined || running.id !== id || running.attempt !== attempt) return {};
    lane.running = undefined;
    return { lane, running };
}

function end(machine: Machine, lane: Lane, running: Running, answer: Response | undefined, now: number): void {
    if (!running.plain) {
        lane.ended.push({ id: running.id, response: answer, alone: false, sent: undefined, dropped: undefined, lingerUntil: now + FINISH_LINGER_MS });
    } else if (answer !== undefined) {
        // There is no claim to remove. The response is a write of its own.
        machine.submit({ op: 'Enqueue', actions: [answer] }, () => {}, now);
    }
}

/** The response, where the request asks for one and names an executor (C47, C48, C54). */
function response(machine: Machine, request: Item, fields: JsonObject, more: Pick<Tag, 'error'>): Response | undefined {
    const { action, tag } = request;
    const executor = action?.['respondTo'];
    if (action === undefined || typeof executor !== 'string') return undefined;
    if (!machine.config.executors.includes(executor)) {
        machine.hooks.notice({ kind: 'UnknownRespondTo', action: action.action });
        return undefined;
    }
    const object = fromEntries([['action', action.action], ['executor', executor], ...entries(fields)]) as ActionBody;
    const { id: re, from: to } = tag;
    const about = { id: machine.freshId(), ...(re !== undefined && { re }), ...(to !== undefined && { to }), ...more };
    return { executor, item: Item.of(object, machine.state?.document.isForeign ? {} : about) };
}
