import { afterEach, describe, expect, it } from 'vitest';
import type { Iteration } from '$lib/core/types';
import { setReplica } from '$lib/replica/current';
import { execute } from '$lib/replica/executor';
import type { Replica } from '$lib/replica/replica';
import { SyncDriver } from '$lib/replica/driver';
import { ITERATION, iterationArrives, MISSION, missionInsert, taskStep, toolStep } from '$lib/testing/missions';
import { arrive, openTab, someUser, until } from '$lib/testing/replica';
import { FakeServer } from '$lib/testing/server';
import {
	approve,
	difference,
	dismiss,
	proposals,
	reject,
	undo,
	undoPreview
} from '$lib/features/proposals/proposals.svelte';
import { expireLate, stageMission } from '$lib/features/proposals/staging';

afterEach(() => setReplica(null));

const task = { app: 'todo', table: 'tasks', id: 't1' };
const whole = { kind: 'iteration', iterationId: ITERATION } as const;

async function withPlan(userId: string, ...plan: Parameters<typeof iterationArrives>[0]): Promise<Replica> {
	const replica = await openTab(userId);
	await arrive(replica, [missionInsert(), iterationArrives(plan)]);
	await stageMission(replica, MISSION);
	setReplica(replica);
	await until(() => proposals.count === plan.length);
	return replica;
}

async function step(replica: Replica, index = 0) {
	const mission = await replica.read({ app: 'ai', table: 'aiMissions', id: MISSION });
	const [iteration] = (mission?.data.iterations ?? []) as Iteration[];
	return iteration?.plan.find((one) => one.index === index);
}

const write = (replica: Replica, op: 'insert' | 'update', set: Record<string, unknown>) =>
	execute(replica, { kind: 'write', actor: { kind: 'user' }, writes: [{ ...task, op, set }] });

async function approveAll() {
	for (const one of [...proposals.open]) expect(await approve(one)).toBe(true);
	await until(() => proposals.count === 0);
}

describe('an undo', () => {
	it('shows first, then does exactly that, and keeps what the person wrote since', async () => {
		const userId = someUser();
		const before = await openTab(userId);
		await write(before, 'insert', { title: 'Old name', list: 'Home' });
		before.close();
		const replica = await withPlan(
			userId,
			toolStep(0, 'update_task', { taskId: 't1', title: 'From the plan', list: 'Work' }),
			taskStep(1)
		);
		await approveAll();
		await write(replica, 'update', { list: 'Mine' });
		const waiting = await replica.db.outbox.count();
		const preview = await undoPreview(MISSION, whole);
		expect(await replica.db.outbox.count()).toBe(waiting);
		expect(preview.operations.map(({ operation }) => [operation.op, operation.set])).toEqual([
			['delete', undefined],
			['update', { title: 'Old name' }]
		]);
		expect(preview.kept).toMatchObject([{ reason: 'changed', field: 'list', actor: { kind: 'user' } }]);
		await undo(MISSION, whole, preview.hash);
		expect((await replica.read(task))?.data).toMatchObject({ title: 'Old name', list: 'Mine' });
		expect((await replica.read(task))?.meta.title?.actor).toMatchObject({ kind: 'user', undo: { missionId: MISSION } });
		expect(await step(replica, 0)).toMatchObject({ status: 'undone', decidedBy: replica.userId });
		expect(await step(replica, 1)).toMatchObject({ status: 'undone' });
		expect(await replica.db.outbox.count()).toBe(waiting + 3);
	});

	it('that would be something else by now does nothing', async () => {
		const replica = await withPlan(someUser(), taskStep(0));
		await approveAll();
		const { hash } = await undoPreview(MISSION, whole);
		const [made] = await replica.db.records.where('[app+table]').equals(['todo', 'tasks']).toArray();
		await execute(replica, {
			kind: 'write',
			actor: { kind: 'user' },
			writes: [{ ...task, id: made!.id, op: 'update', set: { notes: 'Mine' } }]
		});
		await expect(undo(MISSION, whole, hash)).rejects.toMatchObject({ code: 'altered' });
		expect(await step(replica)).toMatchObject({ status: 'approved' });
	});
});

describe('the policy of the mission’s agent', () => {
	it('counts when a proposal is approved, also one that was staged before', async () => {
		const replica = await withPlan(someUser(), taskStep(0));
		const id = proposals.open[0]!.id;
		const deny = { name: 'Mana', policy: { tools: { create_task: 'deny' } } };
		await execute(replica, {
			kind: 'write',
			actor: { kind: 'user' },
			writes: [{ app: 'ai', table: 'aiAgents', id: 'default', op: 'insert', set: deny }]
		});
		expect(await approve(proposals.get(id)!)).toBe(false);
		await until(() => proposals.get(id)?.error?.code === 'denied');
		expect(await replica.db.records.where('[app+table]').equals(['todo', 'tasks']).count()).toBe(0);
	});
});

describe('a stale proposal', () => {
	it('is approved on top of what was shown to be there, and of nothing else', async () => {
		const userId = someUser();
		const before = await openTab(userId);
		await write(before, 'insert', { title: 'Old name' });
		before.close();
		const replica = await withPlan(userId, toolStep(0, 'update_task', { taskId: 't1', title: 'From the plan' }));
		const id = proposals.open[0]!.id;
		await write(replica, 'update', { title: 'First' });
		expect(await approve(proposals.get(id)!)).toBe(false);
		const first = difference(await until(() => (proposals.get(id)?.error ? proposals.get(id) : null)))!;
		await write(replica, 'update', { title: 'Second' });
		expect(await approve(proposals.get(id)!, undefined, first)).toBe(false);
		const second = await until(() => {
			const shown = proposals.get(id) && difference(proposals.get(id)!);
			return shown?.title?.now === 'Second' ? shown : null;
		});
		expect(await approve(proposals.get(id)!, undefined, second)).toBe(true);
		expect((await replica.read(task))?.data.title).toBe('From the plan');
	});
});

describe('what waited for too long', () => {
	it('expires, cannot be approved any more, and is told until it was read', async () => {
		const past = new Date(Date.now() - 1000).toISOString();
		const replica = await withPlan(someUser(), toolStep(0, 'create_event', { title: 'Lunch', startsAt: past }));
		const id = proposals.open[0]!.id;
		expect(await approve(proposals.get(id)!)).toBe(false);
		await expireLate(replica);
		await until(() => proposals.told.some((one) => one.id === id));
		expect(proposals.count).toBe(0);
		expect(await step(replica)).toMatchObject({ status: 'expired', decidedBy: 'deadline' });
		await dismiss(id);
		await until(() => proposals.told.length === 0);
	});
});

describe('two devices that were offline', () => {
	it('decide differently: one outcome, one record, and both can tell what happened', async () => {
		const server = new FakeServer();
		const user = someUser();
		await withPlan(`${user}-phone`, taskStep(0, { title: 'Call Ada' }));
		expect(await approve(proposals.open[0]!)).toBe(true);
		setReplica(null);
		const desk = await withPlan(`${user}-desk`, taskStep(0, { title: 'Call Ada' }));
		const id = proposals.open[0]!.id;
		expect(await reject(id, 'Not now')).toBe(true);
		setReplica(null);
		const [phone, other] = [await openTab(`${user}-phone`), await openTab(`${user}-desk`)];
		for (const replica of [phone, other, phone, other]) {
			await new SyncDriver(replica, server).sync();
			await stageMission(replica, MISSION);
		}
		const records = await Promise.all([phone, other].map((replica) => replica.db.records.toArray()));
		expect(records[0]).toEqual(records[1]);
		expect(records[0]?.filter((row) => row.table === 'tasks')).toHaveLength(1);
		for (const replica of [phone, other]) {
			const settled = await step(replica);
			expect(settled).toMatchObject({ status: 'approved' });
			expect(settled?.decisions?.map(({ status, clientId, feedback }) => [status, clientId, feedback]).sort()).toEqual([
				['approved', phone.clientId, undefined],
				['rejected', desk.clientId, 'Not now']
			]);
		}
		// the one whose answer doesn't count says so
		expect(await other.db.proposals.get(id)).toMatchObject({ status: 'overruled' });
		expect(await phone.db.proposals.get(id)).toMatchObject({ status: 'approved' });
	});
});
