/** What may stand in the info of every action. */
export interface ActionOptions {
    /** The executor whose array takes the response. */
    readonly respondTo?: ExecutorName;
}

/** Name of any action. */
export type ActionName = keyof InfoOf;

/** Name of an action that answers. */
export type RequestName = keyof ResponseOf;

/** An action by its name, or by its entry in `ActionTypes`. */
export type Named<A extends ActionName> = A | { readonly action: A };

/** Any action as it lies in the document. */
export type ActionObject = ActionOf[ActionName];

/** The arguments behind an action's name: `info` may be left out when nothing in it is mandatory. */
export type InfoArguments<A extends ActionName> = Record<never, never> extends InfoOf[A]
    ? [info?: InfoOf[A]]
    : [info: InfoOf[A]];

/** What a client that checks its calls offers. Any client can be given this type: it adds nothing at run time. */
export interface SyncActions {
    /** Adds one action. */
    addAction<A extends ActionName>(action: Named<A>, ...info: InfoArguments<A>): Promise<void>;
    /** Adds one action and waits for its response. */
    request<A extends RequestName & ActionName>(action: Named<A>, ...info: InfoArguments<A>): Promise<ResponseOf[A]>;
}
