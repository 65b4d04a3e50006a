import '$lib/testing/dom';
import { flushSync } from 'svelte';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import Module from '../../routes/(app)/[module]/+page.svelte';
import Workbench from '../../routes/(app)/companion/workbench/+page.svelte';
import History from '../../routes/(app)/more/history/+page.svelte';
import type { Proposal, Step } from '$lib/core/types';
import { missions } from '$lib/features/missions/missions.svelte';
import PlanView from '$lib/features/proposals/PlanView.svelte';
import { proposals } from '$lib/features/proposals/proposals.svelte';
import { stageMission } from '$lib/features/proposals/staging';
import ToldProposals from '$lib/features/proposals/ToldProposals.svelte';
import { showModules } from '$lib/features/records/modules.svelte';
import { createRecord } from '$lib/features/records/records';
import RunView from '$lib/features/runs/RunView.svelte';
import * as past from '$lib/features/history/history';
import type { PastChange } from '$lib/features/history/past';
import * as runHistory from '$lib/features/runs/history';
import { showLocale, t } from '$lib/i18n';
import { setReplica } from '$lib/replica/current';
import type { Replica } from '$lib/replica/replica';
import { show } from '$lib/testing/faces';
import { iterationArrives, MISSION, missionInsert, taskStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';

const state = vi.hoisted(() => ({
	page: {
		url: new URL('http://mana.test/more/history?app=todo&table=tasks&id=t1'),
		params: { module: 'context' },
		state: {}
	}
}));
vi.mock('$app/state', () => state);
vi.mock('$app/navigation', () => ({
	goto: () => {},
	replaceState: () => {},
	beforeNavigate: () => {},
	afterNavigate: () => {}
}));
vi.mock('$lib/features/history/history', async (original) => ({ ...(await original<typeof past>()) }));
vi.mock('$lib/features/runs/history', async (original) => ({ ...(await original<typeof runHistory>()) }));

/** A value that no page can read: whatever is asked of it throws. */
const poison = <T extends object>(good: T, ...keys: (keyof T)[]): T =>
	new Proxy(good, {
		get(of, key, receiver) {
			if (keys.includes(key as keyof T)) throw new TypeError('poisoned');
			return Reflect.get(of, key, receiver) as unknown;
		}
	});

let replica: Replica;
beforeAll(async () => {
	await showLocale('en');
	showModules(manifests);
});
beforeEach(async () => {
	replica = await openTab(someUser());
	setReplica(replica);
	onTestFinished(() => setReplica(null));
});

async function planned(...titles: string[]): Promise<readonly Proposal[]> {
	await arrive(replica, [missionInsert(), iterationArrives(titles.map((title, n) => taskStep(n, { title })))]);
	await stageMission(replica, MISSION);
	return until(() => proposals.count === titles.length && missions.get(MISSION) && proposals.open);
}

/** The page shows its good entry, and says of the other that it can't be shown. */
async function holds(page: HTMLElement, good: string): Promise<void> {
	await vi.waitFor(() => {
		flushSync();
		expect(page.textContent).toContain(good);
		expect(page.textContent).toContain(t('broken.row'));
	}, 3_000);
}

describe('D8 one bad entry takes no other with it', () => {
	it('on a plan’s sheet', async () => {
		const [bad] = await planned('Bad one', 'Good one');
		const card = replica.core.card.bind(replica.core);
		vi.spyOn(replica.core, 'card').mockImplementation((proposal, records) => {
			if (proposal.id === bad!.id) throw new TypeError('poisoned');
			return card(proposal, records);
		});
		await holds(show(PlanView, { missionId: MISSION }), 'Good one');
	});

	it('among the steps of a run', async () => {
		await planned('Bad one', 'Good one');
		const mission = missions.get(MISSION)!;
		const [run] = mission.iterations;
		const plan = run!.plan.map((step, n): Step => (n ? step : poison(step, 'rationale')));
		await holds(show(RunView, { mission, run: { ...run!, plan }, number: 1 }), 'Good one');
	});

	it('among what a person is told of', async () => {
		const [bad, good] = await planned('Bad one', 'Good one');
		await replica.db.proposals.bulkUpdate([bad!, good!].map(({ id }) => ({ key: id, changes: { status: 'expired' } })));
		await until(() => proposals.told.length === 2);
		const told = proposals.told.map((one) => (one.id === bad!.id ? poison(one, 'operations') : one));
		vi.spyOn(proposals, 'told', 'get').mockReturnValue(told);
		await holds(show(ToldProposals, { onundo: () => {} }), 'Good one');
	});

	it('in the workbench', async () => {
		const event = (title: string): runHistory.HistoryEvent => ({
			key: title,
			at: new Date().toISOString(),
			kind: 'change',
			icon: 'check',
			byAi: false,
			text: 'bench.approved',
			params: {},
			missionId: MISSION,
			mission: 'Weekly plan',
			title,
			href: '/'
		});
		vi.spyOn(runHistory, 'history').mockReturnValue([poison(event('Bad one'), 'text'), event('Good one')]);
		await holds(show(Workbench, {}), 'Good one');
	});

	it('in a record’s past', async () => {
		const change = (value: string): PastChange => ({
			...{ app: 'todo', table: 'tasks', id: 't1', op: 'update', eventId: value, clientId: 'c1', made: false },
			receivedAt: '2026-11-01T08:00:00Z',
			madeAt: '2026-11-01T08:00:00Z',
			actor: { kind: 'user' },
			writes: [{ field: 'title', value, was: null, updatedAt: '2026-11-01T08:00:00Z', stands: false }]
		});
		vi.spyOn(past, 'history').mockResolvedValue({
			changes: [poison(change('Bad one'), 'actor'), change('Good one')],
			before: null
		});
		await holds(show(History, {}), 'Good one');
	});

	it('on the page of a document', async () => {
		await createRecord('context', 'documents', { body: 'I am Lena.' }, 'context');
		const actor = { kind: 'ai', missionId: MISSION, iterationId: 'i', rationale: 'x' };
		const change = { appId: 'context', table: 'documents', id: 'context', eventId: 'e1', at: '2099-01-01T00:00:00Z' };
		const fields = { body: { value: 'I am Lena, still.', updatedAt: '2099-01-01T00:00:00Z' } };
		await arrive(replica, [{ ...change, op: 'update', actor, fields } as never]);
		const get = vi.spyOn(missions, 'get').mockImplementation(() => {
			throw new TypeError('poisoned');
		});
		const shown = show(Module, {});
		await vi.waitFor(() => {
			flushSync();
			expect(shown.textContent).toContain('I am Lena, still.');
			expect(get).toHaveBeenCalled();
		}, 3_000);
	});
});
