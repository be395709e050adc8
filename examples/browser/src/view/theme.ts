import { button } from './element';

const KEPT = 'sp-sync theme';

/** Light or dark: as the system says until the visitor says otherwise. */
export function themeButton(): HTMLElement {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const root = document.documentElement;
    const isDark = (): boolean => (root.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark';
    const kept = localStorage.getItem(KEPT);
    if (kept !== null) root.dataset.theme = kept;
    const turn = button('', () => {
        root.dataset.theme = isDark() ? 'light' : 'dark';
        localStorage.setItem(KEPT, root.dataset.theme);
        show();
    });
    const show = (): void => void (turn.textContent = isDark() ? 'Light' : 'Dark');
    system.addEventListener('change', show);
    show();
    turn.classList.add('quiet');
    return turn;
}
