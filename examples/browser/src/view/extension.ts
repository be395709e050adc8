import type { Extension, SessionState } from '../parties/extension';
import { button, el } from './element';
import { partyView } from './party';

const DISPLAYS_MAX = 4;

export const STATES: Readonly<Record<SessionState, string>> = {
    notStarted: 'No session yet',
    live: 'Watching live',
    paused: 'Paused',
    stopped: 'Session over',
};

const PACES = [
    ['At once', 0],
    ['1 s', 1_000],
    ['3 s', 3_000],
] as const;

export function extensionView(extension: Extension): HTMLElement {
    const state = el('p', { class: 'state', role: 'status' });
    const cover = el('p', { class: 'told', role: 'status' });
    const count = el('output', { class: 'count', 'aria-live': 'polite' });
    const fewer = button('−', () => (extension.displays.now -= 1), { 'aria-label': 'One display fewer' });
    const more = button('+', () => (extension.displays.now += 1), { 'aria-label': 'One display more' });
    const fail = button('Fail the next action', () => (extension.failsNext.now = !extension.failsNext.now));

    extension.party.data.watch(() => {
        state.textContent = STATES[extension.state] ?? extension.state;
        state.dataset.state = extension.state;
    });
    extension.displays.watch((now) => {
        count.textContent = String(now);
        fewer.disabled = now <= 1;
        more.disabled = now >= DISPLAYS_MAX;
    });
    extension.failsNext.watch((now) => fail.setAttribute('aria-pressed', String(now)));
    extension.cover.watch((now) => (cover.textContent = now ?? ''));
    return partyView(
        extension.party,
        'Browser extension',
        'carries out extensionActions',
        el('div', { class: 'stage' }, state, cover),
        el(
            'div',
            { class: 'settings' },
            el('div', { class: 'setting', role: 'group', 'aria-label': 'Displays' }, el('span', {}, 'Displays'), fewer, count, more),
            pace(extension),
        ),
        el('div', { class: 'actions' }, fail),
    );
}

/** How long it takes for each action. */
function pace(extension: Extension): HTMLElement {
    const choices = PACES.map(([label, ms]) => {
        const input = el('input', { type: 'radio', name: 'pace', checked: ms === extension.workMs.now });
        input.addEventListener('change', () => (extension.workMs.now = ms));
        return el('label', {}, input, el('span', {}, label));
    });
    return el('fieldset', { class: 'setting pace' }, el('legend', {}, 'Each action takes'), ...choices);
}
