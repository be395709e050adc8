import type { Entry, Log } from '../log';
import { el, keyed } from './element';

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** What a party heard and did, newest first. */
export function logView(log: Log, label: string): HTMLElement {
    const list = el('ol', { class: 'log', 'aria-label': label, tabindex: 0 });
    log.entries.watch((entries) => keyed(list, entries, ({ id }) => String(id), line));
    return list;
}

function line({ at, event, text, tone, times }: Entry): HTMLElement {
    return el(
        'li',
        { class: `entry ${tone}` },
        el('time', { datetime: at.toISOString() }, CLOCK.format(at)),
        el('span', { class: 'what' }, el('code', {}, event), times > 1 ? ` ×${times}` : undefined, text === '' ? undefined : el('span', { class: 'text' }, text)),
    );
}
