import { afterEach, describe, expect, it } from 'vitest';
import type { Actor } from '../core/types';
import { openTab, someUser, until } from '../testing/replica';
import { collection } from './collection.svelte';
import { setReplica } from './current';
import { execute } from './executor';
import type { Replica } from './replica';

const user: Actor = { kind: 'user' };
const tasks = collection('todo', 'tasks');

function insert(replica: Replica, id: string, title = id) {
	return execute(replica, {
		kind: 'write',
		actor: user,
		writes: [{ app: 'todo', table: 'tasks', id, op: 'insert', set: { title } }]
	});
}

afterEach(() => setReplica(null));

describe('a collection', () => {
	it('holds what was stored, and what is written while it is read', async () => {
		const replica = await openTab(someUser());
		await insert(replica, 'a');
		setReplica(replica);
		await insert(replica, 'b');
		await until(() => tasks.ready);
		expect(tasks.rows.map((row) => row.id)).toEqual(['a', 'b']);
	});

	it('shows a write of this tab when the write resolves', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		await until(() => tasks.ready);
		const before = tasks.rows;
		await insert(replica, 'a', 'Milk');
		expect(tasks.rows).not.toBe(before);
		expect(tasks.get('a')?.data.title).toBe('Milk');
	});

	it('leaves deleted records out of its rows, and knows them by id', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		await insert(replica, 'a');
		await execute(replica, {
			kind: 'write',
			actor: user,
			writes: [{ app: 'todo', table: 'tasks', id: 'a', op: 'delete' }]
		});
		await until(() => tasks.ready);
		expect(tasks.rows).toEqual([]);
		expect(tasks.get('a')?.deleted).toBe(true);
	});

	it('follows what another tab writes', async () => {
		const userId = someUser();
		const [here, there] = [await openTab(userId), await openTab(userId)];
		setReplica(here);
		await until(() => tasks.ready);
		await insert(there, 'a', 'From the other tab');
		await until(() => tasks.get('a')?.data.title === 'From the other tab');
	});

	it('is empty for the next person', async () => {
		const first = await openTab(someUser());
		setReplica(first);
		await insert(first, 'a');
		await until(() => tasks.ready);
		setReplica(null);
		expect(tasks.ready).toBe(false);
		expect(tasks.rows).toEqual([]);
		setReplica(await openTab(someUser()));
		await until(() => tasks.ready);
		expect(tasks.rows).toEqual([]);
	});
});
