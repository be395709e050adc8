/**
 * What may be done to a document, as data: when a conditional write loses, the same operations are applied to the newer
 * document.
 */

import type { SpSyncError } from '../error';
import type { JsonObject } from '../json';
import type { Dropped } from '../notice';
import type { Item } from './item';
import type { Mark } from './ledger';

/** A response and where it goes: the request's `respondTo` (C49). */
export interface Response {
    readonly executor: string;
    readonly item: Item;
}

/** One change of a document. */
export type Operation =
    /** Replaces each key given, leaves the others (C12). */
    | { readonly op: 'Merge'; readonly data: JsonObject }
    /** Removes these application keys (C12). */
    | { readonly op: 'Unset'; readonly keys: readonly string[] }
    /** Appends actions, all or none, in order (C23). */
    | { readonly op: 'Enqueue'; readonly actions: readonly Response[] }
    /** Removes an action that has not been taken (C30). */
    | { readonly op: 'Withdraw'; readonly id: string }
    /** Removes one response that this client waits for, wherever it stands in the array (C51). */
    | { readonly op: 'TakeResponse'; readonly executor: string; readonly item: Item }
    /**
     * Moves a run from the front of the array to the claims (C38). In plain mode it removes it (C46). Actions without an
     * id get `fresh`, a prefix never used before, and a number. `released` are responses to other clients that have lain
     * for a lease, free for anybody (C51). It also says that this client takes what comes next.
     */
    | { readonly op: 'Claim'; readonly executor: string; readonly fresh: string; readonly released: ReadonlySet<string> }
    /**
     * Moves what was just added from the array to the claims of whoever has said that it takes what comes next; if that
     * is another than `to` now, nothing is done. The adder writes it when it has seen that client at work within a moment.
     */
    | { readonly op: 'HandOver'; readonly executor: string; readonly to: string }
    /** Says that this client no longer takes what comes next. */
    | { readonly op: 'StepBack'; readonly executor: string }
    /** Takes over claims that have not changed for a lease, or that this client kept over a restart (C40). */
    | { readonly op: 'TakeOver'; readonly executor: string; readonly mark: Mark }
    /** Shows that the holder is alive: `t` grows on its claims (C40). */
    | { readonly op: 'Renew'; readonly executor: string }
    /** Counts a further attempt of a claimed action (C42). Repeating it counts the failed attempt once. */
    | { readonly op: 'Retry'; readonly executor: string; readonly id: string; readonly failed: number }
    /** Lets an at-most-once action be started: from now on nobody can run it again (C41). */
    | { readonly op: 'StartOnce'; readonly executor: string; readonly id: string }
    /** Removes a claim and appends the response, if any (C39). Nothing when the claim is not this client's. */
    | { readonly op: 'Finish'; readonly executor: string; readonly id: string; readonly response?: Response }
    /**
     * Returns this client's claims to the front of the array, in order (C44). `started` is the action whose handler had
     * been started, and how many attempts of it have begun; `unseen` an at-most-once action whose start was recorded and
     * that nobody has seen.
     */
    | { readonly op: 'GiveBack'; readonly executor: string; readonly started?: { readonly id: string; readonly begun: number }; readonly unseen?: Item }
    /** In plain mode: returns actions that were taken and not started to the front of the array (C44, C46). */
    | { readonly op: 'PutBack'; readonly executor: string; readonly items: readonly Item[] };

/** What an operation did. */
export type Outcome =
    | { readonly is: 'Done' }
    /** There was nothing to do: the document already was as asked, or what was named is not there (any more). */
    | { readonly is: 'Nothing' }
    /** A run was taken. */
    | { readonly is: 'Taken'; readonly taken: Taken }
    /** Somebody else holds claims of this executor (C38). */
    | { readonly is: 'HeldByAnother' }
    /** The claim was removed; the response could not be appended. */
    | { readonly is: 'ResponseDropped'; readonly why: Dropped }
    /** At-most-once actions whose holder fell silent after starting them: they may or may not have run, and are gone. */
    | { readonly is: 'TakenOver'; readonly lost: readonly string[] }
    /** It was refused; the document is as before. */
    | { readonly is: 'Refused'; readonly error: SpSyncError };

/** What `Claim` took out of the array. */
export interface Taken {
    /** Actions, in order. With bookkeeping they are now claims; in plain mode they exist only here. */
    readonly items: readonly Item[];
    /** Elements that are no actions, removed (C45). */
    readonly malformed: readonly Item[];
    /** Copies of actions that are claimed already, removed (C61). */
    readonly duplicates: readonly Item[];
}

/** Who writes, for the bookkeeping. */
export interface Writer {
    /** `<identity>#<instance>`. */
    readonly by: string;
    /** The instance alone. */
    readonly instance: string;
    /** Number of this write; grows by one with every attempt to write. */
    readonly number: number;
}

/** Bounds that operations keep. */
export interface Rules {
    /** Bytes of compact JSON (C55). */
    readonly documentBytesMax: number;
    /** Bytes kept free while actions wait or run. */
    readonly reserveBytes: number;
    /** Actions waiting per executor (C56). */
    readonly waitingMax: number;
    /** Actions taken by one write (C38). */
    readonly runMax: number;
}

/** What the application called it, for errors. */
export function verbOf({ op }: Operation): string {
    switch (op) {
        case 'Merge': return 'setSync';
        case 'Unset': return 'unset';
        case 'Enqueue': return 'addActions';
        case 'Withdraw': return 'withdraw';
        default: return 'bookkeeping';
    }
}
