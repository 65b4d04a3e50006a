/** Finding a record by any words of it, in what this device holds. */
import { collection } from '$lib/replica/collection.svelte';
import type { Manifest, Row } from '$lib/core/types';
import { titleOf } from './fields';

/** A record found, with where in it. */
export interface Hit {
	row: Row;
	title: string;
	excerpt: string;
	score: number;
}

const fold = (text: string) => text.toLocaleLowerCase().normalize('NFD').replace(/\p{M}/gu, '');

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
	const title = titleOf(row.app, row.table, row.data);
	const head = fold(title);
	let rest: string | null = null;
	let body = '';
	let score = 0;
	for (const word of words) {
		const at = head.indexOf(word);
		if (at >= 0) {
			score += at === 0 ? 5 : /\s/.test(head[at - 1]!) ? 4 : 2;
			continue;
		}
		if (rest === null) {
			body = Object.values(row.data)
				.filter((v) => typeof v === 'string' && v !== title)
				.join(' ');
			rest = fold(body);
		}
		if (!rest.includes(word)) return null;
		score += 1;
	}
	const first = rest === null ? -1 : rest.indexOf(words.find((w) => !head.includes(w)) ?? '');
	const excerpt =
		first < 0
			? ''
			: body
					.slice(Math.max(0, first - 30), first + 90)
					.replace(/\s+/g, ' ')
					.trim();
	return { row, title, excerpt, score: row.data.done === true ? score - 1.5 : score };
}
