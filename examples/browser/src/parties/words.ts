/** What every action has; the log shows what else it carries. */
const COMMON = new Set(['action', 'executor', '_sp']);

/** `startSession · modality live` */
export function inWords(action: object): string {
    const { action: name } = action as { action?: unknown };
    const fields = Object.entries(action).filter(([key]) => !COMMON.has(key));
    return [String(name), ...fields.map(([key, value]) => `${key} ${plain(value)}`)].join(' · ');
}

/** A value for reading: texts without quotes, everything else as JSON. */
export function plain(value: unknown): string {
    return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Milliseconds in seconds, one digit. */
export function seconds(ms: number): string {
    return `${(ms / 1000).toFixed(1)} s`;
}

/** Passes when the time is over; fails when `signal` says that somebody else has the work now. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, ms);
        signal.addEventListener('abort', () => {
            clearTimeout(timer);
            reject(new Error('taken over'));
        });
    });
}
