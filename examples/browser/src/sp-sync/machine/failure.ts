/** What a failed write of the official SDK means. */

import { SpSyncError } from '../error';

/**
 * `Lost`: it may have held. `Later`: it did not hold, and may when it is tried again. `Unfit`: it did not hold
 * because of something in it. `Never`: it did not hold, whatever was in it. `Removed`: there is no document any more.
 */
export interface Failed {
    readonly means: 'Lost' | 'Later' | 'Unfit' | 'Never' | 'Removed';
    /** What a caller hears. */
    readonly error: SpSyncError;
    /** Not worth a notice: it is waited out (C57). */
    readonly quiet: boolean;
}

export function understand(thrown: unknown): Failed {
    const { status, code, message } = parts(thrown);
    const of = (means: Failed['means'], kind: ConstructorParameters<typeof SpSyncError>[0], quiet = false): Failed =>
        ({ means, error: new SpSyncError(kind, message, { status, code }), quiet });
    // Codes are those of contract section 3.
    if (code === 54006 || status === 413) return of('Unfit', 'TooLarge');
    if (code === 54009 || status === 429) return of('Later', 'WriteFailed', true);
    if (status === 404) return of('Removed', 'Removed');
    if (status === 400) return of('Unfit', 'Refused');
    // A token that has expired is renewed by the application, and what waits goes on with it.
    if (status === 401) return of('Later', 'WriteFailed');
    if (status >= 400 && status < 500) return of('Never', 'Refused');
    return of('Lost', 'WriteFailed');
}

function parts(thrown: unknown): { status: number; code: number; message: string } {
    const { status, code, message } = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as Record<string, unknown>;
    const number = (value: unknown) => (typeof value === 'number' ? value : 0);
    return { status: number(status), code: number(code), message: typeof message === 'string' ? message : String(thrown) };
}
