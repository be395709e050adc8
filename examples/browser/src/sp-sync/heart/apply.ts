/**
 * Applies operations to a document: pure, without clock, chance or SDK. The rules are those of `src/document/` in the
 * crate, and a test applies random operations to both and compares.
 */

import { SpSyncError } from '../error';
import { byteLength, entries, isDeeperThan, jsonLength, type JsonObject } from '../json';
import { NESTING_MAX } from '../limits';
import { claim, finish, giveBack, handOver, putBack, renew, retry, startOnce, stepBack, takeOver } from './claims';
import { isReserved, type Document } from './document';
import { BOOKKEEPING_KEY } from './item';
import type { Operation, Outcome, Response, Rules, Writer } from './operation';
import { Step } from './step';

/** The result of `apply`. */
export interface Applied {
    /** The next document, or `undefined` when nothing changed and nothing needs to be written. */
    readonly document: Document | undefined;
    /** What became of each operation. */
    readonly outcomes: readonly Outcome[];
}

/** Applies operations, in order, each on its own: one that is refused changes nothing and does not stop the others. */
export function apply(document: Document, writer: Writer, rules: Rules, operations: readonly Operation[]): Applied {
    const allowedBytes = Math.max(rules.documentBytesMax, document.bytes);
    const step = new Step(document.clone(), writer, rules, allowedBytes);
    // Stamped first, so that every size below is the size that will be written.
    if (!step.isPlain) step.document.ledgerMade.stamp(writer.instance, writer.number);
    const outcomes = operations.map((operation) => attempt(step, operation));
    if (step.changed && !step.isPlain) tidy(step);
    return { document: step.changed ? step.document : undefined, outcomes };
}

function attempt(step: Step, operation: Operation): Outcome {
    const before = step.document.clone();
    try {
        return run(step, operation);
    } catch (error) {
        if (!(error instanceof SpSyncError)) throw error;
        step.document = before;
        return { is: 'Refused', error };
    }
}

function run(step: Step, operation: Operation): Outcome {
    switch (operation.op) {
        case 'Merge': return merge(step, operation.data);
        case 'Unset': return unset(step, operation.keys);
        case 'Enqueue': return enqueue(step, operation.actions);
        case 'Withdraw': return withdraw(step, operation.id);
        case 'TakeResponse': return takeResponse(step, operation);
        case 'Claim': return claim(step, operation);
        case 'HandOver': return handOver(step, operation.executor, operation.to);
        case 'StepBack': return stepBack(step, operation.executor);
        case 'TakeOver': return takeOver(step, operation.executor, operation.mark);
        case 'Renew': return renew(step, operation.executor);
        case 'Retry': return retry(step, operation);
        case 'StartOnce': return startOnce(step, operation.executor, operation.id);
        case 'Finish': return finish(step, operation);
        case 'GiveBack': return giveBack(step, operation);
        case 'PutBack': return putBack(step, operation.executor, operation.items);
    }
}

/** Removes what has become empty, and forgets writers where there is no room for them. */
function tidy({ document, allowedBytes }: Step): void {
    const ledger = document.ledgerMade;
    ledger.tidy();
    while (document.bytes > allowedBytes && ledger.forgetSomething()) { /* until it fits */ }
}

function done(step: Step): Outcome {
    step.changed = true;
    return { is: 'Done' };
}

function merge(step: Step, data: JsonObject): Outcome {
    const given = entries(data);
    refuseReserved('setSync', given.map(([key]) => key));
    refuseDeep('setSync', given.map(([, value]) => value));
    const entryBytes = (key: string, value: Parameters<typeof jsonLength>[0]) => jsonLength(key) + 1 + jsonLength(value);
    const growth = given.reduce((sum, [key, value]) => {
        const before = step.document.field(key);
        return sum + entryBytes(key, value) - (before === undefined ? -1 : entryBytes(key, before));
    }, 0);
    // Written even when nothing differs: the document seen here may be old, the writer's word must be the last.
    step.checkRoom(growth, false);
    for (const [key, value] of given) step.document.setField(key, value);
    return done(step);
}

function unset(step: Step, keys: readonly string[]): Outcome {
    refuseReserved('unset', keys);
    for (const key of keys) step.document.removeField(key);
    return done(step);
}

function enqueue(step: Step, actions: readonly Response[]): Outcome {
    let growth = 0;
    actions.forEach(({ executor, item }, place) => {
        const earlier = actions.slice(0, place).filter((other) => other.executor === executor).length;
        const waiting = step.document.waiting(executor).length + earlier;
        step.checkArray(executor, waiting);
        if (item.isTooDeep) throw tooDeep('addActions');
        const newArray = earlier === 0 && !step.document.hasArray(executor);
        growth += item.bytes + (waiting > 0 ? 1 : 0) + (newArray ? byteLength(executor) + ',"Actions":[]'.length : 0);
    });
    step.checkRoom(growth, true);
    for (const { executor, item } of actions) {
        // The document may have turned to another bookkeeping since its tag was made.
        const added = step.isPlain ? item.withTag({}) : item;
        step.document.setWaiting(executor, [...step.document.waiting(executor), added]);
    }
    return actions.length === 0 ? { is: 'Nothing' } : done(step);
}

function withdraw(step: Step, id: string): Outcome {
    const { document } = step;
    const executor = document.executors.find((name) => document.waiting(name).some((item) => item.id === id));
    if (executor === undefined) return { is: 'Nothing' };
    const items = document.waiting(executor);
    document.setWaiting(executor, items.toSpliced(items.findIndex((item) => item.id === id), 1));
    return done(step);
}

function takeResponse(step: Step, { executor, item }: Response): Outcome {
    const items = step.document.waiting(executor);
    const place = items.findIndex((other) => other.isSame(item));
    if (place < 0) return { is: 'Nothing' };
    step.checkIsArray(executor);
    step.document.setWaiting(executor, items.toSpliced(place, 1));
    return done(step);
}

/** Refuses keys that belong to the protocol (C6, C13). */
export function refuseReserved(what: string, keys: readonly string[]): void {
    const key = keys.find(isReserved);
    if (key === undefined) return;
    const instead = key === BOOKKEEPING_KEY
        ? 'it is the bookkeeping of this protocol'
        : 'keys that end in `Actions` hold what executors are to do: addAction adds to them';
    throw new SpSyncError('Reserved', `${what} may not contain \`${key}\`: ${instead}`, { key });
}

/** Refuses what no reader could read back: one such value would make the whole document unreadable for everybody. */
export function refuseDeep(what: string, values: readonly Parameters<typeof isDeeperThan>[0][]): void {
    if (values.some((value) => isDeeperThan(value, NESTING_MAX))) throw tooDeep(what);
}

function tooDeep(what: string): SpSyncError {
    return new SpSyncError('Invalid', `${what}: it has more than ${NESTING_MAX} levels of arrays and objects`);
}
