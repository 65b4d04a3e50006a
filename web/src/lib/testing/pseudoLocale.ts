import { loaders } from 'virtual:messages';
import type { Compiled, Language, Part } from '../i18n/compiled';
import type { Manifest } from '../core/types';

/**
 * A language made from English: accented, a third longer, in brackets. Text outside of brackets is not translated.
 * Dates and numbers are Russian, so that no Latin letter comes from them.
 */
export const PSEUDO: Language = { tag: 'en-x-pseudo', name: '⟦Pseudo⟧', intl: 'ru', dir: 'ltr' };

const OPEN = '⟦';
const CLOSE = '⟧';
const PLAIN = [...'aeioucnsyzAEIOUCNSYZ'];
const ACCENTED = [...'àéîöüçñšýžÀÉÎÖÜÇÑŠÝŽ'];
const ACCENTS = new Map(PLAIN.map((letter, i) => [letter, ACCENTED[i]!]));

/** The messages of the pseudo-locale. */
export async function pseudoMessages(): Promise<Record<string, Compiled>> {
	const { first, rest } = loaders.en!;
	const english = { ...(await first()), ...(await rest()) };
	return Object.fromEntries(Object.entries(english).map(([key, message]) => [key, bracketed(message)]));
}

function bracketed(message: Compiled): Compiled {
	const inside = accented(message);
	return typeof inside === 'string' ? longer(OPEN + inside) + CLOSE : [OPEN, ...inside, CLOSE];
}

const longer = (text: string) => text + '·'.repeat(Math.ceil(text.length / 3));

function accented(message: Compiled): Compiled {
	return typeof message === 'string' ? accents(message) : message.map(accentedPart);
}

function accentedPart(part: Part): Part {
	if (typeof part === 'string') return longer(accents(part));
	if (part.length < 3 || part[1] === 'number') return part;
	const [argument, kind, cases, offset] = part as [string, 'plural', Record<string, Compiled>, number];
	const inside = Object.fromEntries(Object.entries(cases).map(([name, message]) => [name, accented(message)]));
	return [argument, kind, inside, offset];
}

const accents = (text: string) => [...text].map((letter) => ACCENTS.get(letter) ?? letter).join('');

/** Manifests whose labels are translated into the pseudo-locale. */
export function pseudoManifests(manifests: Manifest[]): Manifest[] {
	const walk = (value: unknown): unknown => {
		if (Array.isArray(value)) return value.map(walk);
		if (typeof value !== 'object' || value === null) return value;
		const entries = Object.entries(value).map(([name, inner]) => [name, walk(inner)] as const);
		const { en, de } = value as { en?: unknown; de?: unknown };
		const isLabel = typeof en === 'string' && typeof de === 'string';
		return Object.fromEntries(isLabel ? [...entries, [PSEUDO.tag, bracketed(en)]] : entries);
	};
	return walk(manifests) as Manifest[];
}

/** Elements whose text is code, a key or an address. */
const CODE = 'code, kbd, pre, script, style, .mono, [translate="no"]';
const SPOKEN = ['alt', 'aria-label', 'placeholder', 'title'];

/** Texts of a page that have Latin letters outside of brackets. `data` holds what a person or the browser wrote. */
export function untranslated(page: Element, data: readonly RegExp[] = []): string[] {
	const found: string[] = [];
	let depth = 0;
	const check = (text: string, where: string) => {
		let outside = '';
		for (const letter of text) {
			if (letter === OPEN) depth++;
			else if (letter === CLOSE) depth--;
			else if (depth === 0) outside += letter;
		}
		for (const known of data) outside = outside.replace(known, '');
		if (/\p{Script=Latin}{2}/u.test(outside)) found.push(`${where}: ${text.trim()}`);
	};
	const walk = (node: Node): void => {
		if (node.nodeType === 3) return check(node.nodeValue ?? '', (node.parentNode as Element).tagName);
		if (node.nodeType !== 1) return;
		const element = node as Element;
		if (element.matches(CODE)) return;
		const before = depth;
		for (const name of SPOKEN) {
			depth = 0;
			check(element.getAttribute(name) ?? '', `${element.tagName} ${name}`);
		}
		depth = before;
		for (const child of [...element.childNodes]) walk(child);
	};
	walk(page);
	return found;
}
