import { untrack } from 'svelte';
/** The one place through which the app speaks to a screen reader; Shell draws it. */
let message = $state('');

export const live = {
	get message(): string {
		return message;
	}
};

/** Say something politely. The same sentence twice is heard twice. */
export function announce(text: string): void {
	// An effect that announces does not depend on what was announced before.
	message = untrack(() => message) === text ? `${text}\u00a0` : text;
}
