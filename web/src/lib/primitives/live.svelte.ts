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

/** An action that can be taken back for a while; the page shows it until the next one. */
export interface Undoable {
	text: string;
	undo: () => Promise<void>;
}

let last = $state<Undoable | null>(null);

export const undoable = {
	get current(): Undoable | null {
		return last;
	},
	clear(): void {
		last = null;
	}
};

/** Offer to take something back. */
export function offerUndo(text: string, undo: () => Promise<void>): void {
	last = { text, undo };
	announce(text);
}
