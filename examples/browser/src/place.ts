/** Where the service is, which document is shared, and what proves that the visitor may have tokens. */
export interface Place {
    /** `http://127.0.0.1:9080` */
    readonly server: string;
    /** The SP token. */
    readonly token: string;
    readonly document: string;
}

const KEPT = 'sp-sync place';

/** The place that the address names, or the one that this tab was at before a reload. */
export function findPlace(): Place | undefined {
    const named = fromFragment(location.hash);
    if (named === undefined) return remembered();
    // The token goes out of sight: not into the history, not into an address that is passed on.
    history.replaceState(null, '', location.pathname + location.search);
    return named;
}

/** Reads `#server=…&token=…&document=…`, as `sp-sync dev` prints it. */
export function fromFragment(fragment: string): Place | undefined {
    const named = new URLSearchParams(fragment.replace(/^.*#/, ''));
    const [server, token] = [named.get('server'), named.get('token')];
    if (!server || !token) return undefined;
    return { server: server.replace(/\/$/, ''), token, document: named.get('document') || 'Session_demo' };
}

/** For this tab only, until it is closed. */
export function remember(place: Place): void {
    sessionStorage.setItem(KEPT, JSON.stringify(place));
}

export function forget(): void {
    sessionStorage.removeItem(KEPT);
}

function remembered(): Place | undefined {
    const kept = sessionStorage.getItem(KEPT);
    return kept === null ? undefined : (JSON.parse(kept) as Place);
}
