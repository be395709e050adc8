/** From what a caller gives to what stands in the document: checked, and laid over the defaults (C24–C27, C53). */

import { ActionRules, ExecutorNames, type ActionRule, type FieldRule } from '../catalogue';
import { SpSyncError, type ErrorKind } from './error';
import type { ActionBody } from './heart/item';
import { entries, fromEntries, illFormedAt, isObject, jsonType, own, type Json, type JsonObject } from './json';
import { NESTING_MAX } from './limits';
import { misfit } from './value';

/** Keys that `info` and responses may not contain (C27). */
const RESERVED = ['action', 'executor', '_sp', '__proto__', 'constructor', 'prototype'];

/** What is known of an action type, if the catalogue has it. */
export function rulesOf(action: string): ActionRule | undefined {
    return Object.hasOwn(ActionRules, action) ? ActionRules[action] : undefined;
}

/** An action that passed every check. */
export interface Checked {
    readonly executor: string;
    readonly action: ActionBody;
    readonly rule: ActionRule;
    readonly respondTo: string | undefined;
}

/** Checks one action and writes its defaults out. `index` is its place in the batch, if it is one of several. */
export function checkAction(name: string, info: unknown, index: number | undefined): Checked {
    const rule = rulesOf(name);
    if (rule === undefined) throw new SpSyncError('UnknownAction', `${place(name, index)}: no such action`, { action: name, index });
    const given = plainJson(info ?? {}, `info of ${place(name, index)}`);
    const { respondTo, rest } = takeRespondTo(name, given, index);
    const fields = fit({ name, index, response: false }, rule.fields, rest, rule.extraFields ?? false);
    const { executor } = rule;
    const head: [string, Json][] = [['action', name], ['executor', executor]];
    if (respondTo !== undefined) head.push(['respondTo', respondTo]);
    return { executor, action: fromEntries([...head, ...fields]) as ActionBody, rule, respondTo };
}

/** Checks the fields of a response (C53). An action that does not answer has a response without fields. */
export function checkResponse(name: string, response: unknown): JsonObject {
    const rule = rulesOf(name);
    if (rule === undefined) throw new SpSyncError('UnknownAction', `${name}: no such action`, { action: name });
    const given = plainJson(response, `response to ${name}`);
    return fromEntries(fit({ name, index: undefined, response: true }, rule.response ?? [], given, false));
}

/** What JSON makes of a value: a copy that nobody else changes, without what JSON cannot say. */
export function plainJson(value: unknown, what: string): JsonObject {
    let copy: unknown;
    try {
        copy = JSON.parse(JSON.stringify(value) ?? 'null');
    } catch {
        throw new SpSyncError('Invalid', `${what} cannot be written as JSON`);
    }
    if (!isObject(copy)) throw new SpSyncError('NotAnObject', `${what} must be an object, not ${jsonType(copy)}`);
    // Deeper ones are refused for that.
    const field = illFormedAt(copy, NESTING_MAX + 1);
    if (field !== undefined) {
        throw new SpSyncError('Invalid', `${what}: \`${field}\` has half a character, as a text cut inside an emoji has`, { field });
    }
    return copy;
}

/** What is being checked, for the errors. They name fields and types, never values (C64). */
interface Scope {
    readonly name: string;
    readonly index: number | undefined;
    readonly response: boolean;
}

function takeRespondTo(name: string, given: JsonObject, index: number | undefined): { respondTo: string | undefined; rest: JsonObject } {
    const respondTo = own(given, 'respondTo') ?? undefined;
    const rest = fromEntries(entries(given).filter(([key]) => key !== 'respondTo'));
    if (respondTo === undefined) return { respondTo, rest };
    const scope = { name, index, response: false };
    if (typeof respondTo !== 'string') {
        throw refusal(scope, 'WrongType', 'respondTo', `must be the name of an executor, not ${jsonType(respondTo)}`);
    }
    if (!isExecutor(respondTo)) {
        const known = ExecutorNames.join(', ');
        throw new SpSyncError('UnknownExecutor', `${place(name, index)}: respondTo is no executor; known are ${known}`, { executor: respondTo });
    }
    return { respondTo, rest };
}

/** Whether the catalogue has an executor of this name. */
export function isExecutor(name: string): boolean {
    return (ExecutorNames as readonly string[]).includes(name);
}

/** The fields in the order of the catalogue, then the extra ones. `null` counts as absent. */
function fit(scope: Scope, declared: readonly FieldRule[], given: JsonObject, extra: boolean): [string, Json][] {
    const fields: [string, Json][] = [];
    for (const rule of declared) {
        const value = own(given, rule.name) ?? undefined;
        if (value !== undefined) {
            const why = misfit(rule, value);
            if (why !== undefined) throw refusal(scope, why.kind, rule.name + why.at, why.message);
            fields.push([rule.name, value]);
        } else if (rule.required) {
            throw refusal(scope, 'MissingField', rule.name, 'is mandatory');
        } else if (rule.default !== undefined) {
            fields.push([rule.name, rule.default as Json]);
        }
    }
    const names = declared.map(({ name }) => name);
    for (const [key, value] of entries(given).filter(([key]) => !names.includes(key))) {
        if (RESERVED.includes(key)) throw refusal(scope, 'Reserved', key, 'is reserved');
        if (value === null) continue;
        if (!extra) throw refusal(scope, 'UnknownField', key, `is unknown; there is ${names.join(', ') || 'none'}`);
        fields.push([key, value]);
    }
    return fields;
}

function refusal({ name, index, response }: Scope, kind: ErrorKind, field: string, why: string): SpSyncError {
    const shown = response ? `response.${field}` : field;
    return new SpSyncError(kind, `${place(name, index)}: \`${shown}\` ${why}`, { action: name, field: shown, index });
}

function place(name: string, index: number | undefined): string {
    return index === undefined ? name : `${name} (index ${index})`;
}
