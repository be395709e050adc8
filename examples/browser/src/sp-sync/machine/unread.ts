/** Responses that are meant for one client (C51): others may have them after a lease, and in the end they go. */

import type { Document } from '../heart/document';
import type { Item } from '../heart/item';
import { UNREAD_LEASES, UNREAD_LEASES_OWN, UNREAD_PER_WRITE } from '../limits';
import type { View, Wishes } from './view';

/** Responses addressed to one client that lie in an executor's array. */
export class Addressed {
    /** By id: since when. */
    private since = new Map<string, number>();

    constructor(private readonly executor: string) {}

    look(document: Document, now: number): void {
        const lying = document.waiting(this.executor).filter((item) => item.isAddressed);
        this.since = new Map(lying.flatMap(({ id }) => (id === undefined ? [] : [[id, this.since.get(id) ?? now]])));
    }

    private liesSince(item: Item): number | undefined {
        return item.id === undefined ? undefined : this.since.get(item.id);
    }

    /** Responses to other clients that have lain here for a lease: anybody may have them (C51). */
    released(document: Document, view: View, wishes: Wishes): Set<string> {
        const released = new Set<string>();
        for (const item of document.waiting(this.executor)) {
            const since = this.liesSince(item);
            if (since === undefined || item.id === undefined) continue;
            if (since + view.leaseMs <= view.now) released.add(item.id);
            else if (item.tag.to !== view.by) wishes.wake(since + view.leaseMs);
        }
        return released;
    }

    /**
     * Removes what nobody will ever read: an array without a reader must not fill up with answers to clients that have
     * gone (C56). The client that asked removes its own; what others left behind goes with the next write.
     */
    wishAway(document: Document, view: View, wishes: Wishes): void {
        let removed = 0;
        for (const item of document.waiting(this.executor)) {
            const since = this.liesSince(item);
            if (since === undefined) continue;
            const own = item.tag.to === view.by;
            const from = since + view.leaseMs * (own ? UNREAD_LEASES_OWN : UNREAD_LEASES);
            if (from <= view.now && removed < UNREAD_PER_WRITE) {
                removed += 1;
                wishes.operations.push({ op: 'TakeResponse', executor: this.executor, item });
                wishes.urgent ||= own;
            } else if (own) {
                wishes.wake(from);
            }
        }
    }
}
