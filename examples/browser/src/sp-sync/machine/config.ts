import type { ActionRule } from '../../catalogue';
import type { ActionBody } from '../heart/item';
import type { Rules } from '../heart/operation';
import type { Notice } from '../notice';

/** What does not change while a client lives. */
export interface Config {
    /** `<identity>#<instance>`. */
    readonly by: string;
    readonly instance: string;
    /** The application gave the instance: an earlier life may have had the same. */
    readonly kept: boolean;
    /** Never used before: ids of this life begin with it. */
    readonly fresh: string;
    readonly leaseMs: number;
    readonly writesPerSecond: number;
    readonly rules: Rules;
    readonly executors: readonly string[];
    readonly rulesOf: (action: string) => ActionRule | undefined;
}

/** An action to be carried out. */
export interface Start {
    readonly executor: string;
    readonly action: ActionBody;
    readonly id: string;
    readonly attempt: number;
}

/** What the machine has done by others. None of them may call the machine before it returns. */
export interface Hooks {
    /** Hand this action over; its end is reported with `ended`. */
    readonly start: (start: Start) => void;
    /** The action is no longer this client's: stop its handler. Answers whether a handler has seen it. */
    readonly cancel: (id: string) => boolean;
    readonly notice: (notice: Notice) => void;
    /** The content may look different to the application. */
    readonly changed: () => void;
}
