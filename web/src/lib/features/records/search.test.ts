import { afterEach, expect, it, vi } from 'vitest';
import { setReplica } from '$lib/replica/current';
import { collection } from '$lib/replica/collection.svelte';
import { openTab, someUser, until } from '$lib/testing/replica';
import { createRecord, updateRecord } from './records';
import { modules, showModules } from './modules.svelte';
import { findRecords } from './search';

afterEach(() => {
	setReplica(null);
	showModules([]);
});

it('folds a record once, however many keys are pressed, and again when it changes', async () => {
	const replica = await openTab(someUser());
	setReplica(replica);
	showModules(replica.manifests);
	const tasks = collection('todo', 'tasks');
	const id = await createRecord('todo', 'tasks', { title: 'Café in Zürich', notes: 'Überweisung' });
	await until(() => tasks.get(id));
	const titles = (query: string) => findRecords(modules, query).map((hit) => hit.title);

	expect(titles('zurich')).toEqual(['Café in Zürich']);
	expect(titles('uberweisung')).toEqual(['Café in Zürich']);
	const normalize = vi.spyOn(String.prototype, 'normalize');
	for (const query of ['c', 'ca', 'caf', 'cafe u', 'cafe ub']) expect(titles(query)).toHaveLength(1);
	expect(normalize).toHaveBeenCalledTimes(5); // the queries alone
	normalize.mockRestore();

	await updateRecord('todo', 'tasks', id, { title: 'Tee in Bern' });
	await until(() => tasks.get(id)?.data.title === 'Tee in Bern');
	expect(titles('zurich')).toEqual([]);
	expect(titles('bern uberweisung')).toEqual(['Tee in Bern']);
});
