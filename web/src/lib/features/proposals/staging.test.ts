import { describe, expect, it, vi } from 'vitest';
import { Backoff } from '$lib/replica/backoff';
import type { Replica } from '$lib/replica/replica';
import { iterationArrives, missionInsert, MISSION, taskStep, toolStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { onTestFinished } from 'vitest';
import { stageMission, startServerIterationStaging } from './staging';

function stage(replica: Replica): void {
	onTestFinished(startServerIterationStaging(replica));
}

describe('startServerIterationStaging', () => {
	it('turns a server’s iteration into proposals, with its reasons', async () => {
		const replica = await openTab(someUser());
		stage(replica);
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0), taskStep(1)])]);
		await until(async () => (await replica.db.proposals.count()) === 2);
		const staged = await replica.db.proposals.toArray();
		staged.sort((a, b) => a.index - b.index);
		expect(staged).toMatchObject([
			{
				missionId: MISSION,
				missionTitle: 'Weekly plan',
				app: 'todo',
				tool: 'create_task',
				op: 'insert',
				status: 'open',
				rationale: 'Because of goal 0.',
				operations: [{ op: 'insert', table: 'tasks', set: { title: 'Task 0' } }]
			},
			{ rationale: 'Because of goal 1.', operations: [{ set: { title: 'Task 1' } }] }
		]);
		// a proposal is local: nothing of it is sent
		expect(await replica.db.outbox.count()).toBe(0);
	});

	it('does not stage again what is staged, however often the mission changes', async () => {
		const replica = await openTab(someUser());
		stage(replica);
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0)])]);
		const [first] = await until(async () => {
			const all = await replica.db.proposals.toArray();
			return all.length === 1 && all;
		});
		await arrive(replica, [iterationArrives([taskStep(0), taskStep(1)])]);
		await until(async () => (await replica.db.proposals.count()) === 2);
		await stageMission(replica, MISSION);
		const again = await replica.db.proposals.toArray();
		expect(again).toHaveLength(2);
		expect(again).toContainEqual(first);
	});

	it('leaves an iteration of a browser’s own model alone', async () => {
		const replica = await openTab(someUser());
		stage(replica);
		await arrive(replica, [
			missionInsert(),
			iterationArrives([taskStep(0)], { source: 'browser' }),
			iterationArrives([taskStep(7)], { id: 'b0000000-0000-7000-8000-000000000000', slot: 'run:2' })
		]);
		// the server's iteration beside it shows that staging has looked
		await until(async () => (await replica.db.proposals.count()) > 0);
		expect((await replica.db.proposals.toArray()).map((one) => one.index)).toEqual([7]);
	});

	it('makes one proposal where two tabs see the iteration arrive', async () => {
		const userId = someUser();
		const [here, there] = [await openTab(userId), await openTab(userId)];
		stage(here);
		stage(there);
		await arrive(here, [missionInsert(), iterationArrives([taskStep(0), taskStep(1), taskStep(2)])]);
		await until(async () => (await here.db.proposals.count()) > 0);
		await Promise.all([stageMission(here, MISSION), stageMission(there, MISSION)]);
		const all = await there.db.proposals.toArray();
		expect(all.map((one) => one.index).sort()).toEqual([0, 1, 2]);
	});

	it('stages after a restart what arrived while no tab was open, once', async () => {
		const userId = someUser();
		const before = await openTab(userId);
		await arrive(before, [missionInsert(), iterationArrives([taskStep(0)])]);
		before.close();
		const after = await openTab(userId);
		const stop = startServerIterationStaging(after);
		const staged = await until(async () => {
			const all = await after.db.proposals.toArray();
			return all.length > 0 && all;
		});
		stop();
		after.close();
		const third = await openTab(userId);
		await stageMission(third, MISSION);
		expect(await third.db.proposals.toArray()).toEqual(staged);
	});

	it('closes what was decided on another device', async () => {
		const replica = await openTab(someUser());
		stage(replica);
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0), taskStep(1)])]);
		await until(async () => (await replica.db.proposals.count()) === 2);
		await arrive(replica, [
			iterationArrives([taskStep(0, undefined, { status: 'rejected', decidedAt: '2026-04-08T07:00:00.000000Z' })])
		]);
		const closed = await until(async () => {
			const all = await replica.db.proposals.where('status').equals('closed').toArray();
			return all.length > 0 && all;
		});
		expect(closed.map((one) => one.index)).toEqual([0]);
		expect(await replica.db.proposals.where('status').equals('open').count()).toBe(1);
	});

	it('forgets what was decided once its iteration is no longer in the mission', async () => {
		const replica = await openTab(someUser());
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0), taskStep(1)])]);
		await stageMission(replica, MISSION);
		const [decided, open] = await replica.db.proposals.orderBy('id').toArray();
		await replica.db.proposals.update(decided!.id, { status: 'rejected', iterationId: 'an older run' });
		await replica.db.proposals.update(open!.id, { iterationId: 'an older run' });
		await replica.db.proposals.add({ ...decided!, id: 'kept', status: 'approved' });
		await stageMission(replica, MISSION);
		const left = new Map((await replica.db.proposals.toArray()).map((one) => [one.id, one.status]));
		expect(left.get('kept')).toBe('approved');
		expect(left.get(open!.id)).toBeDefined();
		expect(left.get(decided!.id)).not.toBe('rejected');
	});

	it('closes what belongs to a deleted mission', async () => {
		const replica = await openTab(someUser());
		stage(replica);
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0)])]);
		await until(async () => (await replica.db.proposals.where('status').equals('open').count()) === 1);
		const { eventId, ...rest } = missionInsert();
		await arrive(replica, [
			{
				eventId,
				appId: 'ai',
				table: 'aiMissions',
				id: rest.id,
				op: 'delete',
				deletedAt: '2026-04-08T08:00:00.000000Z',
				actor: { kind: 'user' }
			}
		]);
		await until(async () => (await replica.db.proposals.where('status').equals('closed').count()) === 1);
	});

	it('tries again after a failure, though nothing changes meanwhile', async () => {
		const replica = await openTab(someUser());
		vi.spyOn(console, 'error').mockImplementation(() => {});
		const stageFails = vi.spyOn(replica.core, 'stage').mockImplementationOnce(() => {
			throw new Error('the first attempt fails');
		});
		onTestFinished(startServerIterationStaging(replica, new Backoff(() => 1, 10)));
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0)])]);
		await until(async () => (await replica.db.proposals.count()) === 1);
		expect(stageFails.mock.calls.length).toBeGreaterThan(1);
	});

	it('shows a step that cannot be carried out here, with its reason', async () => {
		const replica = await openTab(someUser());
		stage(replica);
		await arrive(replica, [
			missionInsert(),
			iterationArrives([toolStep(0, 'complete_task', { taskId: 'nowhere' }), toolStep(1, 'fly_to_moon', {})])
		]);
		await until(async () => (await replica.db.proposals.count()) === 2);
		const staged = await replica.db.proposals.orderBy('id').toArray();
		expect(staged.map((one) => [one.index, one.status, one.error?.code]).sort()).toEqual([
			[0, 'failed', 'gone'],
			[1, 'failed', 'unknownTool']
		]);
	});

	it('stages a step anew whose tool was unknown here and is not any more', async () => {
		const replica = await openTab(someUser());
		const known = replica.core.tools();
		const unknown = vi.spyOn(replica.core, 'tools').mockReturnValue([]);
		await arrive(replica, [missionInsert(), iterationArrives([toolStep(0, 'fly_to_moon', {})])]);
		await stageMission(replica, MISSION);
		const [failed] = await replica.db.proposals.toArray();
		expect(failed).toMatchObject({ status: 'failed', error: { code: 'unknownTool' } });
		await replica.db.proposals.update(failed!.id, { summary: 'made before' });
		await stageMission(replica, MISSION);
		expect(await replica.db.proposals.toArray()).toMatchObject([{ summary: 'made before' }]);
		unknown.mockReturnValue([...known, { ...known[0]!, name: 'fly_to_moon' }]);
		await stageMission(replica, MISSION);
		const [anew] = await replica.db.proposals.toArray();
		expect(anew).toMatchObject({ id: failed!.id });
		expect(anew!.summary).not.toBe('made before');
	});

	it('stages a step anew by itself when its module arrives after the plan', async () => {
		const replica = await openTab(
			someUser(),
			manifests.filter(({ id }) => id !== 'todo')
		);
		stage(replica);
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0)])]);
		const only = async () => (await replica.db.proposals.toArray())[0];
		expect(await until(only)).toMatchObject({ status: 'failed', error: { code: 'unknownTool' } });
		await replica.replaceManifests(manifests);
		await until(async () => (await only())?.status === 'open');
	});
});
