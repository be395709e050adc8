import type { ActionName, ActionOf, ExecutorName, InfoArguments, InfoOf, RequestName, ResponseOf } from '../catalogue';
import type { JsonObject } from './json';

/** The event of an executor's actions (C19). */
export type ActionsAdded<E extends ExecutorName = ExecutorName> = `${E}ActionsAdded`;

/** What an executor can be told. */
export type ActionFor<E extends ExecutorName> = {
    [A in ActionName]: ActionOf[A] extends { readonly executor: E } ? ActionOf[A] : never;
}[ActionName];

/** Beside an action, never in it (C20). */
export interface Delivery {
    /** Identity of the action: the same in every attempt. */
    readonly id: string;
    /** Attempts begun, this one included. From 2 on the action may have run already, wholly or in part (C41). */
    readonly attempt: number;
    /** Aborted when somebody else has taken the action over, or the session closes: stop, what you return is not posted. */
    readonly signal: AbortSignal;
}

/** Any response that the catalogue knows, or an object of your own. */
export type AnyResponse = ResponseOf[RequestName] | JsonObject;

/** Carries out one action. An object returned is the response; throwing lets it be tried again (C42). */
export type Handler<E extends ExecutorName> = (
    action: ActionFor<E>,
    delivery: Delivery,
) => AnyResponse | void | undefined | Promise<AnyResponse | void | undefined>;

/** One member of a batch: an action's name and its fields. */
export type BatchEntry = { [A in ActionName]: [action: A, ...info: InfoArguments<A>] }[ActionName];

/** The fields of a request, where the response goes, and how long to wait for it. */
export type RequestInfo<A extends ActionName> = InfoOf[A] & {
    readonly respondTo: ExecutorName;
    /** Milliseconds; default: the reply time of the action's type (C50). */
    readonly timeoutMs?: number;
};

/** What is known of an action that was added: it is in the document, nobody may have run it yet (C28). */
export interface Receipt {
    readonly id: string;
}
