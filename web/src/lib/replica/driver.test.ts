import { describe, expect, it, vi } from 'vitest';
import { ApiError } from '../api/errors';
import type { Actor, Change } from '../core/types';
import { execute, type Write } from './executor';
import type { Replica } from './replica';
import { openTab, someUser } from '../testing/replica';
import { FakeServer } from '../testing/server';
import { SyncDriver } from './driver';

const user: Actor = { kind: 'user' };

function tasks(count: number, prefix = 't'): Write[] {
	return Array.from({ length: count }, (_, n) => ({
		app: 'todo',
		table: 'tasks',
		id: `${prefix}${n}`,
		op: 'insert' as const,
		set: { title: `Task ${n}` }
	}));
}

async function device(userId = someUser(), server = new FakeServer()) {
	const replica = await openTab(userId);
	return { replica, server, driver: new SyncDriver(replica, server) };
}

function write(replica: Replica, writes: Write[]) {
	return execute(replica, { kind: 'write', actor: user, writes });
}

function fromElsewhere(id: string, title: string, at = '2026-01-01T00:00:00.000000Z'): Change {
	return {
		eventId: `else-${id}-${title}`,
		appId: 'todo',
		table: 'tasks',
		id,
		op: 'insert',
		at,
		actor: user,
		data: { title },
		fields: { title: { updatedAt: at } }
	};
}

const ai: Actor = { kind: 'ai', missionId: 'm', iterationId: 'i', rationale: 'because' };

/** A second of the first day of the year. */
function at(second: number): string {
	return `2026-01-01T00:00:0${second}.000000Z`;
}

/** A merged record, as a snapshot has it. */
function merged(id: string, fields: Record<string, [value: unknown, second: number, actor?: Actor]>) {
	const of = <T>(pick: (field: [unknown, number, Actor?]) => T) =>
		Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, pick(field)]));
	return {
		appId: 'todo',
		table: 'tasks',
		id,
		data: of(([value]) => value),
		meta: of(([, second, actor]) => ({ at: at(second), actor: actor ?? user }))
	};
}

describe('sync', () => {
	it('sends the outbox in batches of 500 at most, and clears it', async () => {
		const { replica, server, driver } = await device();
		await write(replica, tasks(1_100));
		await driver.sync();
		expect(server.requests.map((request) => request.changes.length)).toEqual([500, 500, 100]);
		expect(server.log).toHaveLength(1_100);
		expect(await replica.db.outbox.count()).toBe(0);
	});

	it('S2 S5 takes over page after page of what others did, and asks only for the new afterwards', async () => {
		const { replica, server, driver } = await device();
		server.pageSize = 2;
		for (const id of ['a', 'b', 'c', 'd', 'e']) server.add(fromElsewhere(id, id));
		await driver.sync();
		expect(await replica.db.records.count()).toBe(5);
		await driver.sync();
		expect(server.requests.at(-1)?.since).toBe('5');
	});

	it('M3 merges by stamp: an older change from elsewhere does not overwrite', async () => {
		const { replica, server, driver } = await device();
		await write(replica, tasks(1));
		server.add(fromElsewhere('t0', 'Older'));
		server.add(fromElsewhere('t0', 'Newer', new Date(Date.now() + 30_000).toISOString()));
		await driver.sync();
		expect((await replica.read({ app: 'todo', table: 'tasks', id: 't0' }))?.data.title).toBe('Newer');
	});

	it('S3 sets a refused change aside with its reason, and the rest goes on', async () => {
		const { replica, server, driver } = await device();
		server.refuse = (change) => (change.id === 't1' ? 'no such thing as t1' : null);
		await write(replica, tasks(3));
		await driver.sync();
		expect(server.log.map((row) => row.change.id)).toEqual(['t0', 't2']);
		expect(await replica.db.outbox.count()).toBe(0);
		expect(await replica.db.setAside.toArray()).toMatchObject([
			{ change: { id: 't1' }, reason: 'no such thing as t1' }
		]);
		// the person keeps it on this device
		expect((await replica.read({ app: 'todo', table: 'tasks', id: 't1' }))?.data.title).toBe('Task 1');
	});

	it('makes smaller batches where the server says too large, and sets aside what alone is too large', async () => {
		const { replica, server, driver } = await device();
		const post = server.post;
		server.post = async (body) => {
			if (body.changes.length > 3 || body.changes.some((change) => change.id === 't4')) {
				throw new ApiError(413, 'too_large', 'The push is larger than 10 MB.');
			}
			return post(body);
		};
		const patient = new SyncDriver(replica, server);
		void driver;
		await write(replica, tasks(10));
		await patient.sync();
		expect(server.log.map((row) => row.change.id).sort()).toEqual([
			't0',
			't1',
			't2',
			't3',
			't5',
			't6',
			't7',
			't8',
			't9'
		]);
		expect(await replica.db.setAside.toArray()).toMatchObject([{ change: { id: 't4' } }]);
	});

	it('S7 a new device begins with a snapshot, page after page, and then reads on', async () => {
		const { replica, server, driver } = await device();
		server.snapshots = [
			{
				records: [merged('a', { title: ['A', 1] }), merged('gone', { deletedAt: ['2026-01-01T00:00:00.000000Z', 2] })],
				syncedUntil: '2'
			},
			{ records: [merged('b', { title: ['B', 1], notes: ['by the AI', 2, ai] })], syncedUntil: '2' }
		];
		for (const id of ['a', 'b', 'later']) server.add(fromElsewhere(id, id));
		await driver.sync();
		expect(server.asked).toEqual(['', '1']);
		expect(server.requests.map((request) => request.since)).toEqual(['2']);
		expect(await replica.db.records.count()).toBe(4);
		const row = await replica.read({ app: 'todo', table: 'tasks', id: 'gone' });
		expect(row).toMatchObject({ deleted: true, meta: { deletedAt: { at: at(2), actor: user } } });
		await driver.sync();
		expect(server.asked).toHaveLength(2);
	});

	it('R3 takes a snapshot on 410, keeps the outbox, and loses nothing that is newer here', async () => {
		const { replica, server, driver } = await device();
		server.add(fromElsewhere('a', 'a'));
		await driver.sync();
		await write(replica, [{ app: 'todo', table: 'tasks', id: 'a', op: 'update', set: { title: 'Mine' } }]);
		server.snapshots = [
			{
				records: [merged('a', { title: ['Theirs', 1], notes: ['from the AI', 2, ai], list: ['home', 3] })],
				syncedUntil: '1'
			}
		];
		server.failures.push(new ApiError(410, 'resync_required', 'The log starts later.'));
		await driver.sync();
		expect(server.requests.map((request) => request.since)).toEqual(['0', '1', '1']);
		expect(server.log.map((row) => row.change.id)).toEqual(['a', 'a']);
		expect(await replica.db.outbox.count()).toBe(0);
		const row = await replica.read({ app: 'todo', table: 'tasks', id: 'a' });
		expect(row?.data).toEqual({ title: 'Mine', notes: 'from the AI', list: 'home' });
		expect(row?.meta.notes).toEqual({ at: at(2), actor: ai });
		expect(row?.meta.list).toEqual({ at: at(3), actor: user });
	});

	it('S7 joins a record larger than a change may be, whole', async () => {
		const { replica, server, driver } = await device();
		const long = 'x'.repeat(150_000);
		const iterations = Array.from({ length: 31 }, (_, n) => ({
			id: `i${n}`,
			slot: `run:${n}`,
			startedAt: `2026-01-01T00:00:${String(n).padStart(2, '0')}.000000Z`,
			updatedAt: at(1),
			plan: [{ id: `s${n}`, status: 'approved', updatedAt: at(1), replaced: { body: long } }]
		}));
		const key = { app: 'ai', table: 'aiMissions', id: 'm' };
		// The device holds the mission already, so the page has to join with it.
		await write(replica, [{ ...key, op: 'insert', set: { title: 'Mine', objective: 'Notes', state: 'active' } }]);
		const mission = {
			...merged('m', { title: ['Theirs', 1], iterations: [iterations, 2, ai] }),
			appId: 'ai',
			table: 'aiMissions'
		};
		expect(JSON.stringify(mission).length).toBeGreaterThan(4 << 20);
		server.snapshots = [{ records: [mission], syncedUntil: '0' }];
		await driver.sync();
		const row = await replica.read(key);
		expect(row?.data.title).toBe('Mine');
		expect(row?.data.iterations).toHaveLength(31);
	});

	it('S5 leaves out a change that it cannot read, names it, and takes over the rest', async () => {
		const { replica, server, driver } = await device();
		const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
		server.add({ ...fromElsewhere('a', 'A'), eventId: 'newer', op: 'upsert' } as unknown as Change);
		server.add(fromElsewhere('b', 'B'));
		await driver.sync();
		expect(warn).toHaveBeenCalledWith(expect.stringContaining('newer'));
		warn.mockRestore();
		expect(await replica.db.records.count()).toBe(1);
		expect(await replica.db.readMeta('cursor')).toBe('2');
	});

	it('S7 goes on with a snapshot where it was torn off, and begins anew where the server cannot', async () => {
		const { replica, server, driver } = await device();
		server.snapshots = ['a', 'b', 'c'].map((id) => ({ records: [merged(id, { title: [id, 1] })], syncedUntil: '0' }));
		const whole = server.snapshot;
		server.snapshot = async (request) => {
			if (request.after === '2') throw new ApiError(503, 'busy', 'Later.');
			return whole(request);
		};
		await expect(driver.sync()).rejects.toThrow('Later.');
		expect(await replica.db.records.count()).toBe(2);
		server.snapshot = whole;
		await driver.sync();
		expect(server.asked).toEqual(['', '1', '2']);

		await replica.db.writeMeta('cursor', '');
		await replica.db.writeMeta('snapshotAfter', '9');
		await driver.sync();
		expect(server.asked.slice(3)).toEqual(['9', '', '1', '2']);
		expect(await replica.db.records.count()).toBe(3);
	});

	it('R3 does not go round in circles where every cursor is refused', async () => {
		const { server, driver } = await device();
		const refused = () => new ApiError(410, 'resync_required', 'The log starts later.');
		server.failures.push(refused(), refused(), refused());
		await expect(driver.sync()).rejects.toThrow('The log starts later.');
		expect(server.requests).toHaveLength(2);
	});

	it('S4 S6 repeats a push harmlessly after a crash between the server’s commit and the local one', async () => {
		const { replica, server, driver } = await device();
		await write(replica, tasks(2));
		const crash = vi.spyOn(replica.db.outbox, 'bulkDelete').mockImplementationOnce(() => {
			throw new Error('the tab was closed');
		});
		await expect(driver.sync()).rejects.toThrow('the tab was closed');
		crash.mockRestore();
		// nothing of the answer was kept: neither the cursor nor the clearing
		expect(await replica.db.readMeta('cursor')).toBe('0');
		expect(await replica.db.outbox.count()).toBe(2);
		await driver.sync();
		expect(server.log).toHaveLength(2);
		expect(await replica.db.outbox.count()).toBe(0);
	});

	it('S6 keeps what is written while a push is under way', async () => {
		const { replica, server } = await device();
		const post = server.post;
		let wrote = false;
		server.post = async (body) => {
			const answer = await post(body);
			if (!wrote) await write(replica, tasks(1, 'late'));
			wrote = true;
			return answer;
		};
		const driver = new SyncDriver(replica, server);
		await write(replica, tasks(1));
		await driver.sync();
		expect(server.log.map((row) => row.change.id)).toEqual(['t0', 'late0']);
		expect(await replica.db.outbox.count()).toBe(0);
	});

	it('throws what only time or a person can mend, and changes nothing', async () => {
		const { replica, server, driver } = await device();
		await write(replica, tasks(1));
		server.failures.push(new ApiError(503, 'busy', 'Too many at once.', undefined, 2_000));
		await expect(driver.sync()).rejects.toMatchObject({ status: 503, retryAfterMs: 2_000 });
		server.online = false;
		await expect(driver.sync()).rejects.toMatchObject({ code: 'offline' });
		expect(await replica.db.outbox.count()).toBe(1);
	});

	it('T4 takes over the stamps that the server set back, in the transaction that clears the outbox', async () => {
		const { replica, server, driver } = await device();
		replica.clockOffset = 3_600_000; // this device is an hour ahead
		await write(replica, tasks(1));
		const now = '2026-04-08T10:00:00.000001Z';
		server.serverTime = () => '2026-04-08T10:00:00.000000Z';
		server.adjust = (change) => [
			{ eventId: change.eventId, field: '/at', at: now },
			{ eventId: change.eventId, field: '/fields/title/updatedAt', at: now }
		];
		await driver.sync();
		const row = await replica.read({ app: 'todo', table: 'tasks', id: 't0' });
		expect(row?.meta.title?.at).toBe(now);
		expect(row?.data.title).toBe('Task 0');
	});

	describe('T4 reads again what a stamp that was set back may have beaten', () => {
		/**
		 * A device an hour ahead writes `mine` while a push is under way whose answer brings `theirs`; the server then sets
		 * the stamp of `mine` back, before `theirs`.
		 */
		async function beaten() {
			const { replica, server, driver } = await device();
			server.serverTime = () => '2026-04-08T10:00:00.000000Z';
			replica.clockOffset = Date.parse('2026-04-08T11:00:00Z') - Date.now();
			await write(replica, tasks(1, 'first'));
			server.add(fromElsewhere('x', 'theirs', '2026-04-08T09:59:00.000000Z'));
			const post = server.post;
			server.post = async (body) => {
				const answer = await post(body);
				server.post = post;
				replica.clockOffset = Date.parse('2026-04-08T11:00:00Z') - Date.now();
				await write(replica, [{ app: 'todo', table: 'tasks', id: 'x', op: 'update', set: { title: 'mine' } }]);
				return answer;
			};
			server.adjust = (change) =>
				change.id === 'x' ? [{ eventId: change.eventId, field: '/fields/title/updatedAt', at: at(1) }] : [];
			const title = async () => (await replica.read({ app: 'todo', table: 'tasks', id: 'x' }))?.data.title;
			return { replica, server, driver, title };
		}

		it('from where the cursor stood when the change was written', async () => {
			const { server, driver, title } = await beaten();
			await driver.sync();
			expect(await title()).toBe('theirs');
			expect(server.requests.map((request) => request.since)).toEqual(['0', '2', '0']);
		});

		it('from a snapshot where that is not known', async () => {
			const { replica, server, driver, title } = await beaten();
			const merge = server.post;
			server.post = async (body) => {
				const answer = await merge(body);
				// As an older version of the app left its outbox.
				await replica.db.outbox.toCollection().modify((row) => delete row.since);
				return answer;
			};
			const again = new SyncDriver(replica, server);
			void driver;
			await again.sync();
			expect(await title()).toBe('theirs');
			expect(server.asked).toEqual(['', '']);
		});

		it('and not where nothing came in between', async () => {
			const { replica, server, driver } = await device();
			await driver.sync();
			await write(replica, tasks(1));
			server.adjust = (change) => [{ eventId: change.eventId, field: '/at', at: at(1) }];
			await driver.sync();
			expect(server.requests.map((request) => request.since)).toEqual(['0', '0']);
		});
	});

	it('T4 a change that one server refused and another took is no longer set aside', async () => {
		const { replica, server, driver } = await device();
		await write(replica, tasks(1));
		const [row] = await replica.db.outbox.toArray();
		await replica.db.setAside.put({ eventId: row!.eventId, change: row!.change, reason: 'Not here.', at: at(1) });
		await driver.sync();
		expect(server.log).toHaveLength(1);
		expect(await replica.db.setAside.count()).toBe(0);
	});

	it('T6 follows the server’s clock', async () => {
		const { replica, server, driver } = await device();
		server.serverTime = () => new Date(Date.now() + 7_200_000).toISOString();
		await driver.sync();
		expect(Math.abs(replica.clockOffset - 7_200_000)).toBeLessThan(60_000);
		const again = await openTab(replica.userId);
		expect(again.clockOffset).toBe(replica.clockOffset);
	});

	it('M1 brings two devices to the same records', async () => {
		const server = new FakeServer();
		const userId = someUser();
		const here = await device(`${userId}-here`, server);
		const there = await device(`${userId}-there`, server);
		await write(here.replica, tasks(2));
		await write(there.replica, [{ app: 'todo', table: 'tasks', id: 't0', op: 'update', set: { notes: 'from there' } }]);
		for (const one of [here, there, here, there]) await one.driver.sync();
		const all = await Promise.all([here, there].map((one) => one.replica.db.records.toArray()));
		expect(all[0]).toEqual(all[1]);
		expect(all[0]).toHaveLength(2);
	});
});
