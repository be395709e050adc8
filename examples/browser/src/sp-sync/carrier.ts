/** Hands actions to the application's handlers, and tells the machine how they end (C37, C39, C42). */

import { checkResponse } from './check';
import { SpSyncError } from './error';
import type { ActionBody } from './heart/item';
import type { JsonObject } from './json';
import { finished, handlerFailed } from './machine/ending';
import type { Start } from './machine/config';
import type { Driver } from './driver';
import type { Failure } from './notice';
import type { Delivery } from './typed';

/** A handler without its types. */
export type AnyHandler = (action: ActionBody, delivery: Delivery) => unknown;

export class Carrier {
    private readonly handlers = new Map<string, Set<AnyHandler>>();
    private readonly running = new Map<string, AbortController>();

    /** Whether somebody here subscribes to an executor. */
    readonly wants = (executor: string): boolean => (this.handlers.get(executor)?.size ?? 0) > 0;

    /** Adds a handler; answers how to remove it. */
    add(executor: string, handler: AnyHandler): () => void {
        // Wrapped, so that one function added twice is called twice, and removed once for each.
        const own: AnyHandler = (action, delivery) => handler(action, delivery);
        const handlers = this.handlers.get(executor) ?? new Set();
        this.handlers.set(executor, handlers.add(own));
        return () => handlers.delete(own);
    }

    /** Somebody else has the action now: its handler may stop. */
    readonly cancel = (id: string): void => {
        this.running.get(id)?.abort(new SpSyncError('Closed', `action ${id} is no longer this client's`));
        this.running.delete(id);
    };

    /** Every handler sees the action; it ends when all of them have ended. The first object answers. */
    async carryOut(start: Start, driver: Driver): Promise<void> {
        const { executor, id, attempt } = start;
        const abort = new AbortController();
        this.running.set(id, abort);
        const delivery = { id, attempt, signal: abort.signal };
        // Each gets a copy of its own: what one does to it, the others do not see.
        const call = async (handler: AnyHandler) => handler(structuredClone(start.action), delivery);
        const results = await Promise.allSettled([...(this.handlers.get(executor) ?? [])].map(call));
        if (this.running.get(id) === abort) this.running.delete(id);
        const thrown = results.find((result) => result.status === 'rejected');
        const answer = results.find((result) => result.status === 'fulfilled' && isAnswer(result.value));
        driver.tell((machine, now) => {
            if (thrown !== undefined) return handlerFailed(machine, start, failureOf(thrown.reason), true, now);
            let fields: JsonObject | undefined;
            try {
                if (answer?.status === 'fulfilled') fields = checkResponse(start.action.action, answer.value);
            } catch (error) {
                const message = error instanceof Error ? error.message : 'the response is unfit';
                return handlerFailed(machine, start, { code: 'response', message }, true, now);
            }
            finished(machine, start, fields, now);
        });
    }
}

function isAnswer(value: unknown): boolean {
    return value !== undefined && value !== null;
}

/** What is told of an error: its own code where it has a short one, and its message. */
function failureOf(reason: unknown): Failure {
    const { code, message } = (typeof reason === 'object' && reason !== null ? reason : {}) as Record<string, unknown>;
    return {
        code: typeof code === 'string' && code !== '' ? code : 'failed',
        message: typeof message === 'string' ? message : String(reason),
    };
}
