import { anotherToken, connect } from './access';
import type { Place } from './place';
import { Value } from './value';
import { Wire } from './wire';

export type Content = Readonly<Record<string, unknown>>;

/** Sees the whole document through the SDK alone, bookkeeping and all, while parties come and go. It writes nothing. */
export class Observer {
    readonly content: Value<Content>;
    /** How many changes it has heard of. */
    readonly changes = new Value(0);

    private constructor(first: Content) {
        this.content = new Value(first);
    }

    static async join(place: Place): Promise<Observer> {
        const client = await connect(place, 'observer', new Wire());
        // With the SDK alone renewing is the page's own work. What fails now is tried again when the token ends.
        const renew = async (): Promise<void> => client.updateToken(await anotherToken(place, 'observer'));
        const tryToRenew = (): void => void renew().catch(() => undefined);
        client.on('tokenAboutToExpire', tryToRenew);
        client.on('tokenExpired', tryToRenew);
        const document = await client.document({ id: place.document, mode: 'open_existing' });
        const observer = new Observer(document.data as Content);
        document.on('updated', ({ data }: { data: Content }) => {
            observer.content.now = data;
            observer.changes.now += 1;
        });
        return observer;
    }
}
