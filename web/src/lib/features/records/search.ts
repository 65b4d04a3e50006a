/** Finding a record by any words of it, in what this device holds. */
import { collection } from '$lib/replica/collection.svelte';
import type { Data, Manifest, Row } from '$lib/core/types';
import { titleOf } from './titles';

/** A record found, with where in it. */
export interface Hit {
	row: Row;
	title: string;
	excerpt: string;
	score: number;
}

const fold = (text: string) => text.toLocaleLowerCase().normalize('NFD').replace(/\p{M}/gu, '');

/** A record's texts as they are compared, without case and accents. */
interface Folded {
	title: string;
	head: string;
	/** The texts but the title; folded only where a word isn't in a title. */
	body?: { text: string; folded: string };
}

/** A record's data is a new object when it changes, so its texts are folded once and not at every key. */
const folded = new WeakMap<Data, Folded>();

function foldedOf(row: Row): Folded {
	// The title also depends on the language and on the manifest.
	const title = titleOf(row.app, row.table, row.data);
	let known = folded.get(row.data);
	if (known?.title !== title) folded.set(row.data, (known = { title, head: fold(title) }));
	return known;
}

function bodyOf(row: Row, texts: Folded): { text: string; folded: string } {
	if (!texts.body) {
		const text = Object.values(row.data)
			.filter((v) => typeof v === 'string' && v !== texts.title)
			.join(' ');
		texts.body = { text, folded: fold(text) };
	}
	return texts.body;
}

/** All words must occur; a word in the title counts more, at its beginning most. */
export function findRecords(modules: readonly Manifest[], query: string, limit = 30): Hit[] {
	const words = fold(query).split(/\s+/).filter(Boolean);
	if (!words.length) return [];
	const hits: Hit[] = [];
	for (const module of modules) {
		for (const table of Object.keys(module.tables)) {
			for (const row of collection(module.id, table).rows) {
				const hit = match(row, words);
				if (hit) hits.push(hit);
			}
		}
	}
	return hits.sort((a, b) => b.score - a.score || a.title.localeCompare(b.title)).slice(0, limit);
}

function match(row: Row, words: string[]): Hit | null {
	const texts = foldedOf(row);
	const { title, head } = texts;
	let body: { text: string; folded: string } | null = null;
	let score = 0;
	for (const word of words) {
		const at = head.indexOf(word);
		if (at >= 0) {
			score += at === 0 ? 5 : /\s/.test(head[at - 1]!) ? 4 : 2;
			continue;
		}
		body ??= bodyOf(row, texts);
		if (!body.folded.includes(word)) return null;
		score += 1;
	}
	const first = body?.folded.indexOf(words.find((w) => !head.includes(w)) ?? '') ?? -1;
	const excerpt =
		first < 0 || !body
			? ''
			: body.text
					.slice(Math.max(0, first - 30), first + 90)
					.replace(/\s+/g, ' ')
					.trim();
	return { row, title, excerpt, score: row.data.done === true ? score - 1.5 : score };
}
