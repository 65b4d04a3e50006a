/**
 * Whether a person could read what they would approve (rule MODULES C10): the card was wholly visible for half a
 * second, or scrolled to its end where it is taller than the window, and every folded text of it was opened.
 *
 * A reading is kept by the card's face: the operations and the values that they were proposed upon. Another face is
 * read anew.
 */
import { SvelteMap } from 'svelte/reactivity';
import type { Proposal, ProposalCard } from '$lib/core/types';
import { faceOf } from '$lib/replica/executor';
import { cardOf, foldKey, foldsOf } from './card';
import { proposals } from './proposals.svelte';

/** How long a card is to be visible, and how long the cards rest after some arrived or left, in milliseconds. */
export const READ_MS = 500;

/** Bars that may lie over the window's edges, in pixels: a card that fits between them is to be visible at once. */
const BARS = 120;

/** The most cards that are remembered; the oldest are read anew. */
const MOST = 1_000;

interface Reading {
	face: string;
	read: boolean;
	opened: readonly string[];
}

const readings = new SvelteMap<string, Reading>();

function readingOf(proposal: Proposal): Reading {
	const known = readings.get(proposal.id);
	const face = faceOf(proposal);
	return known?.face === face ? known : { face, read: false, opened: [] };
}

function keep(proposal: Proposal, change: Partial<Reading>): void {
	readings.set(proposal.id, { ...readingOf(proposal), ...change });
	const oldest = readings.size > MOST ? readings.keys().next().value : undefined;
	if (oldest !== undefined) readings.delete(oldest);
}

/** The cards were visible long enough. */
export function noteShown(shown: readonly Proposal[]): void {
	for (const proposal of shown) keep(proposal, { read: true });
}

/** Every card is to be read anew. */
export function forgetReadings(): void {
	readings.clear();
}

/** A folded text of the card was opened. */
export function openFold(proposal: Proposal, fold: string): void {
	const { opened } = readingOf(proposal);
	if (!opened.includes(fold)) keep(proposal, { opened: [...opened, fold] });
}

/** Whether a folded text of the card is open. */
export function isOpened(proposal: Proposal, fold: string): boolean {
	return readingOf(proposal).opened.includes(fold);
}

/** The folded texts that are still to be opened. */
export function unopened(proposal: Proposal, card: ProposalCard = cardOf(proposal)): string[] {
	const { opened } = readingOf(proposal);
	return foldsOf(card).filter((fold) => !opened.includes(fold));
}

/** The card, unless it can't be drawn: nobody has read it then, and the other cards of its page are not affected. */
function drawn(proposal: Proposal): ProposalCard | undefined {
	try {
		return cardOf(proposal);
	} catch {
		return undefined;
	}
}

/** Every folded text of the card is open: the page shows them whole. */
export function openAll(proposal: Proposal): void {
	const card = drawn(proposal);
	for (const fold of card ? foldsOf(card) : []) openFold(proposal, fold);
}

/** Whether everything of the card could be read, and no card moved just now. */
export function isRead(proposal: Proposal): boolean {
	if (proposals.moving || !readingOf(proposal).read) return false;
	const card = drawn(proposal);
	return card !== undefined && unopened(proposal, card).length === 0;
}

/** Whether the card was visible, whatever is folded on it. */
export function wasShown(proposal: Proposal): boolean {
	return readingOf(proposal).read;
}

/**
 * Whether everything was read that a form does not show itself: `shown` are the fields of the first operation that the
 * form holds. The other fields are read on the card.
 */
export function isReadBeside(proposal: Proposal, shown: ReadonlySet<string>): boolean {
	const card = cardOf(proposal);
	const beside = card.operations.flatMap(({ fields }, operation) =>
		fields.filter(({ field }) => operation > 0 || !shown.has(field)).map(({ field }) => foldKey(operation, field))
	);
	if (beside.length === 0) return true;
	return wasShown(proposal) && unopened(proposal, card).every((fold) => !beside.includes(fold));
}

interface Watch {
	check: () => void;
}
const watches = new Set<Watch>();
let frame = 0;

function checkAll(): void {
	frame ||= requestAnimationFrame(() => {
		frame = 0;
		for (const watch of watches) watch.check();
	});
}

function listen(on: boolean): void {
	const change = on ? 'addEventListener' : 'removeEventListener';
	window[change]('scroll', checkAll, { capture: true, passive: true });
	window[change]('resize', checkAll);
	document[change]('visibilitychange', checkAll);
}

/** Whether a point of the card is on the screen, and nothing lies over it. */
function isAt(node: HTMLElement, x: number, y: number): boolean {
	if (y < 0 || y >= window.innerHeight) return false;
	const top = document.elementFromPoint(x, y);
	return top !== null && node.contains(top);
}

/** How much of a card is on the screen now, in pixels from its top. */
interface View {
	/** The part above that is not visible; more than any card has where something lies over its top. */
	above: number;
	/** How far down it is visible from its top; nothing where the top is not visible. */
	down: number;
	end: boolean;
	/** Whether it is taller than the window, so that its end is all that one can wait for. */
	tall: boolean;
}

function viewOf(node: HTMLElement): View | undefined {
	if (document.visibilityState !== 'visible') return undefined;
	const box = node.getBoundingClientRect();
	if (box.height === 0) return undefined;
	const x = box.left + box.width / 2;
	const top = isAt(node, x, box.top + 3);
	// Bars over the edges count as covering the card, wherever it lies.
	const edge = topEdge(node) + BARS;
	return {
		above: top ? 0 : box.top < edge ? edge - box.top : Infinity,
		down: top ? window.innerHeight - BARS - box.top : 0,
		end: isAt(node, x, box.bottom - 3),
		tall: box.height > window.innerHeight - BARS
	};
}

/** Where the part of the window begins in which the card scrolls. */
function topEdge(node: HTMLElement): number {
	for (let around = node.parentElement; around; around = around.parentElement)
		if (/auto|scroll/.test(getComputedStyle(around).overflowY)) return Math.max(0, around.getBoundingClientRect().top);
	return 0;
}

/** The proposals that an element shows whole: a card shows one, a plan's sheet all of its plan. */
type Shown = Proposal | readonly Proposal[];

const listOf = (shown: Shown): readonly Proposal[] => ('id' in shown ? [shown] : shown);
const facesOf = (shown: Shown): string =>
	listOf(shown)
		.map((proposal) => `${proposal.id} ${faceOf(proposal)}`)
		.join();

/** Watches an element until `isKnown`: calls `note` each time that it was visible long enough. */
function watchElement(
	node: HTMLElement,
	isKnown: () => boolean,
	note: () => void
): { restart: () => void; destroy: () => void } {
	let timer: ReturnType<typeof setTimeout> | undefined;
	/** How far down it was visible from its top: where it ends, that part need not be visible again. */
	let seenTo = 0;
	const stop = () => {
		clearTimeout(timer);
		timer = undefined;
	};
	const restart = () => {
		stop();
		seenTo = 0;
	};
	const isVisible = () => {
		const view = viewOf(node);
		if (!view) return false;
		seenTo = Math.max(seenTo, view.down);
		return view.end && (view.tall || view.above <= seenTo);
	};
	const watch: Watch = {
		check() {
			if (isKnown() || !isVisible()) return stop();
			timer ??= setTimeout(() => {
				timer = undefined;
				if (isVisible()) note();
			}, READ_MS);
		}
	};
	if (watches.size === 0) listen(true);
	watches.add(watch);
	const size = new ResizeObserver(checkAll);
	size.observe(node);
	checkAll();
	return {
		restart,
		destroy() {
			stop();
			size.disconnect();
			watches.delete(watch);
			if (watches.size === 0) listen(false);
		}
	};
}

/** Svelte action on the element of a card or a sheet: notes when it was visible long enough. */
export function watchCard(node: HTMLElement, shown: Shown): { update: (next: Shown) => void; destroy: () => void } {
	let current = shown;
	const { restart, destroy } = watchElement(
		node,
		() => listOf(current).every(wasShown),
		() => noteShown(listOf(current))
	);
	return {
		update(next) {
			if (facesOf(next) !== facesOf(current)) restart();
			current = next;
			checkAll();
		},
		destroy
	};
}

/** Svelte action on a form or a table that a yes is bound to: calls `note` once it was visible long enough. */
export function watchOnce(node: HTMLElement, note: () => void): { destroy: () => void } {
	let noted = false;
	const { destroy } = watchElement(
		node,
		() => noted,
		() => {
			noted = true;
			note();
		}
	);
	return { destroy };
}
