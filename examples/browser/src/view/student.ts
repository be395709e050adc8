import { STEPS, type Student } from '../parties/student';
import { button, el } from './element';
import { partyView } from './party';

/** Names of the steps, as a student reads them. */
export const STEP_NAMES: Readonly<Record<string, string>> = {
    welcome: 'Welcome',
    extensionCheck: 'Extension',
    systemCheck: 'System',
    agreements: 'Agreements',
    headshot: 'Photograph',
    waitingRoom: 'Waiting room',
    examLaunch: 'Exam',
};

export function studentView(student: Student): HTMLElement {
    const steps = el('ol', { class: 'steps', 'aria-label': 'Steps of onboarding' });
    const next = button('Continue', () => student.advance(), { class: 'main' });
    const displays = button('Ask for displays', () => student.askForDisplays());
    const ping = button('Ping the extension', () => student.ping());
    const answer = el('output', { class: 'answer', 'aria-live': 'polite' });
    const told = el('p', { class: 'told', role: 'status' });

    student.party.data.watch(() => {
        steps.replaceChildren(...STEPS.map((step) => stepView(step, student)));
        next.disabled = student.step === STEPS.at(-1);
    });
    student.answer.watch((now) => (answer.textContent = now));
    student.asking.watch((asking) => (displays.disabled = ping.disabled = asking));
    student.told.watch((now) => {
        told.textContent = now?.text ?? '';
        told.dataset.severity = now?.severity ?? '';
    });
    return partyView(
        student.party,
        'Student’s page',
        'carries out onboardingActions',
        el('div', { class: 'stage' }, steps, told),
        el('div', { class: 'actions' }, next, displays, ping),
        answer,
    );
}

function stepView(step: string, student: Student): HTMLElement {
    const isHere = step === student.step;
    const isDone = (student.completed as readonly string[]).includes(step);
    const name = STEP_NAMES[step] ?? step;
    return el(
        'li',
        { class: isHere ? 'here' : isDone ? 'done' : 'ahead', 'aria-current': isHere ? 'step' : undefined },
        el('span', {}, name),
        isDone && !isHere ? el('span', { class: 'unseen' }, ' (done)') : undefined,
    );
}
