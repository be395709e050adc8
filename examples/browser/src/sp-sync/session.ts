import { ExecutorNames, type ActionName, type ExecutorName, type InfoArguments, type RequestName, type ResponseOf } from '../catalogue';
import { Carrier, type AnyHandler } from './carrier';
import { checkAction, isExecutor, plainJson, rulesOf, type Checked } from './check';
import { Driver, TIMER_MAX_MS, type SharedDocument } from './driver';
import { SpSyncError } from './error';
import { refuseDeep, refuseReserved } from './heart/apply';
import { Document } from './heart/document';
import type { Item } from './heart/item';
import type { Operation, Outcome } from './heart/operation';
import { entries, fromEntries, own, sameJson, type Json, type JsonObject } from './json';
import { BOOKKEEPING_RESERVE_BYTES, DOCUMENT_BYTES_MAX, LEASE_MS, NAME_CHARS_MAX, REQUESTS_WAITING_MAX, RUN_MAX, WAITING_MAX, WITHDRAWAL_AWAITED_MS } from './limits';
import type { Config } from './machine/config';
import type { Wait } from './machine/requests';
import type { Notice } from './notice';
import { randomText } from './random';
import { Tokens, type RenewToken, type TokenHolder } from './tokens';
import type { ActionsAdded, BatchEntry, Handler, Receipt, RequestInfo } from './typed';

/** What is needed of the official SDK's `SyncClient`. */
export interface DocumentOpener extends TokenHolder {
    document(options: object): Promise<unknown>;
}

/** How a session is opened. */
export interface SessionOptions {
    /** Who this is: 1 to 256 characters. */
    readonly identity: string;
    /**
     * Kept over a reload it lets the client resume its own claims at once (C40). No two clients may have one instance at
     * the same time. Default: random.
     */
    readonly instance?: string;
    /** Becomes the content if this call makes the document (C4). */
    readonly initialData?: JsonObject;
    /** Seconds after which the service removes the document, if this call makes it. */
    readonly ttlSeconds?: number;
    /**
     * A claim that has not changed for so long may be taken over (C40). Default: 30 000. Browsers may let the timers of a
     * hidden page run once a minute only: a page that works while it is hidden needs three minutes or more.
     */
    readonly leaseMs?: number;
    /** Writes per second, averaged over ten seconds (C57). Default: 20. */
    readonly writesPerSecond?: number;
    /** Actions that may wait for one executor (C56). Default: 64. */
    readonly waitingMax?: number;
    /** Bytes of compact JSON that the service stores (C55). Default: 16 384. */
    readonly documentBytesMax?: number;
    /**
     * Gives another access token when the SDK's client says that its own is about to expire, or has: the session hands it
     * to the client, and calls again after a second, then two … while this throws. For one session of each client. Without
     * it `onNotice` hears `TokenAboutToExpire` and `TokenExpired`, and the page calls the client's `updateToken` itself.
     */
    readonly renewToken?: RenewToken;
    /** Hears what no call can report. */
    readonly onNotice?: (notice: Notice) => void;
}

/** Writes per second of one document that the original's service accepts up to 1 KiB (C57). */
const WRITES_PER_SECOND = 20;

/** One shared document and the action queues in it. */
export class SpSync {
    private readonly carrier = new Carrier();
    private readonly listeners = new Set<(data: JsonObject) => void>();
    private readonly driver: Driver;
    private shown: JsonObject;
    private closed = false;

    private constructor(
        document: SharedDocument,
        config: Config,
        private readonly tokens: Tokens,
        private readonly notice: (notice: Notice) => void,
    ) {
        this.driver = new Driver(document, config, {
            start: (start) => this.carrier.start(start, this.driver),
            cancel: this.carrier.cancel,
            notice: (notice) => queueMicrotask(() => this.notice(notice)),
            changed: () => queueMicrotask(() => this.show()),
        });
        this.shown = this.getSync();
    }

    /**
     * Opens a document, and makes it with `initialData` if there is none (C4, C5). Finished when it can be read.
     *
     * Throws `Invalid` for an identity or setting that cannot be, `Reserved` for initial data with an array or `_sp`
     * (C6), and what the SDK throws when it cannot open.
     */
    static async open(client: DocumentOpener, documentId: string, options: SessionOptions): Promise<SpSync> {
        const config = configOf(options);
        const data = begunBy(config.instance, dataOf('initialData', options.initialData ?? {}));
        const ttl = options.ttlSeconds === undefined ? {} : { ttl: options.ttlSeconds };
        const onNotice = options.onNotice ?? (() => {});
        // From the beginning: a token may end while the document is opened.
        const tokens = new Tokens(client, options.renewToken, (notice) => queueMicrotask(() => onNotice(notice)));
        try {
            const document = await client.document({ id: documentId, data, ...ttl });
            return new SpSync(document as SharedDocument, config, tokens, onNotice);
        } catch (error) {
            tokens.close();
            throw error;
        }
    }

    /**
     * The whole content without bookkeeping, or one value of it: at least the newest this client has written or been
     * shown (C9, C10). A copy: changing it changes nothing.
     */
    getSync(): JsonObject;
    getSync(key: string): Json | undefined;
    getSync(key?: string): Json | undefined {
        const state = this.driver.machine.state;
        if (state === undefined) throw new SpSyncError('Removed', 'the document was removed, or has expired');
        const view = structuredClone(state.document.view());
        return key === undefined ? view : own(view, key);
    }

    /**
     * Stores the object's fields; other fields stay (C11, C12). A key that is `undefined` is left alone, `null` is stored.
     * Throws `Reserved` for arrays and `_sp` (C13), `TooLarge`, `MaybeApplied`.
     */
    async setSync(data: JsonObject): Promise<void> {
        await this.write({ op: 'Merge', data: dataOf('setSync', data) });
    }

    /** Removes these fields (C12). */
    async unset(keys: readonly string[]): Promise<void> {
        refuseReserved('unset', keys);
        await this.write({ op: 'Unset', keys: [...keys] });
    }

    /**
     * `spSyncDocUpdated` gives the whole content when it has changed, by this client or another; intermediate states may
     * be skipped, the newest never is (C16, C17).
     *
     * `extensionActionsAdded` and the like take an executor's actions, one at a time and oldest first, also those that
     * wait already (C33–C37). Among clients one gets each action. An object returned is the response, if the action asks
     * for one; throwing lets the action be tried again (C42). Several handlers here see each action, and it ends when all
     * have ended.
     *
     * The function returned removes the listener; with an executor's last one, what was not started is given back (C44).
     */
    on(event: 'spSyncDocUpdated', listener: (data: JsonObject) => void): () => void;
    on<E extends ExecutorName>(event: ActionsAdded<E>, handler: Handler<E>): () => void;
    on(event: string, listener: unknown): () => void {
        if (event === 'spSyncDocUpdated') {
            const own = (data: JsonObject) => (listener as (data: JsonObject) => void)(data);
            this.listeners.add(own);
            return () => void this.listeners.delete(own);
        }
        const executor = event.replace(/ActionsAdded$/, '');
        if (executor === event || !isExecutor(executor)) {
            throw new SpSyncError('UnknownExecutor', `there is no event ${event}`, { executor });
        }
        const remove = this.carrier.add(executor, listener as AnyHandler);
        this.driver.tell((machine) => machine.updateWanted(this.carrier.wants));
        return () => {
            remove();
            this.driver.tell((machine) => machine.updateWanted(this.carrier.wants));
        };
    }

    /**
     * Adds one action to the end of its executor's array (C21). Done when it is stored, not when it has run (C28).
     *
     * Throws before anything is sent `UnknownAction`, `MissingField`, `UnknownField`, `WrongType`, `OutOfRange`,
     * `Reserved`, `UnknownExecutor` (C24–C27); then `Full`, `TooLarge`, `CorruptArray`, `MaybeApplied`, `WriteFailed`.
     */
    async addAction<A extends ActionName>(action: A, ...[info]: InfoArguments<A>): Promise<Receipt> {
        const [receipt] = await this.enqueue([checkAction(action, info, undefined)]);
        return receipt as Receipt;
    }

    /** Adds several actions in one write, in this order, all or none (C22, C23). Throws as `addAction`. */
    async addActions(batch: readonly BatchEntry[]): Promise<Receipt[]> {
        const several = batch.length > 1;
        return this.enqueue(batch.map(([action, info], index) => checkAction(action, info, several ? index : undefined)));
    }

    /**
     * Adds a request and waits for its response (C50). Throws `Timeout` after `timeoutMs`, and withdraws the request then
     * if nobody has taken it (`Infinity`: it waits for as long as the session lives); `Failed` with the executor's own
     * code when its handler failed (C52); otherwise as `addAction`.
     */
    async request<A extends RequestName & ActionName>(action: A, info: RequestInfo<A>): Promise<ResponseOf[A]> {
        const { timeoutMs, ...fields } = info as { timeoutMs?: number };
        const checked = checkAction(action, fields, undefined);
        const { respondTo, rule } = checked;
        if (respondTo === undefined) throw new SpSyncError('Invalid', `${action} needs to know where the response goes: respondTo`);
        if (rule.response === undefined) throw new SpSyncError('Invalid', `${action} does not answer: add it with addAction`);
        const item = await this.ask(checked, respondTo, patienceOf(timeoutMs ?? rule.replyWithinMs));
        const { error } = item.tag;
        if (error !== undefined) throw new SpSyncError('Failed', `${action} failed: ${error.message}`, { action, code: error.code });
        const answer = entries(item.action ?? {}).filter(([key]) => key !== 'action' && key !== 'executor');
        return fromEntries(answer) as unknown as ResponseOf[A];
    }

    /** Removes an action that nobody has taken; answers whether it did (C30). */
    async withdraw(id: string): Promise<boolean> {
        return (await this.write({ op: 'Withdraw', id })).is === 'Done';
    }

    /**
     * Writes what waits, gives back what was not finished (C44), and leaves. Handlers that run are told by their signal,
     * and their actions go back to the front. The SDK's client stays open: it is not this session's.
     */
    async close(): Promise<void> {
        this.closed = true;
        this.listeners.clear();
        await this.driver.close(closed());
        // What was still to be written may have needed another.
        this.tokens.close();
    }

    private async enqueue(actions: readonly Checked[]): Promise<Receipt[]> {
        const added = actions.map(({ executor, action }) => ({ executor, item: this.driver.machine.item(action, {}) }));
        const expiresMs = actions.map(({ rule }) => rule.expiresMs);
        const undated = expiresMs.every((wait) => wait === undefined) ? undefined : expiresMs;
        await this.write({ op: 'Enqueue', actions: added }, undated);
        return added.map(({ item }) => ({ id: item.id ?? '' }));
    }

    private write(operation: Operation, undated?: readonly (number | undefined)[]): Promise<Outcome> {
        if (this.closed) return Promise.reject(closed());
        return new Promise((resolve, reject) => {
            const settle = (result: Outcome | SpSyncError) => {
                if (result instanceof SpSyncError) reject(result);
                else if (result.is === 'Refused') reject(result.error);
                else resolve(result);
            };
            this.driver.tell((machine, now) => machine.submit(operation, settle, now, undated));
        });
    }

    private ask({ action, executor, rule }: Checked, respondTo: string, timeoutMs: number): Promise<Item> {
        const { machine } = this.driver;
        if (this.closed) return Promise.reject(closed());
        if (machine.requests.count >= REQUESTS_WAITING_MAX) {
            return Promise.reject(new SpSyncError('WriteFailed', 'as many requests wait as may wait: try again'));
        }
        return new Promise((resolve, reject) => {
            const item = machine.item(action, { from: machine.config.by });
            const settled = <T>(tell: (value: T) => void) => (value: T): void => {
                clearTimeout(timer);
                tell(value);
            };
            const wait: Wait = { executor, item, respondTo, resolve: settled(resolve), reject: settled(reject) };
            const timer = timeoutMs === Infinity ? undefined : setTimeout(() => {
                if (machine.requests.giveUp(wait)) void this.giveUp(wait, timeoutMs).then(reject);
            }, timeoutMs);
            this.driver.tell((machine, now) => machine.ask(wait, rule.expiresMs, now));
        });
    }

    /** Nobody waits any more: a request that nobody has taken must not be carried out later (C50). */
    private async giveUp(wait: Wait, timeoutMs: number): Promise<SpSyncError> {
        const unknown = new Promise<undefined>((resolve) => setTimeout(resolve, WITHDRAWAL_AWAITED_MS));
        const withdrawal = this.write(this.driver.machine.withdrawal(wait)).catch(() => undefined);
        const outcome = await Promise.race([withdrawal, unknown]);
        const withdrawn = outcome?.is === 'Done';
        const why = withdrawn
            ? 'nobody took it, and it was withdrawn: is its executor there?'
            : 'it was taken, or the service is away: it may still be carried out';
        const name = wait.item.action?.action ?? '';
        return new SpSyncError('Timeout', `no response to ${name} within ${timeoutMs} ms: ${why}`, { timeoutMs, withdrawn });
    }

    /** Tells listeners of the newest content, if it looks different to a reader that ignores bookkeeping. */
    private show(): void {
        if (this.driver.machine.state === undefined) return;
        const view = this.getSync();
        if (sameJson(this.shown, view)) return;
        this.shown = view;
        for (const listener of this.listeners) {
            // Each by itself: what one throws is the page's to hear of, and keeps nothing from the others.
            queueMicrotask(() => {
                if (this.listeners.has(listener)) listener(structuredClone(view));
            });
        }
    }
}

function closed(): SpSyncError {
    return new SpSyncError('Closed', 'the session was closed');
}

/** Content with a list of writers that begins with its creator, who has written nothing yet. */
function begunBy(instance: string, data: JsonObject): JsonObject {
    const document = Document.read(data);
    document.ledgerMade.stamp(instance, 0);
    return document.toJson();
}

function dataOf(what: string, data: JsonObject): JsonObject {
    const copy = plainJson(data, what);
    refuseReserved(what, Object.keys(copy));
    refuseDeep(what, entries(copy).map(([, value]) => value));
    return copy;
}

/** A time to wait as a timer can: none is set for `Infinity`. */
function patienceOf(timeoutMs: number): number {
    if (!(timeoutMs >= 0)) throw new SpSyncError('Invalid', 'timeoutMs must be milliseconds, 0 or more', { field: 'timeoutMs' });
    return timeoutMs === Infinity ? timeoutMs : Math.min(timeoutMs, TIMER_MAX_MS);
}

function configOf(options: SessionOptions): Config {
    const { identity, leaseMs = LEASE_MS, writesPerSecond = WRITES_PER_SECOND, waitingMax = WAITING_MAX } = options;
    const isName = (name: string) => name !== '' && [...name].length <= NAME_CHARS_MAX && !/[\p{Cc}\p{Cs}]/u.test(name);
    if (!isName(identity)) throw new SpSyncError('Invalid', `identity: 1 to ${NAME_CHARS_MAX} characters, no control characters`);
    const instance = options.instance ?? randomText();
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(instance)) throw new SpSyncError('Invalid', 'instance: 1 to 64 of A–Z a–z 0–9 - _');
    for (const [name, value, least] of [['leaseMs', leaseMs, 100], ['writesPerSecond', writesPerSecond, 0.1], ['waitingMax', waitingMax, 1]] as const) {
        if (!(value >= least && value < 2 ** 31)) throw new SpSyncError('Invalid', `${name} must be at least ${least}`);
    }
    return {
        by: `${identity}#${instance}`,
        instance,
        kept: options.instance !== undefined,
        fresh: randomText(),
        leaseMs,
        writesPerSecond,
        rules: {
            documentBytesMax: options.documentBytesMax ?? DOCUMENT_BYTES_MAX,
            reserveBytes: BOOKKEEPING_RESERVE_BYTES,
            waitingMax,
            runMax: RUN_MAX,
        },
        executors: ExecutorNames,
        rulesOf,
    };
}
