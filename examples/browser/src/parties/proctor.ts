import type { OnboardingStep } from '../catalogue';
import type { Receipt } from '../sp-sync';
import { Value } from '../value';
import { Party } from './party';

/** Actions of one call. */
interface Sent {
    readonly what: string;
    readonly ids: readonly string[];
}

/** Who watches: tells the others what to do, and sees in the document what came of it. */
export class Proctor {
    /** What was sent last and may still wait. */
    readonly last = new Value<Sent | undefined>(undefined);

    constructor(readonly party: Party) {}

    /** Takes back what was sent last, unless somebody has taken it in hand by now. */
    async withdraw(): Promise<void> {
        const { last, party } = this;
        if (last.now === undefined) return;
        const { what, ids } = last.now;
        last.now = undefined;
        await party.attempt('withdraw', async () => {
            const done = await Promise.all(ids.map((id) => party.session.withdraw(id)));
            const count = done.filter((gone) => gone).length;
            const told = count === 0 ? `${what}: too late, it is in hand or done` : `${what}: ${count} of ${ids.length} taken back`;
            party.log.add('withdraw', told, count === 0 ? 'bad' : 'good');
        });
    }

    start(): Promise<boolean> {
        return this.tell('startSession', () => this.party.session.addAction('startSession', { modality: 'live' }));
    }

    pause(): Promise<boolean> {
        return this.tell('pauseSession', () => this.party.session.addAction('pauseSession', { reason: 'A short break' }));
    }

    resume(): Promise<boolean> {
        return this.tell('resumeSession', () => this.party.session.addAction('resumeSession'));
    }

    stop(): Promise<boolean> {
        return this.tell('stopSession', () => this.party.session.addAction('stopSession'));
    }

    /** To the student's page, or over the exam. */
    say(text: string, where: 'page' | 'exam'): Promise<boolean> {
        return where === 'page'
            ? this.tell('showNotice', () => this.party.session.addAction('showNotice', { text }))
            : this.tell('showMessage', () => this.party.session.addAction('showMessage', { text }));
    }

    moveTo(step: OnboardingStep): Promise<boolean> {
        return this.tell('goToStep', () => this.party.session.addAction('goToStep', { step }));
    }

    /** Six actions for two executors in one write: nobody's action comes between them. */
    burst(): Promise<boolean> {
        return this.tell('six actions in one write', () =>
            this.party.session.addActions([
                ['startSession', { modality: 'live' }],
                ['showNotice', { text: 'The exam is about to begin.' }],
                ['captureScreenshot', { reason: 'Beginning of the exam' }],
                ['setCheckInStatus', { status: 'approved' }],
                ['showMessage', { text: 'Good luck.' }],
                ['goToStep', { step: 'examLaunch' }],
            ]),
        );
    }

    private async tell(what: string, act: () => Promise<Receipt | Receipt[]>): Promise<boolean> {
        const sent = await this.party.attempt(what, async () => {
            this.last.now = { what, ids: [await act()].flat().map(({ id }) => id) };
        });
        if (sent) this.party.log.add('addAction', what, 'good');
        return sent;
    }
}
