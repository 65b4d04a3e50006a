/** Gives a test a document, so that components can be mounted. A test imports this file before everything else. */
import { Window } from 'happy-dom';

const NAMES = [
	'document',
	'location',
	'history',
	'Node',
	'Text',
	'Comment',
	'Element',
	'HTMLElement',
	'HTMLInputElement',
	'HTMLMediaElement',
	'HTMLIFrameElement',
	'SVGElement',
	'DocumentFragment',
	'Event',
	'CustomEvent',
	'MutationObserver',
	'ResizeObserver',
	'getComputedStyle',
	'requestAnimationFrame',
	'cancelAnimationFrame',
	'matchMedia'
] as const;

const window = new Window({ url: 'http://mana.test/' });
Object.assign(
	globalThis,
	{ window },
	Object.fromEntries(NAMES.map((name) => [name, Reflect.get(window, name) as unknown]))
);
