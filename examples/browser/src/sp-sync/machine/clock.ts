/** The service's time, as its answers show it (C43). Clocks of different machines are never compared. */
export class ServiceClock {
    /** Service's time less local monotonic time: never too great, so what has expired here has expired there. */
    private offsetMs = -Infinity;

    /** Whether a write of this client was dated. Before, the clock may lag by the age of the newest change. */
    isFresh = false;

    /** The service has dated a change that was made at that time, at the latest now. */
    saw(dateMs: number, now: number): void {
        this.offsetMs = Math.max(this.offsetMs, dateMs - now);
    }

    /** The service's time in Unix milliseconds at this moment. */
    at(now: number): number {
        return Math.floor(this.offsetMs + now);
    }
}
