type Child = Node | string | undefined;
type Attribute = string | number | boolean | ((event: Event) => void) | undefined;

/**
 * An element with attributes and children. A function is a listener (`onclick`), `true` an attribute without a value, and
 * `false` or `undefined` none. Texts become text nodes, never markup: what others wrote into the document is only shown.
 */
export function el<K extends keyof HTMLElementTagNameMap>(
    tag: K,
    attributes: Readonly<Record<string, Attribute>> = {},
    ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) set(element, name, value);
    element.append(...children.filter((child) => child !== undefined));
    return element;
}

function set(element: HTMLElement, name: string, value: Attribute): void {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
}

/** A button; what it does goes by itself, and its failures are in the log of its party. */
export function button(label: string, act: () => unknown, attributes: Readonly<Record<string, Attribute>> = {}): HTMLButtonElement {
    return el('button', { type: 'button', onclick: () => void act(), ...attributes }, label);
}

/** Shows these items in this order; an element that says the same as before stays, and only what is new moves in. */
export function keyed<T>(
    list: HTMLElement,
    items: readonly T[],
    key: (item: T, at: number) => string,
    make: (item: T) => HTMLElement,
): void {
    const before = new Map([...list.children].map((child) => [(child as HTMLElement).dataset.key, child]));
    const shown = items.map((item, at) => {
        const element = make(item);
        element.dataset.key = key(item, at);
        const old = before.get(element.dataset.key);
        if (old?.isEqualNode(element)) return old;
        if (old === undefined && !wantsStillness()) {
            element.animate([{ opacity: 0, transform: 'translateY(0.3rem)' }, {}], { duration: 220, easing: 'ease-out' });
        }
        return element;
    });
    list.replaceChildren(...shown);
}

function wantsStillness(): boolean {
    return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
