import { ActionRules } from '../catalogue';

/** What every action has; the log shows what else it carries. */
const COMMON = new Set(['action', 'executor', '_sp']);

/** `startSession · modality live` */
export function inWords(action: object): string {
    const { action: name } = action as { action?: unknown };
    const fields = Object.entries(discreet(action)).filter(([key]) => !COMMON.has(key));
    return [String(name), ...fields.map(([key, value]) => `${key} ${plain(value)}`)].join(' · ');
}

/** The whole as JSON, for reading. */
export function asJson(content: unknown): string {
    return JSON.stringify(content, (_, value: unknown) => (isAction(value) ? discreet(value) : value), 2);
}

/** An action without the values that the catalogue calls sensitive: nobody is to read them over a shoulder. */
function discreet(action: object): object {
    const name = String((action as { action?: unknown }).action);
    const fields = Object.hasOwn(ActionRules, name) ? (ActionRules[name]?.fields ?? []) : [];
    const hidden = fields.filter(({ name, sensitive }) => sensitive && Object.hasOwn(action, name));
    return { ...action, ...Object.fromEntries(hidden.map(({ name }) => [name, '(hidden)'])) };
}

function isAction(value: unknown): value is object {
    return typeof value === 'object' && value !== null && typeof (value as { action?: unknown }).action === 'string';
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
