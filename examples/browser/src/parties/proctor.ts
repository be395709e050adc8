import type { OnboardingStep } from '../catalogue';
import { Party } from './party';

/** Who watches: tells the others what to do, and sees in the document what came of it. */
export class Proctor {
    constructor(readonly party: Party) {}

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

    private async tell(what: string, act: () => Promise<unknown>): Promise<boolean> {
        const sent = await this.party.attempt(what, act);
        if (sent) this.party.log.add('addAction', what, 'good');
        return sent;
    }
}
