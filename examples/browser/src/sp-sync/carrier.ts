/** Hands actions to the application's handlers, and tells the machine how they end (C37, C39, C42). */

import { checkResponse } from './check';
import { SpSyncError } from './error';
import type { ActionBody } from './heart/item';
import { wellFormed, type JsonObject } from './json';
import { finished, handlerFailed, unseen } from './machine/ending';
import type { Start } from './machine/config';
import type { Driver } from './driver';
import type { Failure } from './notice';
import type { Delivery } from './typed';

/** A handler without its types. */
export type AnyHandler = (action: ActionBody, delivery: Delivery) => unknown;

/** An action that has been handed over. */
interface Hand {
    readonly abort: AbortController;
    /** A handler has been called with it. */
    seen: boolean;
}

export class Carrier {
    private readonly handlers = new Map<string, Set<AnyHandler>>();
    private readonly running = new Map<string, Hand>();

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

    /** The action is no longer this client's: its handler may stop. Answers whether one has seen it. */
    readonly cancel = (id: string): boolean => {
        const hand = this.running.get(id);
        this.running.delete(id);
        hand?.abort.abort(new SpSyncError('Closed', `action ${id} is no longer this client's`));
        return hand?.seen ?? false;
    };

    /** Hands an action over. It can be cancelled from now on; its handlers are called when the machine's step is done. */
    start(start: Start, driver: Driver): void {
        const hand = { abort: new AbortController(), seen: false };
        this.running.set(start.id, hand);
        queueMicrotask(() => void this.carryOut(start, hand, driver));
    }

    /** Every handler sees the action; it ends when all of them have ended. The first object answers. */
    private async carryOut(start: Start, hand: Hand, driver: Driver): Promise<void> {
        const { executor, id, attempt } = start;
        const { signal } = hand.abort;
        if (signal.aborted) return;
        const handlers = [...(this.handlers.get(executor) ?? [])];
        if (handlers.length === 0) {
            // The last one was removed after the action was started and before anybody could see it.
            this.running.delete(id);
            return driver.tell((machine) => unseen(machine, start));
        }
        hand.seen = true;
        const delivery = { id, attempt, signal };
        // Each gets a copy of its own: what one does to it, the others do not see. The first may have closed the session.
        const call = async (handler: AnyHandler) => (signal.aborted ? undefined : handler(structuredClone(start.action), delivery));
        const results = await Promise.allSettled(handlers.map(call));
        if (this.running.get(id) === hand) this.running.delete(id);
        const thrown = results.find((result) => result.status === 'rejected');
        const answer = results.find((result) => result.status === 'fulfilled' && isAnswer(result.value));
        driver.tell((machine, now) => {
            if (thrown !== undefined) return handlerFailed(machine, start, failureOf(thrown.reason), true, now);
            let fields: JsonObject | undefined;
            try {
                if (answer?.status === 'fulfilled') fields = checkResponse(start.action.action, answer.value);
            } catch (error) {
                const message = error instanceof Error ? error.message : 'the response is unfit';
                // The handler has done its work, and would answer the same after doing it again (C53).
                return handlerFailed(machine, start, { code: 'response', message }, false, now);
            }
            finished(machine, start, fields, now);
        });
    }
}

function isAnswer(value: unknown): boolean {
    return value !== undefined && value !== null;
}

/** What is told of an error: its own code where it has one, and its message. Never throws, whatever was thrown. */
function failureOf(reason: unknown): Failure {
    const code = textOf(() => (reason as { readonly code: unknown }).code);
    const message = textOf(() => (reason as { readonly message: unknown }).message);
    return {
        code: code === undefined || code === '' ? 'failed' : code,
        message: message ?? textOf(() => String(reason)) ?? 'what was thrown cannot be read',
    };
}

/** A text that can be written, or `undefined` where reading throws or gives something else. */
function textOf(read: () => unknown): string | undefined {
    try {
        const value = read();
        return typeof value === 'string' ? wellFormed(value) : undefined;
    } catch {
        return undefined;
    }
}
