import type { ActionFor, AnyResponse, Delivery, JsonObject } from '../sp-sync';
import { Value } from '../value';
import { Party } from './party';
import { inWords, pause } from './words';

/** How the exam stands, kept in the document under `session`. */
export type SessionState = 'notStarted' | 'live' | 'paused' | 'stopped';

/** The extension beside the exam: carries out `extensionActions`, and answers. */
export class Extension {
    /** What the visitor says that it counts. */
    readonly displays = new Value(2);
    /** How long each action takes: with some time, one sees the queue. */
    readonly workMs = new Value(1_000);
    /** Whether the next action fails, to be tried again. */
    readonly failsNext = new Value(false);
    /** A text that lies over the exam. */
    readonly cover = new Value<string | undefined>(undefined);

    constructor(readonly party: Party) {
        party.session.on('extensionActionsAdded', (action, delivery) => this.carryOut(action, delivery));
    }

    get state(): SessionState {
        return (this.party.data.now.session as SessionState | undefined) ?? 'notStarted';
    }

    private async carryOut(action: ActionFor<'extension'>, { attempt, signal }: Delivery): Promise<AnyResponse | undefined> {
        const again = attempt > 1 ? ` · attempt ${attempt}` : '';
        this.party.log.add('extensionActionsAdded', inWords(action) + again);
        await pause(this.workMs.now, signal);
        if (this.failsNext.now) {
            this.failsNext.now = false;
            this.party.log.add('failed', `${action.action}: it is tried again`, 'bad');
            throw new Error('the visitor wanted it');
        }
        return this.done(action);
    }

    private async done(action: ActionFor<'extension'>): Promise<AnyResponse | undefined> {
        switch (action.action) {
            case 'startSession':
                await this.becomes('live', { modality: action.modality });
                return;
            case 'pauseSession':
                await this.becomes('paused');
                return;
            case 'resumeSession':
                await this.becomes('live');
                return;
            case 'stopSession':
                this.cover.now = undefined;
                await this.becomes('stopped');
                return;
            case 'getDisplayCount':
                return { displayCount: this.displays.now };
            case 'ping':
                return { receivedAt: new Date().toISOString() };
            case 'showMessage':
                this.cover.now = action.text;
                return { acknowledged: true };
            case 'lockScreen':
                this.cover.now = action.message;
                return;
            case 'unlockScreen':
                this.cover.now = undefined;
                return;
            default:
                // Anything else of the catalogue is carried out by being seen in the log.
                return;
        }
    }

    private async becomes(session: SessionState, more: JsonObject = {}): Promise<void> {
        await this.party.session.setSync({ session, ...more });
    }
}
