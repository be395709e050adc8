/** Kinds of failure that a caller may want to tell apart: those of contract section 3, and those of this client's life. */
export type ErrorKind =
    | 'Closed' | 'CorruptArray' | 'Failed' | 'Full' | 'Invalid' | 'MaybeApplied' | 'MissingField' | 'NotAnObject'
    | 'OutOfRange' | 'Refused' | 'Removed' | 'Reserved' | 'Timeout' | 'TooLarge' | 'UnknownAction'
    | 'UnknownExecutor' | 'UnknownField' | 'WriteFailed' | 'WrongType';

/** Why a call failed. Its message names actions and fields, never their values (C64). */
export class SpSyncError extends Error {
    override readonly name = 'SpSyncError';

    constructor(readonly kind: ErrorKind, message: string, readonly detail: Readonly<Record<string, unknown>> = {}) {
        super(message);
    }
}
