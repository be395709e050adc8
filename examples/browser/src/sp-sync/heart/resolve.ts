/** What became of a write whose answer was lost (C29). */

import type { Document } from './document';
import { isForgotten, type WriterEntry } from './ledger';
import type { Operation } from './operation';

/** `Unknown`: neither the writers nor the actions tell. */
export type Verdict = 'Held' | 'NotHeld' | 'Unknown';

/**
 * Looks a lost write up in a later document: by what the operation left there, then by the writer's number.
 *
 * `base` is the document the write was made from, `number` the writer's number of the first write that carried the
 * operation. The later document must have another revision than `base`: while it has the same, the write may still be on
 * its way. The caller then repeats the operation in every write it makes until the revision has changed: of all writes
 * made from one revision at most one holds, so whichever it was, it carried the operation.
 */
export function resolve(base: Document, later: Document, instance: string, number: number, operation: Operation): Verdict {
    if (shows(later, operation)) return 'Held';
    const writers = later.ledger?.writers ?? [];
    const last = later.ledger?.lastWrite(instance);
    if (last !== undefined) return last >= number ? 'Held' : 'NotHeld';
    // The oldest writers are forgotten first: one from before our write that is still there proves that ours never was.
    // So does a list from which none was ever forgotten, if it goes on from the one our write would have gone on from.
    const before = base.ledger?.writers ?? [];
    const known = ([writer]: WriterEntry) => writers.some(([other]) => other === writer);
    // With nobody to go on from, a list that a stranger has wiped meanwhile would look the same.
    const goesOn = before.length > 0 && before.every(known);
    const complete = (later.ledger?.knowsEveryWriter ?? false) && !base.isForeign;
    const untouched = ([writer, at]: WriterEntry) => writers.some(([other, now]) => other === writer && now === at);
    const proof = before.some((entry) => !isForgotten(entry) && untouched(entry));
    return proof || (complete && goesOn) ? 'NotHeld' : 'Unknown';
}

/** Whether the document holds what the operation would have left. */
function shows(document: Document, operation: Operation): boolean {
    if (operation.op !== 'Enqueue') return false;
    return operation.actions.some(({ executor, item: { id } }) =>
        id !== undefined
        && (document.waiting(executor).some((item) => item.id === id)
            || document.claims(executor).some((claim) => claim.id === id)));
}
