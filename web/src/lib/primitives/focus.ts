import { tick } from 'svelte';

/**
 * Ignores the second press of a double click: the card that it was meant for has left, and another one may have
 * moved under the pointer.
 */
export function ignoreDoubleClick(act: (e: MouseEvent) => unknown): (e: MouseEvent) => void {
	return (e) => {
		if (e.detail < 2) void act(e);
	};
}

/**
 * Where the keyboard goes when the card under it is answered and leaves: to its neighbour, else to the page.
 * Call it before, and what it returns after.
 */
export function keepFocus(from: EventTarget | null): () => Promise<void> {
	const card = (from as Element | null)?.closest('li, article, section');
	const next = card?.nextElementSibling ?? card?.previousElementSibling;
	return async () => {
		await tick();
		if (document.activeElement && document.activeElement !== document.body) return;
		const target = next?.isConnected ? next.querySelector<HTMLElement>('button, a[href], input') : null;
		(target ?? document.getElementById('main'))?.focus({ preventScroll: true });
	};
}
