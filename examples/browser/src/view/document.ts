import type { Content, Observer } from '../observer';
import { asJson, plain } from '../parties/words';
import { el, keyed } from './element';
import { laneView } from './lane';

/** What the service takes in one document. */
const BYTES_MAX = 16_384;

/** The shared document, live: its queues, its own fields, and the bookkeeping folded away. */
export function documentView(observer: Observer, name: string): HTMLElement {
    const lanes = [laneView('extension', 'browser extension'), laneView('onboarding', 'student’s page')];
    const fields = el('ul', { class: 'fields', 'aria-label': 'Fields of the document' });
    const [bookkeeping, whole] = [el('pre', { tabindex: 0 }), el('pre', { tabindex: 0 })];
    const size = el('p', { class: 'size' });
    const show = (content: Content): void => {
        for (const lane of lanes) lane.show(content);
        keyed(fields, Object.entries(content).filter(([key]) => isOwn(key)), ([key]) => key, field);
        bookkeeping.textContent = asJson(content._sp ?? {});
        whole.textContent = asJson(content);
        const bytes = new TextEncoder().encode(JSON.stringify(content)).length;
        size.textContent = `${bytes.toLocaleString('en')} of ${BYTES_MAX.toLocaleString('en')} bytes`;
    };
    observer.content.watch(show);
    return el(
        'section',
        { class: 'document', 'aria-labelledby': 'document-title' },
        el('header', {}, el('h2', { id: 'document-title' }, 'The document ', el('code', {}, name)), size),
        el('div', { class: 'lanes' }, ...lanes.map(({ view }) => view)),
        el('div', { class: 'content' }, el('h3', {}, 'Fields'), fields),
        el(
            'div',
            { class: 'folded' },
            el('details', {}, el('summary', {}, 'Bookkeeping ', el('code', {}, '_sp')), bookkeeping),
            el('details', {}, el('summary', {}, 'As JSON'), whole),
        ),
    );
}

/** Neither a queue nor the bookkeeping. */
function isOwn(key: string): boolean {
    return key !== '_sp' && !key.endsWith('Actions');
}

function field([key, value]: readonly [string, unknown]): HTMLElement {
    return el('li', { class: 'field' }, el('code', {}, key), el('span', {}, plain(value)));
}
