/** The top-level `_sp`: who has taken what, and who wrote last (contract 1.4). */

import { entries, fromEntries, isCount, isObject, own, type Json } from '../json';
import { WRITERS_MAX } from '../limits';
import { Item } from './item';

/** Stands first in `w` in place of writers that were forgotten to make room. No instance has an empty name. */
const FORGOTTEN = '';

/** The version of the bookkeeping that this helper writes. */
const LEDGER_VERSION = 1;

const U32_MAX = 0xffff_ffff;

/** One action that was taken and is not finished. Never changed: another one takes its place. */
export interface Claim {
    /** Holder: `<identity>#<instance>`. */
    readonly by: string;
    /** Attempt, from 1. */
    readonly n: number;
    /** Renewals so far. */
    readonly t: number;
    /** The id of the claimed action. */
    readonly id: string;
    /**
     * The action, or `undefined` when only its id is left: an at-most-once action that has been started (C41). Then it
     * is written as `once` instead of `a`.
     */
    readonly item: Item | undefined;
}

/** A claim as an observer saw it. While it looks the same, its holder has not been heard of. */
export interface Mark {
    readonly by: string;
    readonly id: string;
    readonly n: number;
    readonly t: number;
}

/** A writer and the number of its last write. */
export type WriterEntry = readonly [instance: string, number: number];

/** What an observer compares to see whether the holder still works. */
export function markOf({ by, id, n, t }: Claim): Mark {
    return { by, id, n, t };
}

export function sameMark(a: Mark | undefined, b: Mark): boolean {
    return a !== undefined && a.by === b.by && a.id === b.id && a.n === b.n && a.t === b.t;
}

/** Claims and writers of a document. */
export class Ledger {
    private constructor(
        private claims: Map<string, readonly Claim[]>,
        private takers: Map<string, string>,
        private writerEntries: readonly WriterEntry[],
        private readonly rest: readonly (readonly [string, Json])[],
    ) {}

    static empty(): Ledger {
        return new Ledger(new Map(), new Map(), [], []);
    }

    /** Reads a ledger leniently. `undefined` when its version is not ours (C60). */
    static read(value: Json): Ledger | undefined {
        if (!isObject(value)) return Ledger.empty();
        if (own(value, 'v') !== LEDGER_VERSION) return undefined;
        const claims = new Map<string, readonly Claim[]>();
        const takers = new Map<string, string>();
        let writers: WriterEntry[] = [];
        const rest: [string, Json][] = [];
        for (const [key, inner] of entries(value)) {
            if (key === 'claims' && isObject(inner)) {
                for (const [executor, list] of entries(inner)) {
                    const read = Array.isArray(list) ? list.flatMap(readClaim) : [];
                    if (read.length > 0) claims.set(executor, read);
                }
            } else if (key === 'next' && isObject(inner)) {
                for (const [executor, by] of entries(inner)) {
                    if (typeof by === 'string') takers.set(executor, by);
                }
            } else if (key === 'w' && Array.isArray(inner)) {
                writers = inner.flatMap(readWriter).slice(-WRITERS_MAX);
            } else if (!['v', 'claims', 'next', 'w'].includes(key)) {
                rest.push([key, inner]);
            }
        }
        return new Ledger(claims, takers, writers, rest);
    }

    clone(): Ledger {
        return new Ledger(new Map(this.claims), new Map(this.takers), this.writerEntries, this.rest);
    }

    /** What is claimed of one executor, oldest first. */
    claimsOf(executor: string): readonly Claim[] {
        return this.claims.get(executor) ?? [];
    }

    /** Whether anybody holds anything. */
    get hasClaims(): boolean {
        return this.claims.size > 0;
    }

    setClaims(executor: string, claims: readonly Claim[]): void {
        this.claims.set(executor, claims);
    }

    /**
     * Who takes what comes next for an executor, if somebody has said so: whoever adds an action while its taker is alive
     * writes the claim for it. Everybody who takes says so.
     */
    next(executor: string): string | undefined {
        return this.takers.get(executor);
    }

    setNext(executor: string, by: string | undefined): void {
        if (by === undefined) this.takers.delete(executor);
        else this.takers.set(executor, by);
    }

    /** Forgets executors without claims: a finished document carries no trace of them. */
    tidy(): void {
        for (const [executor, claims] of this.claims) {
            if (claims.length === 0) this.claims.delete(executor);
        }
    }

    /** The last write of a writer, while it is among the latest 16. */
    lastWrite(instance: string): number | undefined {
        return this.writerEntries.find(([writer]) => writer === instance)?.[1];
    }

    /** The latest writers and their write numbers, most recent last. */
    get writers(): readonly WriterEntry[] {
        return this.writerEntries;
    }

    stamp(instance: string, number: number): void {
        const others = this.writerEntries.filter(([writer]) => writer !== instance);
        this.writerEntries = [...others.slice(-(WRITERS_MAX - 1)), [instance, number]];
    }

    /** Whether every writer since the list was begun is still in it: one that is not there has never written. */
    get knowsEveryWriter(): boolean {
        return this.writerEntries.length < WRITERS_MAX && !this.writerEntries.some(isForgotten);
    }

    /**
     * Forgets who takes what comes next, then the writer that wrote longest ago, while there is one. Makes room in a full
     * document.
     */
    forgetSomething(): boolean {
        const taken = [...this.takers.keys()].at(-1);
        if (taken !== undefined) return this.takers.delete(taken);
        const oldest = this.writerEntries.findIndex((entry) => !isForgotten(entry));
        if (oldest < 0) return false;
        this.writerEntries = [[FORGOTTEN, 0], ...this.writerEntries.slice(oldest + 1)];
        return true;
    }

    toJson(): Json {
        const written: [string, Json][] = [['v', LEDGER_VERSION]];
        if (this.claims.size > 0) {
            const of = [...this.claims].map(([executor, claims]): [string, Json] => [executor, claims.map(writtenClaim)]);
            written.push(['claims', fromEntries(of)]);
        }
        if (this.takers.size > 0) written.push(['next', fromEntries([...this.takers])]);
        if (this.writerEntries.length > 0) written.push(['w', this.writerEntries.map((entry) => [...entry])]);
        return fromEntries([...written, ...this.rest]);
    }
}

/** Whether this entry only says that writers were forgotten. */
export function isForgotten([writer]: WriterEntry): boolean {
    return writer === FORGOTTEN;
}

function readClaim(value: Json): Claim[] {
    if (!isObject(value)) return [];
    const by = own(value, 'by');
    if (typeof by !== 'string') return [];
    const [attempt, renewals] = [own(value, 'n'), own(value, 't')];
    const n = isCount(attempt, U32_MAX) ? Math.max(attempt, 1) : 1;
    const t = isCount(renewals) ? renewals : 0;
    const action = own(value, 'a');
    if (action !== undefined) {
        const item = Item.read(action);
        // Without an id nobody could ever finish it, and it would hold up its executor for good.
        return item.action && item.id !== undefined ? [{ by, n, t, id: item.id, item }] : [];
    }
    const once = own(value, 'once');
    return typeof once === 'string' ? [{ by, n, t, id: once, item: undefined }] : [];
}

function readWriter(value: Json): WriterEntry[] {
    if (!Array.isArray(value) || value.length !== 2) return [];
    const [writer, number] = value as readonly Json[];
    return typeof writer === 'string' && isCount(number) ? [[writer, number]] : [];
}

function writtenClaim({ by, n, t, id, item }: Claim): Json {
    return item === undefined ? { by, n, t, once: id } : { by, n, t, a: item.toJson() };
}
