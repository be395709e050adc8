import { fromFragment, type Place } from '../place';
import { el } from './element';

/** Asks where the service is, for a visitor who came without the link that `sp-sync dev` prints. */
export function entranceView(problem: string | undefined, enter: (place: Place) => void): HTMLElement {
    const link = el('input', {
        type: 'url', name: 'link', required: true, autocomplete: 'off', spellcheck: 'false',
        placeholder: 'http://127.0.0.1:5173/#server=…&token=…',
    });
    const wrong = el('p', { class: 'wrong', role: 'alert' }, problem ?? '');
    const form = el(
        'form',
        { class: 'entrance' },
        el('h2', {}, 'Where is the service?'),
        el('p', {}, 'Start one in a clone of the repository, and follow the link that it prints, or paste it here:'),
        el('pre', {}, 'cargo run --features cli,server -- dev'),
        el('label', {}, 'Link', link),
        el('button', { type: 'submit', class: 'main' }, 'Enter'),
        wrong,
    );
    form.addEventListener('submit', (event) => {
        event.preventDefault();
        const place = fromFragment(link.value);
        if (place === undefined) wrong.textContent = 'The link has no #server=… and token=… in it.';
        else enter(place);
    });
    return form;
}
