const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz';

/** A text never used before: 12 characters hold 62 bits of chance. */
export function randomText(): string {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    // 252 is the greatest multiple of 36 in a byte; the few bytes above it make four letters a little likelier.
    return Array.from(bytes, (byte) => LETTERS[byte % LETTERS.length]).join('');
}

/** A prefix and a number in few characters: ids are stored with every waiting action. */
export function numbered(prefix: string, number: number): string {
    return prefix + number.toString(36);
}
