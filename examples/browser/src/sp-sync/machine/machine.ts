/**
 * The driver's decisions: what to write and when, what to carry out, whom to answer. It is told the time and what
 * happened; it waits for nothing and knows no SDK.
 *
 * One rule makes it simple: what has to be written for the executors is derived anew from the newest document and from
 * what has ended here, at every write. Only operations of the application are kept, until their caller is answered.
 */

import { SpSyncError } from '../error';
import { apply } from '../heart/apply';
import { Document } from '../heart/document';
import { Item, type ActionBody, type Tag } from '../heart/item';
import type { Operation, Outcome, Writer } from '../heart/operation';
import type { JsonObject } from '../json';
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, FINISH_LINGER_MS, RENEWALS_PER_LEASE, TAKER_TRUSTS_PER_LEASE } from '../limits';
import { numbered } from '../random';
import { ServiceClock } from './clock';
import type { Config, Hooks } from './config';
import { letGo, letGoUnseen } from './ending';
import { understand } from './failure';
import { Lane, type Ended } from './lane';
import { Outbox } from './outbox';
import { Pace } from './pace';
import type { Flight, Settle, State } from './pending';
import { report, tellDropped } from './report';
import { Requests, type Wait } from './requests';
import { startAll } from './start';
import { Wishes, type View } from './view';

/**
 * The SDK repeats a write whose answer it misses, but not before this time: 4 s less 20 %, in `services/network`. Asked
 * for new data earlier, the write before was refused because of its revision, and did not hold.
 */
const SDK_REPEATS_AFTER_MS = 3_200;

/** How far ahead of the document an earlier life's write numbers may have been. It had one write on its way. */
const WRITES_OF_AN_EARLIER_LIFE = 1_000;

/** Write numbers above this were not written by this protocol, and are not gone on from. */
const NUMBER_MAX = 2 ** 52;

export class Machine {
    readonly lanes: readonly Lane[];
    readonly requests = new Requests();
    readonly clock = new ServiceClock();
    private readonly outbox: Outbox;
    private readonly pace: Pace;
    private current: State | undefined;
    private number = 0;
    private ids = 0;
    /** Greater numbers are of this life. */
    private readonly bornAt: number;
    /** When the latest write held: until then nobody had taken over what is claimed here. */
    heldAt: number;
    private pauseUntil = -Infinity;
    private failures = 0;
    private failingTold = false;
    /** The state in which there was no room to take what waits, if that was told. */
    private noRoomTold: number | undefined;
    private closing = false;
    /** Responses and calls of the application were refused together: the next write carries no calls. */
    private responsesApart = false;

    /** Responses that were refused together, of which each write carries one (in the order of their lanes and ends). */
    private get parted(): readonly Ended[] {
        return this.lanes.flatMap(({ ended }) => ended).filter(({ alone }) => alone);
    }

    constructor(readonly config: Config, readonly hooks: Hooks, revision: number, data: JsonObject, dateMs: number, now: number) {
        this.outbox = new Outbox(config.instance);
        this.pace = new Pace(config.writesPerSecond);
        this.lanes = config.executors.map((executor, place) => new Lane(executor, place));
        this.heldAt = now;
        this.clock.saw(dateMs, now);
        const document = Document.read(data);
        for (const lane of this.lanes) {
            lane.resuming = document.claims(lane.executor).some(({ by }) => by === config.by);
        }
        // A write of an earlier life under the same instance may still be on its way. Lives do not share numbers when
        // each begins with its moment of the service's clock.
        const last = document.ledger?.lastWrite(config.instance) ?? 0;
        this.number = config.kept ? Math.min(Math.max(last + WRITES_OF_AN_EARLIER_LIFE, dateMs), NUMBER_MAX) : 0;
        this.bornAt = this.number;
        this.take({ revision, document }, now);
    }

    /** The newest state; `undefined` once the document was removed. */
    get state(): State | undefined {
        return this.current;
    }

    get renewEveryMs(): number {
        return this.config.leaseMs / RENEWALS_PER_LEASE;
    }

    /** Whether everything accepted has been answered and recorded. */
    isIdle(now: number): boolean {
        const { current } = this;
        if (current === undefined) return true;
        const { document } = current;
        const view = this.view(now);
        const holds = (lane: Lane) => lane.hasOpenClaims(document, view.by) || lane.hasToStepBack(document, view);
        return this.outbox.isEmpty && !this.outbox.flight && this.requests.isSettled
            && this.lanes.every((lane) => lane.isIdle && (view.plain || !holds(lane)));
    }

    /** Whether something of the application waits that a write can carry now. */
    get hasMoreToWrite(): boolean {
        return !this.outbox.isEmpty;
    }

    freshId(): string {
        this.ids += 1;
        return numbered(this.config.fresh, this.ids);
    }

    /** Somebody here may subscribe to an executor, or no longer. */
    updateWanted(wanted: (executor: string) => boolean): void {
        for (const lane of this.lanes) {
            const before = lane.wanted;
            lane.wanted = !this.closing && wanted(lane.executor);
            // Whoever subscribes to an array that was corrupt already has not heard of it (C14).
            if (lane.wanted && !before && lane.corrupt) this.tellCorrupt(lane);
        }
    }

    /** Takes nothing more, gives back what has not been finished (C44). */
    close(): void {
        this.closing = true;
        for (const lane of this.lanes) {
            lane.wanted = false;
            if (lane.running === undefined) continue;
            const seen = this.hooks.cancel(lane.running.id);
            (seen ? letGo : letGoUnseen)(lane, lane.running);
        }
    }

    /** The client ends with work undone: whoever waits for it hears what is known of it. */
    abandon(error: SpSyncError): void {
        this.outbox.abandon(error);
        this.requests.fail(error);
    }

    /** Accepts an operation of the application. */
    submit(operation: Operation, settle: Settle, now: number, undated?: readonly (number | undefined)[]): void {
        if (this.current === undefined) return settle(gone());
        this.outbox.accept(operation, undated, settle, now);
    }

    /** An action on its way into the document, with an id of its own. */
    item(action: ActionBody, tag: Tag): Item {
        return Item.of(action, { id: this.freshId(), ...tag });
    }

    /** Accepts a request. The wait for the response is registered before anything is written (C50). */
    ask(wait: Wait, expiresMs: number | undefined, now: number): void {
        this.requests.add(wait);
        const settle: Settle = (result) => {
            const error = result instanceof SpSyncError ? result : result.is === 'Refused' ? result.error : undefined;
            // One that came to nothing has no response; any other hears of its response instead.
            if (error !== undefined && this.requests.giveUp(wait)) wait.reject(error);
        };
        const { executor, item } = wait;
        const undated = expiresMs === undefined ? undefined : [expiresMs];
        this.submit({ op: 'Enqueue', actions: [{ executor, item }] }, settle, now, undated);
    }

    /** How a request that nobody waits for any more is withdrawn: in plain mode it has no id. */
    withdrawal({ executor, item }: Wait): Operation {
        const plain = this.current?.document.isForeign ?? false;
        if (plain || item.id === undefined) return { op: 'TakeResponse', executor, item: item.withTag({}) };
        return { op: 'Withdraw', id: item.id };
    }

    /** Does everything that can be done without a write. Answers whether to write, and when to come back. */
    step(now: number): { readonly write: boolean; readonly wakeAt: number } {
        if (this.current === undefined) return { write: false, wakeAt: Infinity };
        this.endRetries(now);
        startAll(this, now);
        const late = this.outbox.giveUpLate(now);
        if (this.outbox.flight) return { write: false, wakeAt: late };
        const notBefore = Math.max(this.pauseUntil, this.pace.nextAt());
        const wishes = this.wishes(this.current.document, now);
        if (this.outbox.isEmpty && !wishes.urgent) return { write: false, wakeAt: Math.min(late, wishes.wakeAt) };
        if (notBefore > now) return { write: false, wakeAt: Math.min(late, notBefore) };
        return { write: true, wakeAt: Math.min(late, wishes.wakeAt) };
    }

    /** Failed actions whose delay is over may start again, once the document counts the attempt. */
    private endRetries(now: number): void {
        for (const lane of this.lanes) {
            const { retry } = lane;
            if (retry === undefined || retry.until > now) continue;
            const counted = this.current?.document.claims(lane.executor)
                .some(({ id, n }) => id === retry.id && n > retry.failed);
            if (retry.plain || counted) lane.retry = undefined;
        }
    }

    private wishes(document: Document, now: number): Wishes {
        const wishes = new Wishes();
        this.requests.wishes(now, wishes);
        const view = this.view(now);
        for (const lane of this.lanes) lane.wishes(document, view, wishes);
        return wishes;
    }

    view(now: number): View {
        const { by, leaseMs, fresh, rulesOf } = this.config;
        return {
            by, now, leaseMs, fresh,
            renewEveryMs: this.renewEveryMs,
            heldAt: this.heldAt,
            plain: this.current?.document.isForeign ?? false,
            serviceNow: this.clock.at(now),
            number: this.number + 1,
            runsOnce: ({ action }) => action !== undefined && (rulesOf(action.action)?.atMostOnce ?? false),
        };
    }

    /**
     * The SDK asks what to write over this content. `undefined`: nothing. Asked again before an answer, it has found
     * that the revision differs.
     */
    write(revision: number, data: JsonObject, now: number): JsonObject | undefined {
        const { flight } = this.outbox;
        this.outbox.flight = undefined;
        if (flight !== undefined && now - flight.sentAt >= SDK_REPEATS_AFTER_MS) this.lost(flight);
        if (!this.adopt(revision, data, now)) this.lookAgain();
        return this.build(now);
    }

    private build(now: number): JsonObject | undefined {
        const base = this.current;
        if (base === undefined) return undefined;
        const number = this.number + 1;
        const writer: Writer = { by: this.config.by, instance: this.config.instance, number };
        const { parted } = this;
        const own = this.responsesApart || parted.length > 0 ? [] : this.outbox.next(this.clock, now);
        const derived: Operation[] = withoutOthers(parted, this.wishes(base.document, now).operations);
        // Only a write shows the service's time to what waits for it, or that responses are taken.
        if (own.length === 0 && !this.outbox.isEmpty) derived.push({ op: 'Merge', data: {} });
        const handing = this.lanes.flatMap(({ taker }) => taker.handOver(own, now, this.config.leaseMs / TAKER_TRUSTS_PER_LEASE));
        // Ends and removals first: they make room for what the application adds.
        const { document, outcomes } = apply(base.document, writer, this.config.rules, [...derived, ...own, ...handing]);
        this.outbox.noteOutcomes(outcomes.slice(derived.length, derived.length + own.length));
        const did = derived.map((operation, place) => ({ operation, outcome: outcomes[place] as Outcome }));
        this.tellNoRoom(base.revision, did);
        if (document === undefined) {
            this.responsesApart = false;
            for (const ended of parted) ended.alone = false;
            this.outbox.answer(own.length);
            return undefined;
        }
        this.number = number;
        this.requests.sent(number);
        for (const ended of this.lanes.flatMap((lane) => lane.ended)) {
            ended.sent ??= number;
            const finish = did.find(({ operation }) => operation.op === 'Finish' && operation.id === ended.id);
            ended.dropped = finish?.outcome.is === 'ResponseDropped' ? finish.outcome.why : undefined;
        }
        this.pace.wrote(now);
        this.outbox.flight = { number, base, sentAt: now, carried: own.length, derived: did };
        return document.toJson();
    }

    /** Actions that cannot be taken for want of room wait; that is told once for each state of the document. */
    private tellNoRoom(revision: number, derived: Flight['derived']): void {
        for (const { operation, outcome } of derived) {
            if (operation.op !== 'Claim' || outcome.is !== 'Refused' || this.noRoomTold === revision) continue;
            this.noRoomTold = revision;
            const { sizeBytes, limitBytes } = outcome.error.detail as { sizeBytes: number; limitBytes: number };
            this.hooks.notice({ kind: 'NoRoom', executor: operation.executor, sizeBytes, limitBytes });
        }
    }

    /** The write held; this is the content now, which the service dated. */
    held(revision: number, data: JsonObject, dateMs: number, now: number): void {
        const { flight } = this.outbox;
        if (flight === undefined) return;
        this.outbox.flight = undefined;
        // When it was sent: the answer may have come long after others saw the claims.
        this.heldAt = flight.sentAt;
        this.responsesApart = false;
        this.recovered();
        this.clock.saw(dateMs, now);
        this.clock.isFresh = true;
        this.outbox.answer(flight.carried);
        for (const { operation, outcome } of flight.derived) report(this, operation, outcome, now);
        if (!this.adopt(revision, data, now)) this.lookAgain();
    }

    /** The SDK gave up on the write. */
    failed(thrown: unknown, now: number): void {
        const { flight } = this.outbox;
        this.outbox.flight = undefined;
        const { means, error, quiet } = understand(thrown);
        if (means === 'Removed') return this.removed();
        if (means === 'Never' && flight !== undefined) this.outbox.refuse(flight.carried, error);
        if (means === 'Unfit' && flight !== undefined) this.unfit(flight, error);
        if (means === 'Lost' && flight !== undefined) this.lost(flight);
        this.lookAgain();
        this.outbox.delay(error);
        if (!quiet && !this.failingTold) {
            this.failingTold = true;
            this.hooks.notice({ kind: 'BackendFailing', message: error.message });
        }
        this.failures += 1;
        const wait = Math.min(BACKOFF_MIN_MS * 2 ** (this.failures - 1), BACKOFF_MAX_MS);
        // Clients that failed together do not come back together.
        this.pauseUntil = now + wait * (0.8 + 0.4 * Math.random());
    }

    /**
     * The service refuses something that the write carried. Responses are tried apart from the application's calls, and
     * both one by one, so that only what is meant is given up: nothing may keep this client from ever writing again.
     */
    private unfit({ carried, derived }: Flight, error: SpSyncError): void {
        const answers = this.lanes.flatMap(({ ended }) => ended).filter(({ id, response }) => response !== undefined
            && derived.some(({ operation, outcome }) => operation.op === 'Finish' && operation.id === id && outcome.is === 'Done'));
        this.responsesApart = answers.length > 0 && carried > 0;
        if (this.responsesApart || carried > 1) return this.outbox.part(carried);
        if (answers.length > 1) {
            for (const ended of answers) ended.alone = true;
            return;
        }
        this.outbox.refuse(carried, error);
        for (const ended of answers) {
            tellDropped(this, { ...ended, dropped: error.kind === 'TooLarge' ? 'TooLarge' : 'Refused' });
            ended.response = undefined;
            ended.alone = false;
        }
    }

    private lost(flight: Flight): void {
        this.outbox.lost(flight);
        for (const { operation, outcome } of flight.derived) {
            if (operation.op !== 'PutBack' || outcome.is !== 'Done') continue;
            const lane = this.lane(operation.executor);
            if (lane !== undefined) lane.putBackInDoubt = true;
        }
    }

    private recovered(): void {
        this.failures = 0;
        this.pauseUntil = -Infinity;
        if (this.failingTold) this.hooks.notice({ kind: 'BackendWorking' });
        this.failingTold = false;
    }

    /** The SDK shows this content. */
    saw(revision: number, data: JsonObject, dateMs: number, now: number): void {
        this.clock.saw(dateMs, now);
        this.adopt(revision, data, now);
    }

    /** Takes a state over if it is newer than the newest seen (C17). Answers whether it was. */
    private adopt(revision: number, data: JsonObject, now: number): boolean {
        const newer = this.current !== undefined && revision > this.current.revision;
        if (newer) this.take({ revision, document: Document.read(data) }, now);
        return newer;
    }

    private take(state: State, now: number): void {
        const { document } = state;
        const before = this.current;
        this.current = state;
        const lastWrite = this.lastWrite(document);
        for (const lane of this.lanes) {
            lane.taker.look(document, before === undefined, now);
            // Every write of this life takes claims of the one before over, also one whose answer was lost.
            if (lastWrite !== undefined && lastWrite > this.bornAt) lane.resuming = false;
            lane.corrupt = document.corruptArray(lane.executor) !== undefined;
            const wasCorrupt = before?.document.corruptArray(lane.executor) !== undefined;
            if (lane.corrupt && !wasCorrupt) this.tellCorrupt(lane);
        }
        this.lookAgain();
        this.requests.look(document, this.config.by, lastWrite, now + FINISH_LINGER_MS);
        this.hooks.changed();
    }

    /** Looks at the newest document with what is known of writes by now. */
    private lookAgain(): void {
        if (this.current === undefined) return;
        const { document } = this.current;
        const { flight } = this.outbox;
        for (const lane of this.lanes) {
            const { recorded, lost } = lane.reconcile(document, this.config.by, this.lastWrite(document), flight?.number);
            for (const ended of recorded) tellDropped(this, ended);
            if (lost === undefined) continue;
            this.hooks.cancel(lost);
            this.hooks.notice({ kind: 'ClaimLost', executor: lane.executor, id: lost });
        }
        if (flight === undefined) this.outbox.settleDoubts(this.current);
    }

    private lastWrite(document: Document): number | undefined {
        return document.ledger?.lastWrite(this.config.instance);
    }

    private tellCorrupt({ executor }: Lane): void {
        const found = this.current?.document.corruptArray(executor);
        if (found !== undefined) this.hooks.notice({ kind: 'CorruptArray', executor, found });
    }

    /** The document was removed: nothing more comes. */
    removed(): void {
        if (this.current === undefined) return;
        this.current = undefined;
        this.hooks.notice({ kind: 'Removed' });
        this.outbox.abandon(gone());
        this.requests.fail(gone());
        for (const lane of this.lanes) {
            if (lane.running) this.hooks.cancel(lane.running.id);
            lane.running = undefined;
        }
    }

    lane(executor: string): Lane | undefined {
        return this.lanes.find((lane) => lane.executor === executor);
    }
}

/**
 * Of responses that go one by one only the first, and nothing that would overtake the others: an executor's ends are
 * recorded in their order, and before what it takes next.
 */
function withoutOthers(parted: readonly Ended[], wishes: readonly Operation[]): Operation[] {
    const others = parted.slice(1).map(({ id }) => id);
    const held = new Set<string>();
    return wishes.filter((wish) => {
        const mayNot = wish.op === 'Finish' ? held.has(wish.executor) || others.includes(wish.id) : wish.op === 'Claim' && held.has(wish.executor);
        if (mayNot && wish.op === 'Finish') held.add(wish.executor);
        return !mayNot;
    });
}

function gone(): SpSyncError {
    return new SpSyncError('Removed', 'the document was removed, or has expired');
}
