/**
 * A thin helper over the official `twilio-sync` SDK: the action queues of sp-sync, as safe as on the Rust side.
 */
export { SpSyncError, type ErrorKind } from './error';
export type { Json, JsonObject } from './json';
export type { Notice } from './notice';
export { SpSync, type DocumentOpener, type SessionOptions } from './session';
export type { ActionFor, ActionsAdded, AnyResponse, BatchEntry, Delivery, Handler, Receipt, RequestInfo } from './typed';
