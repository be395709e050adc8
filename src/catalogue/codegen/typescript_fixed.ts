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

/** Type and limits of a value. All limits are inclusive. */
export interface ValueRule {
    readonly type: "string" | "bool" | "int" | "number" | "url" | "timestamp" | "enum" | "array" | "object";
    /** Least and greatest number. */
    readonly min?: number;
    readonly max?: number;
    /** Most characters, or items of an array. */
    readonly maxLen?: number;
    /** The texts of an enum. */
    readonly values?: readonly string[];
    /** What an array holds. */
    readonly items?: ValueRule;
}

/** One field of an action or of a response. */
export interface FieldRule extends ValueRule {
    readonly name: string;
    /** It must be given. */
    readonly required?: true;
    /** What the sender writes when the caller gives nothing. */
    readonly default?: unknown;
    /** Its value is kept out of logs, traces, errors and consoles. */
    readonly sensitive?: true;
}

/** What is known of one action at run time. */
export interface ActionRule {
    readonly executor: ExecutorName;
    /** It leaves the document before it is run. Otherwise it is run until its end is recorded, after a crash once more. */
    readonly atMostOnce?: true;
    /** It is removed without running when it has waited so long. */
    readonly expiresMs?: number;
    /** How long a requester waits for the response by default. */
    readonly replyWithinMs: number;
    /** Fields that are not named here are allowed. */
    readonly extraFields?: true;
    readonly fields: readonly FieldRule[];
    /** What it answers; absent: it does not answer. */
    readonly response?: readonly FieldRule[];
}
