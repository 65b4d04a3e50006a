import { afterEach, describe, expect, it, vi } from 'vitest';
import { languages, showLocale } from '$lib/i18n';
import { setReplica } from '$lib/replica/current';
import type { Replica } from '$lib/replica/replica';
import { session } from '$lib/features/session/session.svelte';
import { ITERATION, iterationArrives, MISSION, missionInsert, taskStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import {
	checkMission,
	createMission,
	giveFeedback,
	missions,
	nextRun,
	removeMission,
	runNow,
	runs,
	running,
	setState,
	templates,
	templateText,
	updateMission
} from './missions.svelte';

afterEach(() => {
	setReplica(null);
	session.user = null;
});

async function signedIn(): Promise<Replica> {
	const replica = await openTab(someUser());
	setReplica(replica);
	session.user = {
		userId: replica.userId,
		email: '',
		name: '',
		timezone: 'Asia/Kathmandu',
		locale: 'en',
		role: 'owner'
	};
	await until(() => missions.ready);
	return replica;
}

describe('a mission', () => {
	it('is made without network, and says when it runs next in the account’s time zone', async () => {
		const replica = await signedIn();
		const id = await createMission({ title: 'Weekly plan', cadence: { kind: 'daily', atHour: 8, atMinute: 0 } });
		const mission = missions.get(id);
		expect(mission).toMatchObject({
			title: 'Weekly plan',
			state: 'active',
			timezone: 'Asia/Kathmandu',
			overlap: 'replace'
		});
		// 8:00 in Kathmandu is 2:15 UTC
		expect(mission?.nextRunAt).toMatch(/T02:15:00\.000000Z$/);
		const waiting = await replica.db.outbox.toArray();
		expect(waiting).toHaveLength(1);
		expect(waiting[0]?.change).toMatchObject({ appId: 'ai', table: 'aiMissions', id, op: 'insert' });
	});

	it('F1 F2 that does not fit is refused with its field, and nothing is stored', async () => {
		const replica = await signedIn();
		await expect(createMission({ title: ' ' })).rejects.toMatchObject({ errors: [{ field: 'title' }] });
		await expect(
			createMission({ title: 'A', cadence: { kind: 'cron', expression: 'whenever' } })
		).rejects.toMatchObject({ errors: [{ field: 'cadence.expression' }] });
		expect(await replica.db.outbox.count()).toBe(0);
		expect(checkMission({ title: 'A', state: 'active', cadence: { kind: 'interval', everyMinutes: 0 } })).not.toEqual(
			[]
		);
	});

	it('N2 N5 paused does not run, and resumed starts afresh', async () => {
		await signedIn();
		const id = await createMission({ title: 'Plan', cadence: { kind: 'daily', atHour: 8, atMinute: 0 } });
		await setState(id, 'paused');
		expect(missions.get(id)).toMatchObject({ state: 'paused', nextRunAt: null });
		await setState(id, 'active');
		expect(missions.get(id)).toMatchObject({ state: 'active', failures: 0, pausedReason: null });
		expect(missions.get(id)?.nextRunAt).toMatch(/T02:15/);
	});

	it('N2 moves its next run with its cadence, and not with its words', async () => {
		const replica = await signedIn();
		const id = await createMission({ title: 'Plan', cadence: { kind: 'manual' } });
		expect(missions.get(id)?.nextRunAt).toBeNull();
		await updateMission(id, { cadence: { kind: 'weekly', dayOfWeek: 1, atHour: 7 } });
		expect(missions.get(id)?.nextRunAt).toMatch(/T01:15/);
		await updateMission(id, { title: 'New words' });
		const last = (await replica.db.outbox.toArray()).at(-1)?.change;
		expect(Object.keys(last?.fields as object)).toEqual(['title']);
	});

	it('deleted is gone from the list', async () => {
		await signedIn();
		const id = await createMission({ title: 'Plan' });
		await removeMission(id);
		expect(missions.get(id)).toBeUndefined();
	});

	it('L4 L5 takes a word on an iteration without touching the decisions on its steps', async () => {
		const replica = await signedIn();
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0)])]);
		await giveFeedback(MISSION, ITERATION, ' Fewer, please ');
		const decided = { status: 'rejected' as const, decidedAt: '2026-04-08T07:00:00.000000Z' };
		await arrive(replica, [iterationArrives([taskStep(0, undefined, decided)])]);
		const [iteration] = missions.get(MISSION)?.iterations ?? [];
		expect(iteration).toMatchObject({ userFeedback: 'Fewer, please', summary: 'A plan', slot: 'run:1' });
		expect(iteration?.plan[0]).toMatchObject({ status: 'rejected', summary: 'Step 0' });
	});

	it('cannot be run without network, and says so', async () => {
		await signedIn();
		const id = await createMission({ title: 'Plan' });
		vi.useFakeTimers({ toFake: ['setTimeout'] });
		const asked = runNow(id);
		const refused = expect(asked).rejects.toMatchObject({ code: 'offline' });
		await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0));
		await vi.runAllTimersAsync();
		await refused;
		vi.useRealTimers();
	});

	it('shows a run while it is under way, until its iteration is there', async () => {
		const replica = await signedIn();
		await arrive(replica, [missionInsert()]);
		replica.bus.publish('run', { missionId: MISSION, iterationId: ITERATION, slot: 'run:1', phase: 'started' });
		expect(running.of(MISSION)).toMatchObject({ slot: 'run:1' });
		await arrive(replica, [iterationArrives([])]);
		expect(running.of(MISSION)).toBeUndefined();
	});

	it('T10 has one record for every occurrence, the newest first', async () => {
		const replica = await signedIn();
		const run = (id: string, startedAt: string, missionId = MISSION) => ({
			eventId: `run-${id}`,
			appId: 'ai',
			table: 'aiRuns',
			id,
			op: 'insert' as const,
			at: startedAt,
			actor: { kind: 'system' as const, source: 'mission-runner' as const },
			data: { missionId, slot: `due:${id}`, status: 'ran', startedAt }
		});
		await arrive(replica, [
			run('1', '2026-04-01T00:00:00.000000Z'),
			run('2', '2026-04-02T00:00:00.000000Z'),
			run('3', '2026-04-03T00:00:00.000000Z', 'another')
		]);
		await until(() => runs(MISSION).length === 2);
		expect(runs(MISSION).map((one) => one.id)).toEqual(['2', '1']);
	});
});

describe('the templates', () => {
	it.each(templates.map((one) => [one.id, one] as const))(
		'%s makes a mission that the core accepts',
		async (_id, one) => {
			await signedIn();
			for (const { tag } of languages) {
				await showLocale(tag);
				const { title, objective, conceptMarkdown } = templateText(one.id);
				expect(conceptMarkdown).toContain('\n- ');
				const mission = {
					title,
					objective,
					conceptMarkdown,
					cadence: one.cadence,
					inputs: one.inputs,
					state: 'active' as const
				};
				expect(checkMission(mission)).toEqual([]);
			}
			expect(nextRun(one.cadence, 'Europe/Berlin')).not.toBeNull();
			for (const { module, table } of one.inputs) {
				expect(manifests.find((manifest) => manifest.id === module)?.tables[table]).toBeDefined();
			}
		}
	);
});
