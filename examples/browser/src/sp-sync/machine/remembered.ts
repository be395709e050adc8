import { FINISHED_REMEMBERED } from '../limits';

/** The latest 256 ids and a number with each. */
export class Remembered {
    private readonly numbers = new Map<string, number>();

    set(id: string, number: number): void {
        // A map gives its keys in the order in which they came. What comes again is among the latest.
        this.numbers.delete(id);
        this.numbers.set(id, number);
        if (this.numbers.size > FINISHED_REMEMBERED) {
            const [oldest] = this.numbers.keys();
            if (oldest !== undefined) this.numbers.delete(oldest);
        }
    }

    get(id: string): number | undefined {
        return this.numbers.get(id);
    }

    has(id: string): boolean {
        return this.numbers.has(id);
    }
}
