import { dataOf } from '$lib/api/client';
import { saveFile } from '$lib/primitives/saveFile';
import { currentApi } from './session.svelte';

/** Saves every record that the server has of this account as a file of JSON. Returns how many records. */
export async function exportAll(): Promise<number> {
	const records: unknown[] = [];
	let after = '';
	let more = true;
	while (more) {
		const page = await dataOf(currentApi().GET('/sync/snapshot', { params: { query: { after } } }));
		records.push(...page.records);
		after = page.after ?? '';
		more = page.hasMore && !!after;
	}
	saveFile('mana-export.json', JSON.stringify({ records }, null, '\t'), 'application/json');
	return records.length;
}
