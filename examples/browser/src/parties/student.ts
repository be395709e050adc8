import type { OnboardingStep } from '../catalogue';
import type { ActionFor, AnyResponse, Delivery } from '../sp-sync';
import { Value } from '../value';
import { Party } from './party';
import { inWords, pause, seconds } from './words';

/** The steps of this page, in order: some of those that the catalogue knows. */
export const STEPS: readonly OnboardingStep[] = [
    'welcome', 'extensionCheck', 'systemCheck', 'agreements', 'headshot', 'waitingRoom', 'examLaunch',
];

/** Long enough for an eye to see an action in its queue. */
const WORK_MS = 500;

/** What the student is told. */
export interface Told {
    readonly text: string;
    readonly severity: string;
}

/** The page that leads the student to the exam: carries out `onboardingActions`, and asks the extension. */
export class Student {
    /** The last answer of the extension, or why there is none. */
    readonly answer = new Value('');
    readonly asking = new Value(false);
    readonly told = new Value<Told | undefined>(undefined);

    constructor(readonly party: Party) {
        party.session.on('onboardingActionsAdded', (action, delivery) => this.carryOut(action, delivery));
    }

    get step(): OnboardingStep {
        return (this.party.data.now.step as OnboardingStep | undefined) ?? 'welcome';
    }

    get completed(): readonly OnboardingStep[] {
        return (this.party.data.now.completedSteps as OnboardingStep[] | undefined) ?? [];
    }

    /** Finishes this step and goes to the next. */
    async advance(): Promise<void> {
        const next = STEPS[STEPS.indexOf(this.step) + 1] ?? this.step;
        const completedSteps = [...new Set([...this.completed, this.step])];
        await this.party.attempt('setSync', () => this.party.session.setSync({ step: next, completedSteps }));
    }

    async askForDisplays(): Promise<void> {
        await this.ask('getDisplayCount', async () => {
            const { displayCount } = await this.party.session.request('getDisplayCount', { respondTo: 'onboarding' });
            await this.party.session.setSync({ displayCount });
            return displayCount === 1 ? 'One display is attached' : `${displayCount} displays are attached`;
        });
    }

    async ping(): Promise<void> {
        await this.ask('ping', async () => {
            await this.party.session.request('ping', { respondTo: 'onboarding' });
            return 'The extension is there';
        });
    }

    private async ask(name: string, question: () => Promise<string>): Promise<void> {
        const began = performance.now();
        this.asking.now = true;
        this.answer.now = `${name}: waiting for the extension …`;
        try {
            const answer = await question();
            this.answer.now = `${answer} (${seconds(performance.now() - began)}).`;
            this.party.log.add('request', `${name}: ${answer}`, 'good');
        } catch (error) {
            const why = error instanceof Error ? error.message : String(error);
            this.answer.now = `${name}: no answer (${why}).`;
            this.party.log.add('request', `${name}: ${why}`, 'bad');
        } finally {
            this.asking.now = false;
        }
    }

    private async carryOut(action: ActionFor<'onboarding'>, { attempt, signal }: Delivery): Promise<AnyResponse | undefined> {
        const again = attempt > 1 ? ` · attempt ${attempt}` : '';
        this.party.log.add('onboardingActionsAdded', inWords(action) + again);
        await pause(WORK_MS, signal);
        switch (action.action) {
            case 'goToStep':
                await this.party.session.setSync({ step: action.step });
                return;
            case 'showNotice':
                this.told.now = { text: action.text, severity: action.severity ?? 'info' };
                return;
            case 'setCheckInStatus':
                this.told.now = { text: `Your check-in: ${action.status}`, severity: 'info' };
                return;
            case 'getOnboardingState':
                return { step: this.step, completedSteps: this.completed };
            default:
                return;
        }
    }
}
