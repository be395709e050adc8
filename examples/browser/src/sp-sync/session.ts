import type { ActionName, ExecutorName, InfoArguments, RequestName, ResponseOf } from '../catalogue';
import { SpSyncError } from './error';
import type { Json, JsonObject } from './json';
import type { Notice } from './notice';
import type { ActionsAdded, BatchEntry, Handler, Receipt, RequestInfo } from './typed';

/** What is needed of the official SDK's `SyncClient`. */
export interface DocumentOpener {
    document(options: object): Promise<unknown>;
}

/** How a session is opened. */
export interface SessionOptions {
    /** Who this is. */
    readonly identity: string;
    /** Kept over a reload it lets the client resume its own claims at once (C40). Default: random. */
    readonly instance?: string;
    /** Becomes the content if this call makes the document (C4). */
    readonly initialData?: JsonObject;
    /** Seconds after which the service removes the document, if this call makes it. */
    readonly ttlSeconds?: number;
    /** A claim that has not changed for so long may be taken over (C40). Default: 30 000. */
    readonly leaseMs?: number;
    /** Hears what no call can report. */
    readonly onNotice?: (notice: Notice) => void;
}

/** One shared document and the action queues in it. */
export class SpSync {
    private constructor() {}

    static async open(_client: DocumentOpener, _documentId: string, _options: SessionOptions): Promise<SpSync> {
        throw new SpSyncError('Closed', 'not built yet');
    }

    getSync(): JsonObject;
    getSync(key: string): Json | undefined;
    getSync(_key?: string): Json | undefined {
        throw new SpSyncError('Closed', 'not built yet');
    }

    async setSync(_data: JsonObject): Promise<void> {}

    async unset(_keys: readonly string[]): Promise<void> {}

    on(event: 'spSyncDocUpdated', listener: (data: JsonObject) => void): () => void;
    on<E extends ExecutorName>(event: ActionsAdded<E>, handler: Handler<E>): () => void;
    on(_event: string, _listener: unknown): () => void {
        return () => {};
    }

    async addAction<A extends ActionName>(_action: A, ..._info: InfoArguments<A>): Promise<Receipt> {
        throw new SpSyncError('Closed', 'not built yet');
    }

    async addActions(_batch: readonly BatchEntry[]): Promise<Receipt[]> {
        return [];
    }

    async request<A extends RequestName>(_action: A, _info: RequestInfo<A>): Promise<ResponseOf[A]> {
        throw new SpSyncError('Closed', 'not built yet');
    }

    async withdraw(_id: string): Promise<boolean> {
        return false;
    }

    async close(): Promise<void> {}
}
