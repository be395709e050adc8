/** A value that tells whoever watches it when it changes. */
export class Value<T> {
    #now: T;
    readonly #watchers = new Set<(now: T) => void>();

    constructor(first: T) {
        this.#now = first;
    }

    get now(): T {
        return this.#now;
    }

    set now(next: T) {
        if (Object.is(next, this.#now)) return;
        this.#now = next;
        for (const watcher of this.#watchers) watcher(next);
    }

    /** Calls `watcher` with the value at once, and again at every change. */
    watch(watcher: (now: T) => void): void {
        this.#watchers.add(watcher);
        watcher(this.#now);
    }
}
