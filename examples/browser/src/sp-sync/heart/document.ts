/** One shared document: application fields, executors' arrays, and the bookkeeping. */

import { entries, fromEntries, jsonLength, jsonType, type Json, type JsonObject } from '../json';
import { BOOKKEEPING_KEY, Item } from './item';
import { Ledger, type Claim } from './ledger';

/** The ending that makes a top-level key an executor's array (C19). */
const ARRAY_SUFFIX = 'Actions';

/** The key of an executor's array (C19). */
export function arrayKey(executor: string): string {
    return executor + ARRAY_SUFFIX;
}

/** The executor whose array this key would be. */
function executorOf(key: string): string | undefined {
    return key.endsWith(ARRAY_SUFFIX) && key !== ARRAY_SUFFIX ? key.slice(0, -ARRAY_SUFFIX.length) : undefined;
}

/** Whether application code may not write this key (C13). */
export function isReserved(key: string): boolean {
    return key === BOOKKEEPING_KEY || executorOf(key) !== undefined;
}

export class Document {
    private constructor(
        /** Application keys in their order. An array's key stands here too, with `null`, to keep its place. */
        private readonly map: Map<string, Json>,
        private readonly queues: Map<string, readonly Item[]>,
        private own: Ledger | undefined,
        /** Bookkeeping of an unknown version: plain mode for this document, the value is kept as it is (C60). */
        private readonly foreign: Json | undefined,
    ) {}

    /** Takes apart an object that anybody may have written. Never fails. */
    static read(object: JsonObject): Document {
        const map = new Map<string, Json>();
        const queues = new Map<string, readonly Item[]>();
        let ledger: Ledger | undefined;
        let foreign: Json | undefined;
        for (const [key, value] of entries(object)) {
            const executor = executorOf(key);
            if (key === BOOKKEEPING_KEY) {
                ledger = Ledger.read(value);
                foreign = ledger === undefined ? value : undefined;
            } else if (executor !== undefined && Array.isArray(value)) {
                queues.set(executor, value.map(Item.read));
                map.set(key, null);
            } else {
                map.set(key, value);
            }
        }
        return new Document(map, queues, ledger, foreign);
    }

    /** A copy to be changed; what is inside is shared and never changed. */
    clone(): Document {
        return new Document(new Map(this.map), new Map(this.queues), this.own?.clone(), this.foreign);
    }

    /** The whole document as it is written. */
    toJson(): JsonObject {
        const bookkeeping = this.foreign ?? this.own?.toJson();
        const all = this.shown((item) => item.toJson());
        return fromEntries(bookkeeping === undefined ? all : [...all, [BOOKKEEPING_KEY, bookkeeping]]);
    }

    /** The whole content without any bookkeeping: what a reader of the original sees (C9, C10). */
    view(): JsonObject {
        return fromEntries(this.shown((item) => item.publicValue));
    }

    private shown(show: (item: Item) => Json): [string, Json][] {
        return [...this.map].map(([key, value]) => [key, this.queueAt(key)?.map(show) ?? value]);
    }

    private queueAt(key: string): readonly Item[] | undefined {
        const executor = executorOf(key);
        return executor === undefined ? undefined : this.queues.get(executor);
    }

    /** Bytes of the whole document as compact JSON. */
    get bytes(): number {
        return jsonLength(this.toJson());
    }

    /** What waits for an executor, oldest first. Nothing when its array is missing, `null`, or corrupt. */
    waiting(executor: string): readonly Item[] {
        return this.queues.get(executor) ?? [];
    }

    /** Whether an executor has an array. */
    hasArray(executor: string): boolean {
        return this.queues.has(executor);
    }

    /** Every executor with an array. */
    get executors(): string[] {
        return [...this.queues.keys()];
    }

    /** What is claimed of an executor, oldest first. */
    claims(executor: string): readonly Claim[] {
        return this.ledger?.claimsOf(executor) ?? [];
    }

    /** The bookkeeping, when it is there and of a known version. */
    get ledger(): Ledger | undefined {
        return this.own;
    }

    /** The ledger for writing. */
    get ledgerMade(): Ledger {
        this.own ??= Ledger.empty();
        return this.own;
    }

    /** Whether `_sp` has a version this helper does not know: taking then means removing (C46, C60). */
    get isForeign(): boolean {
        return this.foreign !== undefined;
    }

    /** The JSON type of what stands where an executor's array should be, if it is neither an array nor `null` (C14). */
    corruptArray(executor: string): string | undefined {
        const value = this.map.get(arrayKey(executor));
        return this.queues.has(executor) || value === undefined || value === null ? undefined : jsonType(value);
    }

    /** Whether anything waits or runs. */
    get isInUse(): boolean {
        return [...this.queues.values()].some((items) => items.length > 0) || (this.ledger?.hasClaims ?? false);
    }

    field(key: string): Json | undefined {
        return this.map.get(key);
    }

    setField(key: string, value: Json): void {
        this.map.set(key, value);
    }

    /** Removes a key; the others keep their order. */
    removeField(key: string): void {
        this.map.delete(key);
    }

    /** Replaces an array's elements; makes the array when it is missing or `null`. */
    setWaiting(executor: string, items: readonly Item[]): void {
        if (!this.queues.has(executor)) this.map.set(arrayKey(executor), null);
        this.queues.set(executor, items);
    }
}
