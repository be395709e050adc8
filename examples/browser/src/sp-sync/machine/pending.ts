import type { SpSyncError } from '../error';
import type { Document } from '../heart/document';
import type { Operation, Outcome } from '../heart/operation';

/** Hears what became of an operation of the application. */
export type Settle = (result: Outcome | SpSyncError) => void;

/** One operation that has been accepted and not answered. */
export interface Pending {
    operation: Operation;
    /** Milliseconds for which each of its actions may wait. They need the service's time, which is not always known yet. */
    undated: readonly (number | undefined)[] | undefined;
    /** Undefined once its caller has heard: it is still on its way. */
    settle: Settle | undefined;
    readonly deadline: number;
    /** A write that carried it and more was refused for something in it: it goes alone, to tell whether it is meant. */
    alone: boolean;
    /** Number of the first write that carried it and whose answer was lost (C29). */
    inDoubtSince: number | undefined;
    /** What it did in the write that carried it last. */
    outcome: Outcome | undefined;
    /** The failure that delays it, told if its time runs out. */
    delayedBy: SpSyncError | undefined;
}

/** One state of the document. */
export interface State {
    /** The SDK's `lastEventId`: greater means newer. */
    readonly revision: number;
    readonly document: Document;
}

/** The write on its way. */
export interface Flight {
    readonly number: number;
    /** The state it was made from. */
    readonly base: State;
    readonly sentAt: number;
    /** How many of the operations waiting, from the front, it carries. */
    readonly carried: number;
    /** What the operations derived from the document did, in order. */
    readonly derived: readonly { readonly operation: Operation; readonly outcome: Outcome }[];
}
