import './style/colours.css';
import './style/page.css';
import './style/parts.css';
import './style/document.css';
import './style/party.css';

import { Observer } from './observer';
import { Extension } from './parties/extension';
import { Party } from './parties/party';
import { Proctor } from './parties/proctor';
import { Student } from './parties/student';
import { findPlace, forget, remember, type Place } from './place';
import { documentView } from './view/document';
import { el } from './view/element';
import { entranceView } from './view/entrance';
import { extensionView } from './view/extension';
import { proctorView } from './view/proctor';
import { studentView } from './view/student';
import { themeButton } from './view/theme';

const page = document.querySelector('main');
document.querySelector('.masthead')?.append(themeButton());
const place = findPlace();
if (place === undefined) ask();
else void enter(place);
// A new link in the address of a page that is open already.
addEventListener('hashchange', () => location.reload());

function ask(problem?: string): void {
    page?.replaceChildren(entranceView(problem, (place) => void enter(place)));
}

async function enter(place: Place): Promise<void> {
    page?.replaceChildren(el('p', { class: 'entrance', role: 'status' }, `Connecting to ${place.server} …`));
    try {
        page?.replaceChildren(...(await scene(place)));
        remember(place);
    } catch (error) {
        forget();
        ask(error instanceof Error ? error.message : String(error));
    }
}

/** Three parties and who looks on, each with a connection of its own. */
async function scene(place: Place): Promise<HTMLElement[]> {
    const [student, extension, proctor] = await Promise.all([
        Party.join('student', place),
        Party.join('extension', place),
        Party.join('proctor', place),
    ]);
    const observer = await Observer.join(place);
    return [
        documentView(observer, place.document),
        el(
            'div',
            { class: 'parties' },
            studentView(new Student(student)),
            extensionView(new Extension(extension)),
            proctorView(new Proctor(proctor)),
        ),
    ];
}
