import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ApiError, OfflineError } from '$lib/api/errors';
import { execute } from '$lib/replica/executor';
import type { Replica } from '$lib/replica/replica';
import { SyncDriver } from '$lib/replica/driver';
import { MISSION, missionInsert } from '$lib/testing/missions';
import { arrive, openTab, someUser } from '$lib/testing/replica';
import { FakeServer } from '$lib/testing/server';
import { MissionTick } from './missionTick';

const soon = (ms: number) => new Date(Date.now() + ms).toISOString();

/** The syncing tab, as far as the tick needs it: an outbox that is sent on request. */
function syncing(replica: Replica, server = new FakeServer()): FakeServer {
	const engine = new SyncDriver(replica, server);
	replica.bus.on('syncNow', () => {
		engine.sync().then(
			() => replica.bus.publish('synced', { ok: true }),
			(error: { code: string }) => replica.bus.publish('synced', { ok: false, code: error.code })
		);
	});
	return server;
}

function recorder() {
	const asked: { id: string; slot: string; resolvedInputs: unknown }[] = [];
	const ask = async (id: string, body: { slot: string; resolvedInputs: unknown }) => {
		asked.push({ id, ...body });
	};
	return { asked, ask };
}

describe('the foreground tick', () => {
	it('Q2 asks for a due mission with what this device holds, unsynced records too', async () => {
		const replica = await openTab(someUser());
		const server = syncing(replica);
		const nextRunAt = soon(5_000);
		const inputs = [
			{ module: 'notes', table: 'notes', id: 'n1' },
			{ module: 'todo', table: 'tasks' }
		];
		await arrive(replica, [missionInsert({ nextRunAt, inputs })]);
		await execute(replica, {
			kind: 'write',
			actor: { kind: 'user' },
			writes: [
				{ app: 'notes', table: 'notes', id: 'n1', op: 'insert', set: { title: 'Note', body: 'Written just now' } },
				{ app: 'todo', table: 'tasks', id: 't1', op: 'insert', set: { title: 'Task' } },
				{ app: 'todo', table: 'tasks', id: 't2', op: 'insert', set: { title: 'Gone' } },
				{ app: 'todo', table: 'tasks', id: 't2', op: 'delete' }
			]
		});
		const { asked, ask } = recorder();
		const tick = new MissionTick(replica, ask);
		expect(await tick.look()).toEqual([`due:${Date.parse(nextRunAt)}`]);
		expect(asked).toEqual([
			{
				id: MISSION,
				slot: `due:${Date.parse(nextRunAt)}`,
				resolvedInputs: [
					{
						meta: expect.anything(),
						module: 'notes',
						table: 'notes',
						id: 'n1',
						data: { title: 'Note', body: 'Written just now' }
					},
					{ meta: expect.anything(), module: 'todo', table: 'tasks', id: 't1', data: { title: 'Task' } }
				]
			}
		]);
		expect(server.log).toHaveLength(4); // the run finds them on the server too
	});

	it('reads the missions again only when one changes or its time comes', async () => {
		const replica = await openTab(someUser());
		syncing(replica);
		await arrive(replica, [missionInsert({ nextRunAt: soon(3_600_000) })]);
		const { asked, ask } = recorder();
		const tick = new MissionTick(replica, ask);
		onTestFinished(() => tick.close());
		await tick.look();
		const read = vi.spyOn(replica.db.records, 'where');
		for (let look = 0; look < 5; look++) await tick.look();
		expect(read).not.toHaveBeenCalled();
		await execute(replica, {
			kind: 'write',
			actor: { kind: 'user' },
			writes: [{ app: 'ai', table: 'aiMissions', id: MISSION, op: 'update', set: { nextRunAt: soon(5_000) } }]
		});
		await tick.look();
		expect(asked).toHaveLength(1);
	});

	it('asks once for a slot, and not for what is not due, paused or deleted', async () => {
		const replica = await openTab(someUser());
		syncing(replica);
		const { asked, ask } = recorder();
		const tick = new MissionTick(replica, ask);
		await arrive(replica, [
			{ ...missionInsert({ nextRunAt: soon(3_600_000) }), id: 'later' },
			{ ...missionInsert({ nextRunAt: soon(0), state: 'paused' }), id: 'paused' },
			{ ...missionInsert({ nextRunAt: soon(0), deletedAt: soon(0) }), id: 'deleted' },
			{ ...missionInsert({ nextRunAt: soon(0) }), id: 'due' }
		]);
		await tick.look();
		await tick.look();
		expect(asked.map((one) => one.id)).toEqual(['due']);
	});

	it('S1 asks again where a failed slot is to be retried', async () => {
		const replica = await openTab(someUser());
		syncing(replica);
		const { asked, ask } = recorder();
		await arrive(replica, [missionInsert({ nextRunAt: soon(0), retrySlot: 'due:1775635200000' })]);
		await new MissionTick(replica, ask).look();
		expect(asked.map((one) => one.slot)).toEqual(['due:1775635200000']);
	});

	it('without network leaves it to the server, and asks when it is back', async () => {
		const replica = await openTab(someUser());
		syncing(replica);
		const { asked, ask } = recorder();
		let online = false;
		const tick = new MissionTick(replica, async (id, body) => {
			if (!online) throw new OfflineError();
			await ask(id, body);
		});
		await arrive(replica, [missionInsert({ nextRunAt: soon(0) })]);
		expect(await tick.look()).toEqual([]);
		online = true;
		expect(await tick.look()).toHaveLength(1);
		expect(asked).toHaveLength(1);
	});

	it('is not held up by a mission that the server refuses, and does not ask for it for ever', async () => {
		const replica = await openTab(someUser());
		const other = '0198c0de-0000-7000-8000-000000000002';
		await arrive(replica, [
			missionInsert({ nextRunAt: soon(1_000) }),
			{ ...missionInsert({ nextRunAt: soon(1_000) }), id: other }
		]);
		const asked: string[] = [];
		const tick = new MissionTick(replica, async (id) => {
			asked.push(id);
			if (id === MISSION) throw new ApiError(422, 'invalid', 'no');
		});
		expect(await tick.look()).toHaveLength(1);
		expect(await tick.look()).toEqual([]);
		expect(asked).toEqual([MISSION, other]);
	});
});
