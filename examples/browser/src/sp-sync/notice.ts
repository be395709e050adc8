/**
 * What an application may want to know although no call of its own reports it. Kinds are those of the Rust client, and
 * `TokenAboutToExpire`, of which there the backend's token provider hears. No notice carries a value of an action's field: it may be a sensitive one (C64).
 */
export type Notice =
    /** An action was given up: its handler failed as often as it may (C42). The next one starts. */
    | (OfAction & { readonly kind: 'ActionFailed'; readonly attempts: number; readonly failure: Failure })
    /** A handler failed; the action will be tried again (C42). */
    | (OfAction & { readonly kind: 'ActionRetried'; readonly attempt: number; readonly failure: Failure; readonly afterMs: number })
    /** An action was removed without running because its time was over (C43). */
    | (OfAction & { readonly kind: 'ActionExpired' })
    /** An element that is no action was removed (C45). */
    | { readonly kind: 'MalformedAction'; readonly executor: string; readonly found: string }
    /** An action that was finished or taken already had reappeared and was removed without running (C61). */
    | { readonly kind: 'DuplicateRemoved'; readonly executor: string; readonly id: string }
    /** An executor's array holds something else; it is left as it is (C14). */
    | { readonly kind: 'CorruptArray'; readonly executor: string; readonly found: string }
    /** The document is too full for even one waiting action to be taken (C55). */
    | { readonly kind: 'NoRoom'; readonly executor: string; readonly sizeBytes: number; readonly limitBytes: number }
    /** A response could not be appended: nobody reads it, or it does not fit. */
    | { readonly kind: 'ResponseDropped'; readonly executor: string; readonly action: string; readonly why: Dropped }
    /** A request asked for its response at something that is no executor; the response is dropped (C54). */
    | { readonly kind: 'UnknownRespondTo'; readonly action: string }
    /** Another client took over a claim of this one; its handler is cancelled (C40). */
    | { readonly kind: 'ClaimLost'; readonly executor: string; readonly id: string }
    /** At-most-once actions whose holder fell silent after starting them: they may or may not have run (C41). */
    | { readonly kind: 'StartedOnceAndLost'; readonly executor: string; readonly ids: readonly string[] }
    /** The service cannot be written to; the client keeps trying. */
    | { readonly kind: 'BackendFailing'; readonly message: string }
    /** The service can be written to again. */
    | { readonly kind: 'BackendWorking' }
    /**
     * The access token is about to expire, and no other is on its way: there is no `renewToken`, or it failed, as the
     * message says, and is called again.
     */
    | { readonly kind: 'TokenAboutToExpire'; readonly message?: string }
    /** The access token has expired and no other could be had: what is written waits until there is one (C8). */
    | { readonly kind: 'TokenExpired'; readonly message?: string }
    /** The document was removed. Nothing more comes. */
    | { readonly kind: 'Removed' };

interface OfAction {
    readonly executor: string;
    readonly action: string;
    readonly id: string;
}

/** Why a handler failed, as it travels in a response (C52). */
export interface Failure {
    /** A short stable word for programs. */
    readonly code: string;
    /** A sentence for people. */
    readonly message: string;
}

/** Why a response was left out. `Refused`: the service did not take a document with it. */
export type Dropped = 'Full' | 'CorruptArray' | 'TooLarge' | 'Refused';
