import type { SessionState } from '../parties/extension';
import type { Proctor } from '../parties/proctor';
import { STEPS } from '../parties/student';
import { plain } from '../parties/words';
import { button, el } from './element';
import { STATES } from './extension';
import { partyView } from './party';
import { STEP_NAMES } from './student';

export function proctorView(proctor: Proctor): HTMLElement {
    const seen = el('dl', { class: 'seen' });
    proctor.party.data.watch(({ session, step, displayCount }) => {
        seen.replaceChildren(
            ...fact('Session', STATES[session as SessionState] ?? plain(session ?? '–')),
            ...fact('Student is at', STEP_NAMES[String(step)] ?? plain(step ?? '–')),
            ...fact('Displays', plain(displayCount ?? 'not asked')),
        );
    });
    const withdraw = button('Withdraw the last', () => proctor.withdraw());
    proctor.last.watch((last) => (withdraw.disabled = last === undefined));
    return partyView(
        proctor.party,
        'Proctor’s console',
        'tells both of them what to do',
        el('div', { class: 'stage' }, seen),
        el(
            'div',
            { class: 'actions' },
            button('Start', () => proctor.start(), { class: 'main' }),
            button('Pause', () => proctor.pause()),
            button('Resume', () => proctor.resume()),
            button('Stop', () => proctor.stop()),
        ),
        message(proctor),
        el('div', { class: 'actions' }, moving(proctor), button('Six actions in one write', () => proctor.burst()), withdraw),
    );
}

function fact(name: string, value: string): HTMLElement[] {
    return [el('dt', {}, name), el('dd', {}, value)];
}

function message(proctor: Proctor): HTMLElement {
    const text = el('input', { type: 'text', 'aria-label': 'Message', placeholder: 'Message', maxlength: 500, required: true });
    const where = el(
        'select',
        { 'aria-label': 'Where the message is shown' },
        el('option', { value: 'page' }, 'on the page'),
        el('option', { value: 'exam' }, 'over the exam'),
    );
    const send = el('button', { type: 'submit' }, 'Send');
    const form = el('form', { class: 'message' }, text, where, send);
    form.addEventListener('submit', (event) => {
        event.preventDefault();
        void proctor.say(text.value, where.value === 'exam' ? 'exam' : 'page').then((sent) => sent && form.reset());
    });
    return form;
}

/** Choosing a step moves the student there. */
function moving(proctor: Proctor): HTMLElement {
    const choice = el(
        'select',
        { 'aria-label': 'Move the student to a step' },
        el('option', { value: '' }, 'Move student to …'),
        ...STEPS.map((step) => el('option', { value: step }, STEP_NAMES[step] ?? step)),
    );
    choice.addEventListener('change', () => {
        const step = STEPS.find((step) => step === choice.value);
        choice.value = '';
        if (step !== undefined) void proctor.moveTo(step);
    });
    return choice;
}
