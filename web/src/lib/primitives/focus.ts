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

/**
 * Svelte action on a form in a list: keeps the focus in its control where the list moves the form, because moving an
 * element takes the focus from it.
 */
export function keepFocusWhenMoved(node: HTMLElement): { destroy: () => void } {
	let last: HTMLElement | null = null;
	const entered = (e: FocusEvent) => (last = e.target as HTMLElement);
	const left = (e: FocusEvent) => e.relatedTarget && (last = null);
	const pressed = (e: PointerEvent) => node.contains(e.target as Node) || (last = null);
	const observer = new MutationObserver((records) => {
		if (!last?.isConnected || (document.activeElement && document.activeElement !== document.body)) return;
		const moved = records.some(({ removedNodes }) => [...removedNodes].some((removed) => removed.contains(node)));
		if (moved) last.focus({ preventScroll: true });
	});
	observer.observe(document.getElementById('main') ?? document.body, { childList: true, subtree: true });
	node.addEventListener('focusin', entered);
	node.addEventListener('focusout', left);
	document.addEventListener('pointerdown', pressed, true);
	return {
		destroy() {
			observer.disconnect();
			document.removeEventListener('pointerdown', pressed, true);
		}
	};
}

/** Inputs in which nobody types. */
const PRESSED = ['checkbox', 'radio', 'button', 'submit', 'reset', 'file', 'range', 'color', 'image'];

/** Whether somebody types there: keys belong to the field then. */
export function isTyping(target: EventTarget | null): boolean {
	if (!(target instanceof HTMLElement)) return false;
	if (target instanceof HTMLInputElement) return !PRESSED.includes(target.type);
	return target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
