import { describe, expect, it } from 'vitest';
import { OfflineError } from '$lib/api/errors';
import { execute } from '$lib/replica/executor';
import type { Replica } from '$lib/replica/replica';
import { SyncDriver } from '$lib/replica/driver';
import { openTab, someUser, until } from '$lib/testing/replica';
import { FakeServer } from '$lib/testing/server';
import { dropSetAside } from './setAside';

const key: [string, string, string] = ['todo', 'tasks', 't'];

function update(replica: Replica, set: Record<string, unknown>, op: 'insert' | 'update' = 'update') {
	const [app, table, id] = key;
	return execute(replica, { kind: 'write', actor: { kind: 'user' }, writes: [{ app, table, id, op, set }] });
}

/** A task that the server knows, and a change of it that it refused. */
async function refusedChange() {
	const replica = await openTab(someUser());
	const server = new FakeServer();
	server.pageSize = 1;
	const engine = new SyncDriver(replica, server);
	await update(replica, { title: 'Known', notes: 'Known' }, 'insert');
	await engine.sync();
	server.refuse = (change) => (change.fields?.title?.value === 'Refused' ? 'no' : null);
	await update(replica, { title: 'Refused' });
	await engine.sync();
	const [row] = await replica.db.setAside.toArray();
	return { replica, server, engine, eventId: row!.eventId };
}

const dataOf = async (replica: Replica) => (await replica.db.records.get(key))?.data;

describe('dropping a change that was set aside', () => {
	it('brings its record back to what the server holds', async () => {
		const { replica, server, eventId } = await refusedChange();
		expect(await dataOf(replica)).toMatchObject({ title: 'Refused' });
		await dropSetAside(eventId, replica, server.pull);
		expect(await dataOf(replica)).toMatchObject({ title: 'Known', notes: 'Known' });
		expect(await replica.db.setAside.count()).toBe(0);
	});

	it('keeps what waits in the outbox on top', async () => {
		const { replica, server, eventId } = await refusedChange();
		await update(replica, { notes: 'Not sent yet' });
		await dropSetAside(eventId, replica, server.pull);
		expect(await dataOf(replica)).toMatchObject({ title: 'Known', notes: 'Not sent yet' });
		expect(await replica.db.outbox.count()).toBe(1);
	});

	it('takes a record away that only the dropped change made, in other tabs too', async () => {
		const userId = someUser();
		const [here, there] = [await openTab(userId), await openTab(userId)];
		const server = new FakeServer();
		server.refuse = () => 'no';
		await update(here, { title: 'Only here' }, 'insert');
		await new SyncDriver(here, server).sync();
		const seen: boolean[] = [];
		there.onRows((rows) => seen.push(...rows.map((row) => row.deleted)));
		const [row] = await here.db.setAside.toArray();
		await dropSetAside(row!.eventId, here, server.pull);
		await until(() => seen.at(-1) === true);
		expect(await dataOf(there)).toBeUndefined();
	});

	it('drops nothing while the server cannot be reached', async () => {
		const { replica, server, eventId } = await refusedChange();
		server.online = false;
		await expect(dropSetAside(eventId, replica, server.pull)).rejects.toBeInstanceOf(OfflineError);
		expect(await replica.db.setAside.count()).toBe(1);
		expect(await dataOf(replica)).toMatchObject({ title: 'Refused' });
	});

	it('loses nothing that a sync brings while the log is read', async () => {
		const { replica, server, engine, eventId } = await refusedChange();
		await update(replica, { notes: 'Sent meanwhile' });
		let first = true;
		await dropSetAside(eventId, replica, async (app, query) => {
			const page = await server.pull(app, query);
			if (first) await engine.sync();
			first = false;
			return page;
		});
		expect(await replica.db.outbox.count()).toBe(0);
		expect(await dataOf(replica)).toMatchObject({ title: 'Known', notes: 'Sent meanwhile' });
	});
});
