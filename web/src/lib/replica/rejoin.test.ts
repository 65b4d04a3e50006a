import { describe, expect, it } from 'vitest';
import { ApiError } from '../api/errors';
import type { Actor, Change, RecordKey } from '../core/types';
import { sendKept } from '../features/resync/sendKept';
import { adoptReplica, heldRecords } from './adopt';
import { execute, type Write } from './executor';
import type { Replica } from './replica';
import { byKey } from './rows';
import { openTab, someUser } from '../testing/replica';
import { FakeServer } from '../testing/server';
import { SyncDriver } from './driver';

const user: Actor = { kind: 'user' };

function task(id: string, title = id): Write {
	return { app: 'todo', table: 'tasks', id, op: 'insert', set: { title } };
}

function write(replica: Replica, writes: Write[]) {
	return execute(replica, { kind: 'write', actor: user, writes });
}

/** A device whose tasks `before` and `after` the server has; the server is then put back to `before`. */
async function restored({ discardNewer = false } = {}) {
	const server = new FakeServer();
	const replica = await openTab(someUser());
	const driver = new SyncDriver(replica, server);
	await write(replica, [task('before')]);
	await driver.sync();
	const row = await replica.db.records.get(['todo', 'tasks', 'before']);
	await write(replica, [task('after')]);
	await driver.sync();
	expect(server.log).toHaveLength(2);
	server.restore(1, { discardNewer });
	server.snapshots = [
		{ records: [{ appId: 'todo', table: 'tasks', id: 'before', data: row!.data, meta: row!.meta }], syncedUntil: '1' }
	];
	return { server, replica, driver };
}

describe('a log that was restored', () => {
	it('R8 gets back what it lost, once, and the outbox is sent as ever', async () => {
		const { server, replica, driver } = await restored();
		await write(replica, [task('waiting')]);
		await driver.sync();
		expect(server.given.flatMap(({ records }) => records.map(({ id }) => id))).toEqual(['after', 'waiting']);
		expect(server.given[0]).toMatchObject({ logEpoch: server.logEpoch, clientId: replica.clientId });
		expect(server.log.map(({ change }) => change.id)).toEqual(['before', 'waiting']);
		expect(await replica.db.outbox.count()).toBe(0);
		await driver.sync();
		expect(server.given).toHaveLength(1);
		expect(await replica.db.records.count()).toBe(3);
		const resync = await replica.db.readMeta('resync');
		expect(resync).toMatchObject({ reason: 'restored', kept: [], lost: [] });
		expect(resync?.offered.map(({ app, id }) => [app, id])).toEqual([
			['todo', 'after'],
			['todo', 'waiting']
		]);
	});

	it('R8 gets it back after a tab was closed in the midst of it', async () => {
		const { server, replica, driver } = await restored();
		server.failures.push(new ApiError(410, 'resync_required', 'Another log.', { reason: 'epoch' }));
		server.failures.push(new ApiError(503, 'busy', 'Busy.'));
		await expect(driver.sync()).rejects.toThrow('Busy.');
		expect(await replica.db.readMeta('rejoin')).toEqual({});
		await new SyncDriver(replica, server).sync();
		expect(server.given.flatMap(({ records }) => records.map(({ id }) => id))).toEqual(['after']);
		expect(await replica.db.readMeta('rejoin')).toBeNull();
	});

	it('R11 counts what went back before the tab was closed that sent it', async () => {
		const { server, replica, driver } = await restored();
		const join = server.join;
		server.join = async (body) => {
			await join(body);
			throw new TypeError('the tab is closed');
		};
		await expect(driver.sync()).rejects.toThrow();
		expect((await replica.db.readMeta('resync'))?.offered.map(({ id }) => id)).toEqual(['after']);
		server.join = async () => {
			throw new ApiError(503, 'busy', 'Busy.');
		};
		await expect(new SyncDriver(replica, server).sync()).rejects.toThrow('Busy.');
		expect((await replica.db.readMeta('resync'))?.offered).toEqual([]);
	});

	it('R8 has a device drop what is newer where its operator says so, but for what was never sent', async () => {
		const { server, replica, driver } = await restored({ discardNewer: true });
		const told: RecordKey[] = [];
		replica.onRows((rows) => told.push(...rows.filter(({ deleted }) => deleted)));
		await write(replica, [task('waiting')]);
		await driver.sync();
		expect(server.given).toEqual([]);
		expect((await replica.db.records.toArray()).map(({ id }) => id).sort()).toEqual(['before', 'waiting']);
		expect(told.map(({ id }) => id)).toEqual(['after']);
		const resync = await replica.db.readMeta('resync');
		expect(resync).toMatchObject({ reason: 'restored', waiting: 1, kept: [], lost: [] });
		expect(resync?.dropped.map(({ id }) => id)).toEqual(['after']);
	});

	it('R11 says what stays on a device alone where the log takes nothing back, and sends it on request', async () => {
		const { server, replica, driver } = await restored();
		server.giveBack = false;
		await write(replica, [task('waiting')]);
		await driver.sync();
		expect(server.given).toEqual([]);
		const resync = await replica.db.readMeta('resync');
		expect(resync).toMatchObject({ reason: 'restored', waiting: 1, offered: [], dropped: [], lost: [] });
		expect(resync?.kept.map(({ id }) => id)).toEqual(['after']);
		await sendKept(replica);
		await driver.sync();
		expect(server.log.map(({ change }) => change.id)).toEqual(['before', 'waiting', 'after']);
		expect(server.log[2]?.change).toMatchObject({ op: 'update', fields: { title: { value: 'after' } } });
		expect((await replica.db.readMeta('resync'))?.kept).toEqual([]);
	});
});

describe('a log that was shortened past the place of a device', () => {
	it('R11 is said once, with the changes of the device that lost meanwhile', async () => {
		const server = new FakeServer();
		const replica = await openTab(someUser());
		const driver = new SyncDriver(replica, server);
		await write(replica, [task('mine'), task('other')]);
		await driver.sync();
		expect(await replica.db.readMeta('resync')).toBeUndefined();
		await write(replica, [
			{ ...task('mine'), op: 'update', set: { title: 'Mine' } },
			{ ...task('other'), op: 'update', set: { title: 'Older' } }
		]);
		server.failures.push(new ApiError(410, 'resync_required', 'Compacted.', { reason: 'compacted' }));
		const [, older] = await replica.db.outbox.toArray();
		const post = server.post;
		server.post = async (body) => ({ ...(await post(body)), unchanged: [older!.eventId] });
		await driver.sync();
		const resync = await replica.db.readMeta('resync');
		expect(resync).toMatchObject({ reason: 'compacted', waiting: 2, offered: [], kept: [], dropped: [] });
		expect(resync?.lost.map(({ id }) => id)).toEqual(['other']);
		await write(replica, [{ ...task('mine'), op: 'update', set: { title: 'Later' } }]);
		await driver.sync();
		expect((await replica.db.readMeta('resync'))?.lost).toHaveLength(1);
	});
});

/** A change of the server's that takes tasks away. */
function forgetting(...ids: string[]): Change {
	const at = '2026-01-01T00:00:00.000000Z';
	const actor: Actor = { kind: 'system', source: 'mission-runner' };
	return { eventId: 'forget', appId: 'todo', table: 'tasks', op: 'forget', ids, at, actor } as unknown as Change;
}

describe('records that the server forgets', () => {
	it('F2 are dropped with their texts and conflicts, and every tab is told', async () => {
		const server = new FakeServer();
		const replica = await openTab(someUser());
		const driver = new SyncDriver(replica, server);
		await write(replica, [task('a'), task('b'), task('c')]);
		await driver.sync();
		await replica.db.texts.put({ app: 'todo', table: 'tasks', id: 'a', field: 'notes', known: [] } as never);
		const told: string[] = [];
		replica.onRows((rows) => told.push(...rows.filter(({ deleted }) => deleted).map(({ id }) => id)));
		server.log.push({ clientId: 'mana-runner', change: forgetting('a', 'c', 'never here') });
		await driver.sync();
		expect(server.requests.at(-1)?.schemaVersion).toBe(3);
		expect((await replica.db.records.toArray()).map(({ id }) => id)).toEqual(['b']);
		expect(await replica.db.texts.where('[app+table+id]').equals(['todo', 'tasks', 'a']).count()).toBe(0);
		expect(told).toEqual(expect.arrayContaining(['a', 'c']));
		const actions = (await replica.db.readMeta('lastActions')) ?? [];
		expect(
			actions.flatMap(({ writes }) => writes.map(({ id }) => id)),
			'an undo tells nothing of them'
		).toEqual(['b']);
	});

	it('F3 are dropped where a snapshot has them without fields', async () => {
		const server = new FakeServer();
		const replica = await openTab(someUser());
		const driver = new SyncDriver(replica, server);
		await write(replica, [task('a'), task('b')]);
		await driver.sync();
		const gone = { appId: 'todo', table: 'tasks', id: 'a', data: {}, meta: {} };
		server.snapshots = [{ records: [gone], syncedUntil: '2' }];
		server.failures.push(new ApiError(410, 'resync_required', 'Too old.', { reason: 'compacted' }));
		await driver.sync();
		expect((await replica.db.records.toArray()).map(({ id }) => id)).toEqual(['b']);
	});
});

it('R7 an empty server gets what a browser holds of an earlier account, by another account', async () => {
	const [before, after] = [someUser(), someUser()];
	const old = await openTab(before);
	const first = new FakeServer();
	const driver = new SyncDriver(old, first);
	await write(old, [task('a'), task('b')]);
	await driver.sync();
	first.online = false;
	await write(old, [task('unsent')]);
	expect(await heldRecords(before)).toBe(3);
	await old.db.drafts.put({
		id: 'd',
		place: 'new/notes/notes',
		written: { body: 'So far' },
		opened: {},
		seen: {},
		at: ''
	});

	await adoptReplica(before, after);
	const replica = await openTab(after);
	expect((await replica.db.drafts.get('d'))?.written).toEqual({ body: 'So far' });
	const empty = new FakeServer();
	empty.logEpoch = 'of another account';
	await new SyncDriver(replica, empty).sync();
	expect(empty.given.flatMap(({ records }) => records.map(({ id }) => id))).toEqual(['a', 'b', 'unsent']);
	expect(empty.given[0]?.clientId).not.toBe(old.clientId);
	expect(empty.log.map(({ change }) => change.id)).toEqual(['unsent']);
	expect(await replica.db.readMeta('logEpoch')).toBe('of another account');
	expect(await heldRecords(before), 'the earlier account keeps its data').toBe(3);
});

it('keys are in the order of their code points, as the core has them', () => {
	const ids = ['a', 'aa', 'b', '\uffee', '\u{1f600}'];
	const keys = ids.map((id): [string, string, string] => ['todo', 'tasks', id]);
	expect([...keys].reverse().sort(byKey)).toEqual(keys);
	expect(byKey(['a', 'z', 'z'], ['b', '', ''])).toBeLessThan(0);
	expect(byKey(keys[0]!, keys[0]!)).toBe(0);
});
