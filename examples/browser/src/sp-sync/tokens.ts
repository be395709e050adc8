/** Access tokens of the official SDK's client: renewed where the page says how, told of where it does not (C7, C8). */

import { BACKOFF_MAX_MS, TOKEN_BACKOFF_MIN_MS, TOKEN_WITHIN_MS } from './limits';
import type { Notice } from './notice';

/** What is needed of the official SDK's `SyncClient` to hear of its token. A client without it is not asked. */
export interface TokenHolder {
    on?(event: TokenEvent, listener: () => void): unknown;
    removeListener?(event: TokenEvent, listener: () => void): unknown;
    updateToken?(token: string): unknown;
}

/** The first comes some minutes before the end, the second with it. */
type TokenEvent = 'tokenAboutToExpire' | 'tokenExpired';

/** Gives another token, or throws if there is none now. */
export type RenewToken = () => string | Promise<string>;

/** Listens until it is closed. */
export class Tokens {
    private isRenewing = false;
    private hasExpired = false;
    private closed = false;
    private failures = 0;
    private timer: ReturnType<typeof setTimeout> | undefined;

    constructor(
        private readonly client: TokenHolder,
        private readonly renew: RenewToken | undefined,
        private readonly notice: (notice: Notice) => void,
    ) {
        client.on?.('tokenAboutToExpire', this.ends);
        client.on?.('tokenExpired', this.expired);
    }

    close(): void {
        this.closed = true;
        clearTimeout(this.timer);
        this.client.removeListener?.('tokenAboutToExpire', this.ends);
        this.client.removeListener?.('tokenExpired', this.expired);
    }

    private readonly ends = (): void => {
        if (this.renew === undefined) this.notice({ kind: 'TokenAboutToExpire' });
        else void this.tryToRenew(this.renew);
    };

    private readonly expired = (): void => {
        this.hasExpired = true;
        if (this.renew === undefined) this.notice({ kind: 'TokenExpired' });
        else void this.tryToRenew(this.renew);
    };

    /** Asks until there is one: what waits in the session goes on with it. */
    private async tryToRenew(renew: RenewToken): Promise<void> {
        if (this.isRenewing || this.closed) return;
        this.isRenewing = true;
        clearTimeout(this.timer);
        try {
            await this.client.updateToken?.(await inTime(renew));
            this.failures = 0;
            this.hasExpired = false;
        } catch (error) {
            if (this.closed) return;
            // The first failure is told, and the first after the token has ended: then it is felt.
            if (this.failures === 0 || this.hasExpired) {
                const message = error instanceof Error ? error.message : String(error);
                this.notice({ kind: this.hasExpired ? 'TokenExpired' : 'TokenAboutToExpire', message });
            }
            this.hasExpired = false;
            const wait = Math.min(TOKEN_BACKOFF_MIN_MS * 2 ** this.failures, BACKOFF_MAX_MS);
            this.failures += 1;
            this.timer = setTimeout(() => void this.tryToRenew(renew), wait * (0.8 + 0.4 * Math.random()));
        } finally {
            this.isRenewing = false;
        }
    }
}

/** A page that never answers must not keep the session from asking again. */
async function inTime(renew: RenewToken): Promise<string> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
        const error = new Error(`renewToken gave none within ${TOKEN_WITHIN_MS} ms`);
        timer = setTimeout(() => reject(error), TOKEN_WITHIN_MS);
    });
    try {
        return await Promise.race([renew(), late]);
    } finally {
        clearTimeout(timer);
    }
}
