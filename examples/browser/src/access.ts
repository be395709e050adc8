import { SyncClient } from 'twilio-sync';
import type { Place } from './place';
import type { Wire } from './wire';

/** A short cut is mended within seconds. The SDK's own pauses grow to two minutes, too long to watch. */
const RETRY = { min: 300, max: 2_000, randomness: 0.2 };

interface Access {
    /** What the SDK shows to the service. */
    readonly token: string;
    /** Where the service is: a `ws` or `wss` address. */
    readonly endpoint: string;
}

/** An official SDK client of this identity. Whoever holds it has its tokens renewed. */
export async function connect(place: Place, identity: string, wire: Wire): Promise<SyncClient> {
    const { token, endpoint } = await access(place, identity);
    const options = { twilsock: { uri: endpoint }, retryPolicy: RETRY, logLevel: 'silent' } as const;
    return wire.through(() => new SyncClient(token, options));
}

/** Another token for this identity. */
export async function anotherToken(place: Place, identity: string): Promise<string> {
    return (await access(place, identity)).token;
}

async function access({ server, token, document }: Place, identity: string): Promise<Access> {
    const response = await fetch(`${server}/sync/tokens`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ identity, documentId: document }),
    });
    if (!response.ok) throw new Error(`${server} gives no token for ${identity}: status ${response.status}`);
    return (await response.json()) as Access;
}
