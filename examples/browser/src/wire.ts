/**
 * A party's way to the network, which can be cut and mended while everybody else stays connected.
 *
 * The official SDK is not changed for this: it takes `WebSocket` from the global scope when a client is made, so a client
 * made inside `through` has sockets that this wire knows.
 */
export class Wire {
    #isCut = false;
    readonly #sockets = new Set<WebSocket>();

    get isCut(): boolean {
        return this.#isCut;
    }

    /** Every socket closes, what is on its way or sent after is lost, and new sockets fail. */
    cut(): void {
        this.#isCut = true;
        for (const socket of this.#sockets) {
            // The SDK may send before it hears that the socket is closing.
            socket.send = () => undefined;
            socket.close();
        }
        this.#sockets.clear();
    }

    mend(): void {
        this.#isCut = false;
    }

    /** What `make` returns; a client made in it connects through this wire. */
    through<T>(make: () => T): T {
        const real = globalThis.WebSocket;
        const connect = (url: string | URL): object => {
            if (this.#isCut) return new LostSocket();
            const socket = new real(url);
            this.#sockets.add(socket);
            socket.addEventListener('close', () => this.#sockets.delete(socket));
            return socket;
        };
        globalThis.WebSocket = new Proxy(real, { construct: (_, [url]) => connect(url) });
        try {
            return make();
        } finally {
            globalThis.WebSocket = real;
        }
    }
}

/** What there is without a network: a socket that closes before it was ever open. */
class LostSocket {
    readonly readyState = WebSocket.CLOSED;
    onclose: ((event: CloseEvent) => void) | null = null;

    constructor() {
        setTimeout(() => this.onclose?.(new CloseEvent('close', { code: 1006 })));
    }

    send(): void {}

    close(): void {}
}
