import type { SyncClient } from 'twilio-sync';
import { anotherToken, connect } from '../access';
import { Log } from '../log';
import type { Place } from '../place';
import { SpSync, type JsonObject } from '../sp-sync';
import { Value } from '../value';
import { Wire } from '../wire';
import { claimInstance } from './instance';

export type PartyName = 'student' | 'extension' | 'proctor';

/** `cut`: the visitor took this party's network away. */
export type Status = 'connected' | 'connecting' | 'cut' | 'refused';

/** What the document holds when the first party opens it. */
const INITIAL_DATA = { reliableConnection: true, step: 'welcome', completedSteps: [], session: 'notStarted' };

/** What all three have: a client of the official SDK, a document opened through it, and a log. */
export class Party {
    readonly status = new Value<Status>('connecting');
    /** The document as this party knows it: old while it is cut off. */
    readonly data = new Value<JsonObject>({});

    private constructor(
        readonly name: PartyName,
        readonly session: SpSync,
        readonly log: Log,
        private readonly client: SyncClient,
        private readonly wire: Wire,
    ) {
        this.data.now = session.getSync();
        session.on('spSyncDocUpdated', (data: JsonObject) => {
            this.log.add('spSyncDocUpdated', changes(this.data.now, data));
            this.data.now = data;
        });
        client.on('connectionStateChanged', () => this.look());
        this.look();
        addEventListener('pagehide', () => void session.close());
    }

    static async join(name: PartyName, place: Place): Promise<Party> {
        const [log, wire] = [new Log(), new Wire()];
        const client = await connect(place, name, wire);
        const session = await SpSync.open(client, place.document, {
            identity: name,
            instance: claimInstance(name),
            initialData: INITIAL_DATA,
            renewToken: async () => {
                const token = await anotherToken(place, name);
                log.add('renewToken', 'another access token', 'good');
                return token;
            },
            onNotice: (notice) => log.add(notice.kind, 'action' in notice ? String(notice.action) : '', 'bad'),
        });
        return new Party(name, session, log, client, wire);
    }

    cut(): void {
        this.wire.cut();
        this.log.add('cut off', 'the network is gone', 'bad');
        this.look();
    }

    mend(): void {
        this.wire.mend();
        this.log.add('back', 'the network is there again', 'good');
        this.look();
    }

    /** Does what the visitor asked for; what went wrong stands in the log, where it is looked for. */
    async attempt(call: string, act: () => Promise<unknown>): Promise<boolean> {
        try {
            await act();
            return true;
        } catch (error) {
            this.log.add(call, error instanceof Error ? error.message : String(error), 'bad');
            return false;
        }
    }

    private look(): void {
        this.status.now = this.wire.isCut ? 'cut' : STATUS[this.client.connectionState] ?? 'connecting';
    }
}

/** Other states of the SDK pass by themselves. */
const STATUS: Partial<Record<string, Status>> = { connected: 'connected', denied: 'refused', disconnected: 'refused' };

/** The keys whose values differ, in words. */
function changes(before: JsonObject, after: JsonObject): string {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    const changed = [...keys].filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
    return changed.length === 0 ? 'bookkeeping' : changed.join(', ');
}
