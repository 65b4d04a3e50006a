import { afterEach, describe, expect, it } from 'vitest';
import type { Iteration } from '$lib/core/types';
import { setReplica } from '$lib/replica/current';
import { execute } from '$lib/replica/executor';
import type { Replica } from '$lib/replica/replica';
import { ITERATION, iterationArrives, MISSION, missionInsert, taskStep, toolStep } from '$lib/testing/missions';
import { arrive, openTab, someUser, until } from '$lib/testing/replica';
import { FakeServer } from '$lib/testing/server';
import { SyncDriver } from '$lib/replica/driver';
import { approve, forModule, forRecord, proposals, refreshProposal, reject } from './proposals.svelte';
import { stageMission } from './staging';

afterEach(() => setReplica(null));

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

const task = { app: 'todo', table: 'tasks', id: 't1' };
function rename(replica: Replica, title: string) {
	return execute(replica, {
		kind: 'write',
		actor: { kind: 'user' },
		writes: [{ ...task, op: 'update', set: { title } }]
	});
}

describe('a decision', () => {
	it('that meets a sign-out leaves the proposal free for the next press', async () => {
		const userId = someUser();
		await withPlan(userId, taskStep(0));
		const proposal = proposals.open[0]!;
		setReplica(null);
		await expect(approve(proposal)).rejects.toMatchObject({ code: 'signed_out' });
		setReplica(await openTab(userId));
		await until(() => proposals.count === 1);
		expect(await approve(proposal)).toBe(true);
	});

	it('approved: the record says for ever which mission, iteration and reason it came from', async () => {
		const replica = await withPlan(someUser(), taskStep(0, { title: 'Call Ada' }));
		const [proposal] = proposals.open;
		expect(await approve(proposal!)).toBe(true);
		const [created] = await replica.db.records.where('[app+table]').equals(['todo', 'tasks']).toArray();
		expect(created?.data).toMatchObject({ title: 'Call Ada' });
		expect(created?.meta.title?.actor).toMatchObject({
			kind: 'ai',
			missionId: MISSION,
			iterationId: ITERATION,
			rationale: 'Because of goal 0.'
		});
		expect(await step(replica)).toMatchObject({ status: 'approved', decidedBy: replica.userId });
		const sent = (await replica.db.outbox.toArray()).map((row) => `${row.change.appId}/${row.change.op}`);
		expect(sent.sort()).toEqual(['ai/update', 'todo/insert']);
		await until(() => proposals.count === 0);
	});

	it('rejected: nothing is made, and the reason is on the step for the next prompt', async () => {
		const replica = await withPlan(someUser(), taskStep(0));
		expect(await reject(proposals.open[0]?.id ?? '', 'Not this week')).toBe(true);
		expect(await replica.db.records.where('[app+table]').equals(['todo', 'tasks']).count()).toBe(0);
		expect(await step(replica)).toMatchObject({ status: 'rejected', feedback: 'Not this week' });
	});

	it('with edited parameters makes what the person wrote', async () => {
		const replica = await withPlan(someUser(), taskStep(0, { title: 'Call Ada' }));
		expect(await approve(proposals.open[0]!, { title: 'Call Ada at noon' })).toBe(true);
		const [created] = await replica.db.records.where('[app+table]').equals(['todo', 'tasks']).toArray();
		expect(created?.data.title).toBe('Call Ada at noon');
		expect(await step(replica)).toMatchObject({ status: 'approved', editedParams: { title: 'Call Ada at noon' } });
	});

	it('that fails stays on screen with its error, and can be looked at anew', async () => {
		const userId = someUser();
		const first = await openTab(userId);
		await rename(first, 'Old name');
		first.close();
		const replica = await withPlan(userId, toolStep(0, 'update_task', { taskId: 't1', title: 'From the plan' }));
		await rename(replica, 'Changed by the person meanwhile');
		const id = proposals.open[0]?.id ?? '';
		const waiting = await replica.db.outbox.count();
		expect(await approve(proposals.get(id)!)).toBe(false);
		await until(() => proposals.get(id)?.error);
		expect(proposals.get(id)).toMatchObject({
			status: 'open',
			error: {
				code: 'stale',
				details: { title: { seen: 'Old name', now: 'Changed by the person meanwhile', proposed: 'From the plan' } }
			}
		});
		expect(await replica.db.outbox.count()).toBe(waiting);
		expect((await replica.read(task))?.data.title).toBe('Changed by the person meanwhile');
		await refreshProposal(id);
		await until(() => proposals.get(id)?.error == null);
		expect(await approve(proposals.get(id)!)).toBe(true);
		expect((await replica.read(task))?.data.title).toBe('From the plan');
	});

	it.each([
		['a change', 'update_task', { title: 'From the plan' }],
		['a removal', 'delete_task', {}]
	])('holds for what was read: %s that another tab proposed anew is not carried out', async (_, tool, params) => {
		const userId = someUser();
		const first = await openTab(userId);
		await rename(first, 'Old name');
		first.close();
		const replica = await withPlan(userId, toolStep(0, tool, { taskId: 't1', ...params }));
		const read = proposals.open[0]!;
		await rename(replica, 'Worth keeping');
		await refreshProposal(read.id);
		await until(() => proposals.open[0] !== read && !proposals.moving);
		expect(proposals.open[0]!.opsHash).toBe(read.opsHash);
		expect(await approve(read)).toBe(false);
		expect((await replica.read(task))?.data).toMatchObject({ title: 'Worth keeping' });
		// The proposal that stands there now has no fault, and can be approved once it was read.
		expect(proposals.open[0]!.error).toBeUndefined();
		expect(await approve(proposals.open[0]!)).toBe(true);
	});

	it('pressed twice makes one record', async () => {
		const replica = await withPlan(someUser(), taskStep(0));
		const proposal = proposals.open[0]!;
		await Promise.all([approve(proposal), approve(proposal)]);
		expect(await replica.db.records.where('[app+table]').equals(['todo', 'tasks']).count()).toBe(1);
		expect(await replica.db.outbox.count()).toBe(2);
	});

	it('the same on two devices makes one record on both', async () => {
		const server = new FakeServer();
		const user = someUser();
		const devices: Replica[] = [];
		for (const name of ['phone', 'desk']) {
			await withPlan(`${user}-${name}`, taskStep(0));
			expect(await approve(proposals.open[0]!)).toBe(true);
			setReplica(null);
			devices.push(await openTab(`${user}-${name}`));
		}
		for (const replica of [...devices, ...devices]) await new SyncDriver(replica, server).sync();
		const records = await Promise.all(devices.map((replica) => replica.db.records.toArray()));
		expect(records[0]).toEqual(records[1]);
		expect(records[0]?.filter((row) => row.table === 'tasks')).toHaveLength(1);
	});
});

describe('the list of proposals', () => {
	it('is in the order of the plan, and knows what belongs where', async () => {
		const userId = someUser();
		const first = await openTab(userId);
		await rename(first, 'A task');
		first.close();
		await withPlan(userId, taskStep(1), taskStep(0), toolStep(2, 'complete_task', { taskId: 't1' }));
		expect(proposals.open.map((one) => one.index)).toEqual([0, 1, 2]);
		expect(forModule('todo')).toHaveLength(3);
		expect(forModule('notes')).toHaveLength(0);
		expect(forRecord('todo', 'tasks', 't1').map((one) => one.tool)).toEqual(['complete_task']);
	});
});
