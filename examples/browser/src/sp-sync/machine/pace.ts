/** Keeps writes within the service's rate, averaged over ten seconds (C57): so much may be written at once after a rest. */
const BURST_MS = 10_000;

export class Pace {
    /** Writes before this moment are used up. */
    private spentUntil = -Infinity;

    constructor(private readonly writesPerSecond: number) {}

    /** When the next write may go. */
    nextAt(): number {
        return this.spentUntil - BURST_MS;
    }

    wrote(now: number): void {
        this.spentUntil = Math.max(this.spentUntil, now) + 1_000 / this.writesPerSecond;
    }
}
