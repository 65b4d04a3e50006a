import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Actor, Data } from '$lib/core/types';
import { approve, proposals, reject } from '$lib/features/proposals/proposals.svelte';
import { stageMission } from '$lib/features/proposals/staging';
import { showLocale } from '$lib/i18n';
import { iterationArrives, MISSION, missionInsert, taskStep } from '$lib/testing/missions';
import { arrive, openTab, someUser, until } from '$lib/testing/replica';
import { setReplica } from '$lib/replica/current';
import { execute, type Write } from '$lib/replica/executor';
import { ACTIONS_KEPT, ACTION_CHARACTERS } from '$lib/replica/lastActions';
import type { Replica } from '$lib/replica/replica';
import { lastActions, undoLast } from './lastActions.svelte';

const user: Actor = { kind: 'user' };
const task = { app: 'todo', table: 'tasks', id: 't1' };

async function signedIn(userId = someUser()): Promise<Replica> {
	const replica = await openTab(userId);
	setReplica(replica);
	return replica;
}

function write(replica: Replica, ...writes: Write[]) {
	return execute(replica, { kind: 'write', actor: user, writes });
}

beforeAll(() => showLocale('en'));
afterEach(() => setReplica(null));

describe('the last actions', () => {
	it('are taken back one after the other, the newest first', async () => {
		const replica = await signedIn();
		await write(replica, { ...task, op: 'insert', set: { title: 'Milk', done: false } });
		await write(replica, { ...task, op: 'update', set: { done: true } });
		await write(replica, { ...task, op: 'delete' });
		await until(() => lastActions.list.length === 3);
		expect(await undoLast()).toBe(true);
		expect((await replica.read(task))?.deleted).toBe(false);
		expect(await undoLast()).toBe(true);
		expect((await replica.read(task))?.data.done).toBe(false);
		expect(await undoLast(), 'what was added, though it was ticked and removed in between').toBe(true);
		expect((await replica.read(task))?.deleted).toBe(true);
		expect(await undoLast()).toBe(false);
		expect(await replica.db.outbox.count()).toBe(6);
	});

	it('outlive a reload, and take a bulk edit back as one', async () => {
		const userId = someUser();
		const before = await signedIn(userId);
		const ids = ['a', 'b', 'c'];
		await write(before, ...ids.map((id) => ({ ...task, id, op: 'insert' as const, set: { title: id } })));
		await write(before, ...ids.map((id) => ({ ...task, id, op: 'delete' as const })));
		setReplica(null);
		const replica = await signedIn(userId);
		await until(() => lastActions.list.length === 2);
		expect(await undoLast()).toBe(true);
		for (const id of ids) expect((await replica.read({ ...task, id }))?.deleted).toBe(false);
	});

	it('leave alone what was written elsewhere since, and say so', async () => {
		const replica = await signedIn();
		await write(replica, { ...task, op: 'insert', set: { title: 'Milk', done: false } });
		await write(replica, { ...task, op: 'update', set: { title: 'Oat milk', done: true } });
		await until(() => lastActions.list.length === 2);
		const later = new Date(Date.now() + 5000).toISOString();
		await arrive(replica, [
			{
				appId: 'todo',
				eventId: 'elsewhere',
				table: 'tasks',
				id: 't1',
				op: 'update',
				actor: user,
				fields: { title: { value: 'Soy milk', updatedAt: later } }
			} as never
		]);
		expect(await undoLast()).toBe(true);
		const row = await replica.read(task);
		expect(row?.data).toMatchObject({ title: 'Soy milk', done: false });
		expect(lastActions.left).toHaveLength(1);
		expect(lastActions.left[0]).toContain('Soy milk');
	});

	it('are bounded, in number and in size', async () => {
		const replica = await signedIn();
		await write(replica, { ...task, op: 'insert', set: { title: '0' } });
		for (let n = 1; n <= ACTIONS_KEPT + 2; n++) await write(replica, { ...task, op: 'update', set: { title: `${n}` } });
		expect(await replica.db.readMeta('lastActions')).toHaveLength(ACTIONS_KEPT);
		const note = { app: 'notes', table: 'notes', id: 'n1' };
		await write(replica, { ...note, op: 'insert', set: { title: 'Long', body: '' } });
		const body = 'x'.repeat(190_000);
		for (let n = 0; n <= 6; n++) await write(replica, { ...note, op: 'update', set: { body: `${n}${body}` } });
		const kept = (await replica.db.readMeta('lastActions')) ?? [];
		expect(kept).toHaveLength(Math.floor(ACTION_CHARACTERS / body.length));
	});

	it('offer rejected proposals anew, which can be approved then', async () => {
		const replica = await openTab(someUser());
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0, { title: 'Call Ada' }), taskStep(1)])]);
		await stageMission(replica, MISSION);
		setReplica(replica);
		await until(() => proposals.count === 2);
		for (const { id } of proposals.open) expect(await reject(id)).toBe(true);
		await until(() => proposals.count === 0 && lastActions.list.length > 0);
		expect(lastActions.list, 'both were rejected at once').toHaveLength(1);
		expect(await undoLast()).toBe(true);
		await until(() => proposals.count === 2);
		expect(proposals.open.every(({ again }) => again)).toBe(true);
		expect(await approve(proposals.open[0]!)).toBe(true);
		const tasks = await replica.db.records.where('[app+table]').equals(['todo', 'tasks']).toArray();
		expect(tasks.map(({ data }) => data.title)).toEqual(['Call Ada']);
	});

	it('do not hold what the missions own', async () => {
		const replica = await signedIn();
		const { table, id, data } = missionInsert() as { table: string; id: string; data: Data };
		await write(replica, { app: 'ai', table, id, op: 'insert', set: data });
		expect((await replica.db.readMeta('lastActions')) ?? []).toHaveLength(0);
	});
});
