/**
 * A thin helper over the official `twilio-sync` SDK: sessions with the action queues of sp-sync, as safe on this side as
 * on the Rust side.
 *
 * - `heart/` applies operations to a document: pure, the rule book of `src/document/` in the crate. A test applies random
 *   operations to both and compares every byte.
 * - `machine/` decides what to write and what to carry out, as `src/client/machine/` does: told the time and what happened.
 * - `driver.ts` moves data between the machine and the SDK. Every write is a conditional `document.mutate`.
 * - `tokens.ts` has the SDK's access token renewed.
 * - `check.ts` and `value.ts` check what goes into the document, from the catalogue's rules in `../catalogue.ts`.
 * - `session.ts` is what a page holds.
 *
 * What the crate has and this helper has not: `replace_sync`, `clear_actions`, `detach`, documents as types of one's own,
 * plain mode on request (it follows a document whose bookkeeping it does not know), handlers for single actions, catalogues
 * other than the generated one.
 *
 * What to know of this side:
 * - JavaScript moves keys that look like whole numbers to the front of an object, and writes `1.0` as `1`. Such keys and
 *   numbers of another writer keep their value and lose their place or form (C32).
 * - Browsers slow the timers of hidden pages down to one a minute. A page that works while it is hidden needs a `leaseMs`
 *   of three minutes or more; whoever misses it is taken over from, and is told so by `delivery.signal`.
 * - After a lost connection the SDK repeats a write only after about four seconds; what waits, waits that long.
 * - The token is the SDK's. `renewToken` says how the page gets another; what waits to be written goes on with it.
 * - A service's limit of document length and rate of writes is not told by the SDK: they are settings.
 */
export { SpSyncError, type ErrorKind } from './error';
export type { Json, JsonObject } from './json';
export type { Dropped, Failure, Notice } from './notice';
export { SpSync, type DocumentOpener, type SessionOptions } from './session';
export type { RenewToken, TokenHolder } from './tokens';
export type { ActionFor, ActionsAdded, AnyResponse, BatchEntry, Delivery, Handler, Receipt, RequestInfo } from './typed';
