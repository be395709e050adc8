/** Checks one JSON value against a field's type. Messages name types, limits and allowed values, never the value. */

import type { ValueRule } from '../catalogue';
import { isObject, jsonType, type Json } from './json';

/** How a value does not fit: `at` names the item of an array. */
export interface Misfit {
    readonly kind: 'WrongType' | 'OutOfRange';
    readonly at: string;
    readonly message: string;
}

/** Names of types in messages. */
const EXPECTED: Readonly<Record<ValueRule['type'], string>> = {
    string: 'a string', bool: 'a boolean', int: 'an integer', number: 'a number', url: 'a string with an absolute URL',
    timestamp: 'a string with an RFC 3339 timestamp', enum: 'a string', array: 'an array', object: 'an object',
};

/** How a value does not fit, or `undefined`. */
export function misfit(rule: ValueRule, value: Json): Misfit | undefined {
    if (!isOfType(rule, value)) return { kind: 'WrongType', at: '', message: `must be ${EXPECTED[rule.type]}, not ${jsonType(value)}` };
    const limit = brokenLimit(rule, value);
    if (limit !== undefined) return { kind: 'OutOfRange', at: '', message: `must ${limit}` };
    if (rule.items === undefined) return undefined;
    for (const [index, item] of (value as readonly Json[]).entries()) {
        const inner = misfit(rule.items, item);
        if (inner !== undefined) return { ...inner, at: `[${index}]${inner.at}` };
    }
    return undefined;
}

function isOfType({ type }: ValueRule, value: Json): boolean {
    switch (type) {
        case 'bool': return typeof value === 'boolean';
        case 'int': return typeof value === 'number' && Number.isInteger(value);
        case 'number': return typeof value === 'number';
        case 'array': return Array.isArray(value);
        case 'object': return isObject(value);
        default: return typeof value === 'string';
    }
}

function brokenLimit({ type, min, max, maxLen, values }: ValueRule, value: Json): string | undefined {
    if (typeof value === 'number') {
        const [least, most] = type === 'int' ? [min ?? -(2 ** 53), max ?? 2 ** 53] : [min ?? -Infinity, max ?? Infinity];
        return value < least ? `be at least ${least}` : value > most ? `be at most ${most}` : undefined;
    }
    if (Array.isArray(value)) return maxLen !== undefined && value.length > maxLen ? `have at most ${maxLen} items` : undefined;
    if (typeof value !== 'string') return undefined;
    // Characters are Unicode scalar values, as in the catalogue; a string has no more of them than its length.
    if (maxLen !== undefined && value.length > maxLen && [...value].length > maxLen) return `have at most ${maxLen} characters`;
    if (type === 'enum' && !values?.includes(value)) return `be one of ${values?.join(', ')}`;
    if (type === 'url' && !isAbsoluteUrl(value)) return 'be an absolute URL such as `https://example.com/path`, special characters percent-encoded';
    if (type === 'timestamp' && !isTimestamp(value)) return 'be an RFC 3339 timestamp such as `2026-01-31T09:30:00Z`';
    return undefined;
}

/** Unreserved characters, sub-delimiters and percent-encoded ones of RFC 3986, and those of its parts. */
const URL_FORM = /^(?<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?:\/\/(?<authority>[^/?#]*))?(?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*(?:\?(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?(?:#(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?$/;

/** User, host that is not empty, port. */
const AUTHORITY_FORM = /^(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::\d{0,5})?$/;

function isAbsoluteUrl(text: string): boolean {
    const parts = URL_FORM.exec(text)?.groups;
    const scheme = parts?.['scheme']?.toLowerCase() ?? '';
    // Schemes that run code where the address is opened. A field that becomes `location.href` must not carry them.
    if (parts === undefined || ['javascript', 'vbscript'].includes(scheme)) return false;
    const authority = parts['authority'];
    const isWeb = ['http', 'https', 'ws', 'wss'].includes(scheme);
    if (authority === undefined) return !isWeb && !/^[^?#]*:(?:[?#]|$)/.test(text);
    if (authority === '') return scheme === 'file';
    // What remains to be judged are addresses and ports, as the browser reads them.
    return AUTHORITY_FORM.test(authority) && (!isWeb || URL.canParse(text));
}

const TIMESTAMP_FORM = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|([+-])(\d\d):(\d\d))$/;

/** A day that exists and an offset. A 60th second passes only where leap seconds are inserted, at 23:59 UTC. */
function isTimestamp(text: string): boolean {
    const found = TIMESTAMP_FORM.exec(text);
    if (found === null) return false;
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map(Number);
    const [hours, minutes] = [Number(found[8] ?? 0), Number(found[9] ?? 0)];
    const offset = (hours * 60 + minutes) * (found[7] === '-' ? -1 : 1);
    const minuteOfDay = (hour * 60 + minute - offset + 2 * 1_440) % 1_440;
    const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
    const days = month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
    return month >= 1 && month <= 12 && day >= 1 && day <= days && hour < 24 && minute < 60
        && (second < 60 || (second === 60 && minuteOfDay === 1_439)) && hours < 24 && minutes < 60;
}
