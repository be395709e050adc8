/**
 * A name for this run of a party, which a reload of the tab keeps: then the party resumes its own claims at once instead of
 * waiting for a lease. It is put away only while the page is left, so that a tab that is duplicated has another.
 */
export function claimInstance(party: string): string {
    const key = `sp-sync instance of ${party}`;
    const instance = sessionStorage.getItem(key) ?? crypto.randomUUID().slice(0, 8);
    sessionStorage.removeItem(key);
    addEventListener('pagehide', () => sessionStorage.setItem(key, instance));
    return instance;
}
