import type { Content } from '../observer';
import { inWords } from '../parties/words';
import { el, keyed } from './element';

/** Answers wait in an executor's array like actions, but are for whoever asked. */
type State = 'running' | 'taken' | 'reply' | 'waits';

interface Shown {
    readonly action: object;
    readonly state: State;
    /** How often it was begun. */
    readonly attempt: number;
}

/** What stands below an action that does not merely wait. */
const NOTES: Readonly<Record<State, string | undefined>> = {
    running: 'running',
    taken: 'taken',
    reply: 'answer',
    waits: undefined,
};

/** The queue of one executor: what is being carried out, then what waits, the next one first. */
export function laneView(executor: string, title: string): { readonly view: HTMLElement; show(content: Content): void } {
    const list = el('ol', { class: 'queue', tabindex: 0, 'aria-label': `${executor}Actions, the next one first` });
    const count = el('span', { class: 'waiting' });
    const view = el(
        'section',
        { class: `lane ${executor}` },
        el('h3', {}, el('code', {}, `${executor}Actions`), el('span', { class: 'to' }, ` → ${title}`), count),
        list,
        el('p', { class: 'empty' }, 'Nothing waits.'),
    );
    const show = (content: Content): void => {
        const [taken, waiting] = [takenOf(content, executor), waitingOf(content, executor)];
        keyed(list, [...taken, ...waiting], ({ action }, at) => idOf(action) ?? `at ${at}`, item);
        count.textContent = waiting.length === 0 ? '' : `${waiting.length} waiting`;
        view.classList.toggle('is-empty', taken.length + waiting.length === 0);
    };
    return { view, show };
}

function waitingOf(content: Content, executor: string): Shown[] {
    const array = content[`${executor}Actions`];
    if (!Array.isArray(array)) return [];
    const stateOf = (action: object): State => (bookkeeping(action)?.re === undefined ? 'waits' : 'reply');
    return array.filter(isObject).map((action) => ({ action, state: stateOf(action), attempt: 0 }));
}

/** Several are taken in one write, and carried out one after the other. */
function takenOf(content: Content, executor: string): Shown[] {
    const claims = (content._sp as { claims?: Record<string, unknown> } | undefined)?.claims?.[executor];
    if (!Array.isArray(claims)) return [];
    return claims.filter(isObject).flatMap(({ a, n }, at) =>
        isObject(a) ? [{ action: a, state: at === 0 ? 'running' : 'taken', attempt: Number(n) }] : [],
    );
}

function item({ action, state, attempt }: Shown): HTMLElement {
    const note = state === 'running' && attempt > 1 ? `running, attempt ${attempt}` : NOTES[state];
    const [name, ...fields] = inWords(action).split(' · ');
    return el(
        'li',
        { class: `action ${state}` },
        el('code', {}, name ?? ''),
        fields.length === 0 ? undefined : el('span', { class: 'fields' }, fields.join(', ')),
        note === undefined ? undefined : el('span', { class: 'note' }, note),
    );
}

function idOf(action: object): string | undefined {
    const id = bookkeeping(action)?.id;
    return typeof id === 'string' ? id : undefined;
}

function bookkeeping(action: object): { id?: unknown; re?: unknown } | undefined {
    const { _sp } = action as { _sp?: unknown };
    return isObject(_sp) ? _sp : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}
