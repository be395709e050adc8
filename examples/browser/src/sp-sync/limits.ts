/**
 * Every bound of this helper, with its unit (C58): those of `src/limits.rs`, where the reasons stand. A bound that is a
 * setting is only the default here.
 */

/** Characters of a document id or an identity (C3). */
export const NAME_CHARS_MAX = 256;

/** Bytes of compact UTF-8 JSON of one document (C55). */
export const DOCUMENT_BYTES_MAX = 16_384;

/** Bytes of a document kept free for bookkeeping while actions wait or run. */
export const BOOKKEEPING_RESERVE_BYTES = 512;

/** Levels of arrays and objects in one action or one application value. */
export const NESTING_MAX = 100;

/** Actions that may wait for one executor (C56). */
export const WAITING_MAX = 64;

/** Actions moved from the array to the claims by one write (C38). */
export const RUN_MAX = 32;

/** Writers remembered in the document (`_sp.w`). */
export const WRITERS_MAX = 16;

/** Characters of an action's id that are believed. */
export const ACTION_ID_CHARS_MAX = 36;

/** Ids of finished actions that a client remembers (C61). */
export const FINISHED_REMEMBERED = 256;

/** Milliseconds for which an unchanged claim is respected (C40). A setting. */
export const LEASE_MS = 30_000;

/** A claim is renewed after this fraction of the lease, so that two renewals may be lost. */
export const RENEWALS_PER_LEASE = 3;

/**
 * A client that said it takes what comes next is believed to be at work for this fraction of the lease after its latest
 * write was seen.
 */
export const TAKER_TRUSTS_PER_LEASE = 15;

/** After so many leases a response that nobody reads is removed by whoever writes next. */
export const UNREAD_LEASES = 10;

/** The same for the requester itself, which knows that it no longer waits. */
export const UNREAD_LEASES_OWN = 2;

/** Unread responses removed by one write; more go with the next. */
export const UNREAD_PER_WRITE = 64;

/** Attempts of one action in all (C42). */
export const ATTEMPTS_MAX = 5;

/** Milliseconds before the second attempt; doubled for each further one (C42). */
export const RETRY_DELAY_MIN_MS = 200;

/** The longest wait between two attempts, in milliseconds (C42). */
export const RETRY_DELAY_MAX_MS = 10_000;

/** Milliseconds that the end of a quick action may wait for the next one's, so that a run of them is one write. */
export const FINISH_LINGER_MS = 5;

/** Operations that may wait in one client; a further call is refused. */
export const OPERATIONS_WAITING_MAX = 4_096;

/** Requests that may wait for a response in one client; a further call is refused. */
export const REQUESTS_WAITING_MAX = 1_024;

/** Milliseconds of the first wait after a failed write; doubled up to `BACKOFF_MAX_MS`, each ± 20 %. */
export const BACKOFF_MIN_MS = 50;

/** The longest wait after a failed write, in milliseconds. */
export const BACKOFF_MAX_MS = 30_000;

/** Milliseconds of the first wait after a token could not be had; doubled up to `BACKOFF_MAX_MS`, each ± 20 %. */
export const TOKEN_BACKOFF_MIN_MS = 1_000;

/** Milliseconds that the page may take to give another token. */
export const TOKEN_WITHIN_MS = 30_000;

/** Milliseconds that closing waits for pending writes. */
export const CLOSE_WITHIN_MS = 10_000;

/** Milliseconds that one write may take, retries included, before its caller hears of a failure. */
export const WRITE_WITHIN_MS = 60_000;

/** Milliseconds that a request that was given up waits to hear whether it was withdrawn. */
export const WITHDRAWAL_AWAITED_MS = 5_000;
