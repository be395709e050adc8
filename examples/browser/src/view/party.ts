import type { Party, Status } from '../parties/party';
import { el } from './element';
import { logView } from './log';

const WORDS: Record<Status, string> = {
    connected: 'connected',
    connecting: 'connecting …',
    cut: 'offline',
    refused: 'no access',
};

/** The frame of a party: who it is, whether it is connected, what it sees, what it can do, and what it heard. */
export function partyView(party: Party, title: string, role: string, stage: HTMLElement, ...controls: readonly HTMLElement[]): HTMLElement {
    const heading = `${party.name}-title`;
    const status = el('span', { class: 'status', role: 'status' });
    const online = el('input', { type: 'checkbox', role: 'switch', checked: true, 'aria-label': `${title}: network` });
    online.addEventListener('change', () => (online.checked ? party.mend() : party.cut()));
    party.status.watch((now) => {
        status.textContent = WORDS[now];
        status.dataset.status = now;
    });
    return el(
        'article',
        { class: `party ${party.name}`, 'aria-labelledby': heading },
        el(
            'header',
            {},
            el('div', {}, el('h2', { id: heading }, title), el('p', { class: 'role' }, role)),
            el('label', { class: 'network' }, status, online),
        ),
        stage,
        el('div', { class: 'controls' }, ...controls),
        el('h3', {}, 'Heard and done'),
        logView(party.log, `${title}: heard and done`),
    );
}
