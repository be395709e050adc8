/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. A key that is `undefined` counts as absent. */
export interface JsonObject {
    readonly [key: string]: Json | undefined;
}

/** Whether a value is a JSON object: neither `null` nor an array. */
export function isObject(value: unknown): value is JsonObject {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a value is called in messages, which never show the value itself (C64). */
export function jsonType(value: unknown): string {
    if (value === null) return 'null';
    if (Array.isArray(value)) return 'an array';
    switch (typeof value) {
        case 'boolean': return 'a boolean';
        case 'number': return 'a number';
        case 'string': return 'a string';
        default: return 'an object';
    }
}

/** Own keys with their values. Keys that are `undefined` are left out, as JSON does. */
export function entries(object: JsonObject): [string, Json][] {
    return Object.entries(object).filter((entry): entry is [string, Json] => entry[1] !== undefined);
}

/** An object of these entries. Unlike an assignment this makes `__proto__` an ordinary key. */
export function fromEntries(of: Iterable<readonly [string, Json]>): JsonObject {
    return Object.fromEntries(of);
}

/** One key of an object, `undefined` also for what every object inherits. */
export function own(object: JsonObject, key: string): Json | undefined {
    return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Whether two values are the same JSON, the order of keys apart. */
export function sameJson(a: Json, b: Json): boolean {
    if (a === b) return true;
    if (Array.isArray(a)) {
        return Array.isArray(b) && a.length === b.length && a.every((item, at) => sameJson(item, b[at] as Json));
    }
    if (!isObject(a) || !isObject(b)) return false;
    const mine = entries(a);
    return mine.length === entries(b).length
        && mine.every(([key, value]) => {
            const other = own(b, key);
            return other !== undefined && sameJson(value, other);
        });
}

/** Half of a surrogate pair. Such a text cannot be written in UTF-8, and services refuse the whole document for it. */
const HALF_CHARACTER = /\p{Surrogate}/gu;

/** The text with a replacement character for each half of one, as a text that was cut inside an emoji has. */
export function wellFormed(text: string): string {
    return text.replace(HALF_CHARACTER, '\ufffd');
}

/** Where in a value a text or key is that cannot be written in UTF-8, looking so many levels deep. */
export function illFormedAt(value: Json, levels: number): string | undefined {
    if (typeof value === 'string') return value === wellFormed(value) ? undefined : '';
    if (typeof value !== 'object' || value === null || levels === 0) return undefined;
    for (const [key, inner] of entries(value as JsonObject)) {
        const name = wellFormed(key);
        const below = name === key ? illFormedAt(inner, levels - 1) : '';
        if (below !== undefined) return below === '' ? name : `${name}.${below}`;
    }
    return undefined;
}

/** Whether a value has more levels of arrays and objects than are left. */
export function isDeeperThan(value: Json, levels: number): boolean {
    if (typeof value !== 'object' || value === null) return false;
    if (levels === 0) return true;
    const inner: Json[] = Array.isArray(value) ? value : entries(value as JsonObject).map(([, item]) => item);
    return inner.some((item) => isDeeperThan(item, levels - 1));
}

const utf8 = new TextEncoder();

/** Bytes of a text in UTF-8. */
export function byteLength(text: string): number {
    return utf8.encode(text).length;
}

/** Bytes that a value takes as compact JSON. */
export function jsonLength(value: Json): number {
    return byteLength(JSON.stringify(value));
}

/** A whole number from 0 to `most`. */
export function isCount(value: unknown, most: number = Number.MAX_SAFE_INTEGER): value is number {
    return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
}
