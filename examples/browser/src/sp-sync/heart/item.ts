/** One element of an executor's array: an action, a response, or something that is neither. */

import { entries, fromEntries, isCount, isDeeperThan, isObject, jsonLength, jsonType, own, sameJson, type Json, type JsonObject } from '../json';
import { ACTION_ID_CHARS_MAX, NESTING_MAX } from '../limits';
import type { Failure } from '../notice';

/** The one reserved key, at the top of the document and inside actions (contract 1.4). */
export const BOOKKEEPING_KEY = '_sp';

const U32_MAX = 0xffff_ffff;

/** The bookkeeping of one action: its `_sp`. Keys not known here are kept in `rest`. */
export interface Tag {
    /** Identity of the action. */
    readonly id?: string;
    /** `<identity>#<instance>` of a client that waits for the response. */
    readonly from?: string;
    /** On a response: the request's id. */
    readonly re?: string;
    /** On a response: the request's `from`. */
    readonly to?: string;
    /** On a response: why the handler failed (C52). */
    readonly error?: Failure;
    /** Backend time in Unix milliseconds after which it must no longer start (C43). */
    readonly exp?: number;
    /** Attempts already begun, on an action that was given back. Absent means none. */
    readonly n?: number;
    /** Keys of a newer peer, kept as they are. */
    readonly rest?: readonly (readonly [string, Json])[];
}

/** An action or response: an object with a string `action`. */
export type ActionBody = JsonObject & { readonly action: string };

/** An element, with its bookkeeping taken apart. Never changed: another one takes its place. */
export class Item {
    private constructor(
        /** Without bookkeeping; `undefined` when the element is malformed (C45). */
        readonly action: ActionBody | undefined,
        private readonly malformed: Json,
        readonly tag: Tag,
    ) {}

    /** An action made by this client. */
    static of(action: ActionBody, tag: Tag): Item {
        return new Item(action, null, tag);
    }

    /** An element as it was read. */
    static read(value: Json): Item {
        // Taken, it would lie deeper, and nobody could read the document any more.
        if (isDeeperThan(value, NESTING_MAX) || !isObject(value) || typeof own(value, 'action') !== 'string') {
            return new Item(undefined, value, {});
        }
        const sp = own(value, BOOKKEEPING_KEY);
        const rest = entries(value).filter(([key]) => key !== BOOKKEEPING_KEY);
        return new Item(fromEntries(rest) as ActionBody, null, sp === undefined ? {} : readTag(sp));
    }

    get id(): string | undefined {
        return this.tag.id;
    }

    /** The JSON type of a malformed element, for messages. */
    get malformedType(): string {
        return jsonType(this.malformed);
    }

    /**
     * Whether it is a response meant for a certain client, which holds up nothing behind it (C51). One without an id
     * could never be released to others, so it is for anybody.
     */
    get isAddressed(): boolean {
        return this.tag.to !== undefined && this.tag.id !== undefined;
    }

    /** The same action with other bookkeeping. */
    withTag(tag: Tag): Item {
        return new Item(this.action, this.malformed, tag);
    }

    /** The same action as one that has begun so often. */
    withBegun(begun: number): Item {
        const { n: _, ...tag } = this.tag;
        return this.withTag(begun === 0 ? tag : { ...tag, n: begun });
    }

    /** Whether both are the same action: by id where there is one, otherwise by content. */
    isSame(other: Item): boolean {
        if (this.id !== undefined || other.id !== undefined) return this.id === other.id;
        return (this.action === undefined) === (other.action === undefined) && sameJson(this.publicValue, other.publicValue);
    }

    /** Whether it is nested so deeply that it would be no action when it is read. */
    get isTooDeep(): boolean {
        const values = entries(this.action ?? {}).map(([, value]) => value);
        return [...values, ...(this.tag.rest ?? []).map(([, value]) => value)]
            .some((value) => isDeeperThan(value, NESTING_MAX - 2));
    }

    /** The element without bookkeeping, as a reader of the original sees it. */
    get publicValue(): Json {
        return this.action ?? this.malformed;
    }

    /** The element as it is written. */
    toJson(): Json {
        const tag = writtenTag(this.tag);
        if (this.action === undefined || tag.length === 0) return this.publicValue;
        return fromEntries([...entries(this.action), [BOOKKEEPING_KEY, fromEntries(tag)]]);
    }

    /** Bytes as compact JSON, bookkeeping included. */
    get bytes(): number {
        return jsonLength(this.toJson());
    }
}

/** Whether a value has the form of an action's id. */
export function isId(value: unknown): value is string {
    return typeof value === 'string' && value !== '' && [...value].length <= ACTION_ID_CHARS_MAX;
}

/**
 * Reads a tag leniently (C60). A known key without the form it should have is dropped: kept, it would stand beside the
 * right one as soon as that is written.
 */
function readTag(value: Json): Tag {
    if (!isObject(value)) return {};
    const tag: { -readonly [K in keyof Tag]: Tag[K] } = {};
    const rest: [string, Json][] = [];
    for (const [key, inner] of entries(value)) {
        switch (key) {
            case 'id':
            case 're':
                if (isId(inner)) tag[key] = inner;
                break;
            case 'from':
            case 'to':
                if (typeof inner === 'string') tag[key] = inner;
                break;
            case 'error': {
                const failure = readFailure(inner);
                if (failure !== undefined) tag.error = failure;
                break;
            }
            case 'exp':
                if (isCount(inner)) tag.exp = inner;
                break;
            case 'n':
                if (isCount(inner, U32_MAX)) tag.n = inner;
                break;
            default:
                rest.push([key, inner]);
        }
    }
    if (rest.length > 0) tag.rest = rest;
    return tag;
}

function readFailure(value: Json): Failure | undefined {
    if (!isObject(value)) return undefined;
    const code = own(value, 'code');
    const message = own(value, 'message');
    return typeof code === 'string' && typeof message === 'string' ? { code, message } : undefined;
}

/** What of a tag is written, in the order in which it is. */
function writtenTag({ id, from, re, to, error, exp, n, rest }: Tag): [string, Json][] {
    const failure = error && { code: error.code, message: error.message };
    const known = { id, from, re, to, error: failure, exp, n };
    return [...entries(known), ...(rest ?? []).map(([key, value]): [string, Json] => [key, value])];
}
