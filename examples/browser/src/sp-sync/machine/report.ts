/** What operations that were derived from the document did, beyond what the next document shows. */

import type { Operation, Outcome, Taken } from '../heart/operation';
import type { Ended } from './lane';
import type { Machine } from './machine';

export function report(machine: Machine, operation: Operation, outcome: Outcome, now: number): void {
    if (outcome.is === 'Nothing' || outcome.is === 'Refused') {
        // A claim that vanished needs no renewal either.
        if (operation.op === 'Renew') renewed(machine, operation.executor, now);
        return;
    }
    switch (operation.op) {
        case 'Claim':
            if (outcome.is === 'Taken') reportTaken(machine, operation.executor, outcome.taken);
            break;
        case 'Finish': {
            const ended = machine.lane(operation.executor)?.recorded(operation.id);
            if (ended !== undefined) tellDropped(machine, ended);
            break;
        }
        case 'TakeOver': {
            const lane = machine.lane(operation.executor);
            if (lane !== undefined) lane.resuming = false;
            tellLost(machine, operation.executor, outcome);
            break;
        }
        case 'GiveBack': {
            const lane = machine.lane(operation.executor);
            if (lane !== undefined) {
                lane.givingBack = undefined;
                lane.once = undefined;
            }
            tellLost(machine, operation.executor, outcome);
            break;
        }
        case 'TakeResponse':
            machine.requests.took(operation.executor, operation.item, machine.config.by);
            break;
        case 'Renew':
            renewed(machine, operation.executor, now);
            break;
        case 'PutBack':
            machine.lane(operation.executor)?.putBack(operation.items.length);
            break;
        default:
    }
}

/** Tells of a response that could not be appended. */
export function tellDropped({ hooks }: Machine, { response, dropped }: Ended): void {
    if (response === undefined || dropped === undefined) return;
    const action = response.item.action?.action ?? '';
    hooks.notice({ kind: 'ResponseDropped', executor: response.executor, action, why: dropped });
}

function renewed(machine: Machine, executor: string, now: number): void {
    const lane = machine.lane(executor);
    if (lane !== undefined) lane.renewAt = now + machine.renewEveryMs;
}

function tellLost(machine: Machine, executor: string, outcome: Outcome): void {
    if (outcome.is === 'TakenOver' && outcome.lost.length > 0) {
        machine.hooks.notice({ kind: 'StartedOnceAndLost', executor, ids: outcome.lost });
    }
}

function reportTaken(machine: Machine, executor: string, taken: Taken): void {
    for (const { malformedType } of taken.malformed) {
        machine.hooks.notice({ kind: 'MalformedAction', executor, found: malformedType });
    }
    for (const { id } of taken.duplicates) {
        if (id !== undefined) machine.hooks.notice({ kind: 'DuplicateRemoved', executor, id });
    }
    if (machine.state?.document.isForeign) {
        const removed = taken.items.map((item) => ({ id: item.id ?? machine.freshId(), item }));
        machine.lane(executor)?.removed.push(...removed);
    }
}
