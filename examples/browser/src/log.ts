import { Value } from './value';

/** Older entries are forgotten. */
const ENTRIES_MAX = 60;

export type Tone = 'plain' | 'good' | 'bad';

/** Something that a party heard or did. */
export interface Entry {
    readonly id: number;
    readonly at: Date;
    /** Name of the event, as the original names it, or of the call. */
    readonly event: string;
    readonly text: string;
    readonly tone: Tone;
    /** How often it came in a row. */
    readonly times: number;
}

/** What a party heard and did, newest first. */
export class Log {
    readonly entries = new Value<readonly Entry[]>([]);
    #last = 0;

    add(event: string, text = '', tone: Tone = 'plain'): void {
        const [newest, ...older] = this.entries.now;
        const again = newest !== undefined && newest.event === event && newest.text === text && newest.tone === tone;
        const entry = again
            ? { ...newest, at: new Date(), times: newest.times + 1 }
            : { id: ++this.#last, at: new Date(), event, text, tone, times: 1 };
        const rest = again ? older : this.entries.now;
        this.entries.now = [entry, ...rest].slice(0, ENTRIES_MAX);
    }
}
