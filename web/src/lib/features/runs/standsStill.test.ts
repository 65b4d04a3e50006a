import '$lib/testing/dom';
import { flushSync } from 'svelte';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import Inbox from '../../../routes/(app)/companion/inbox/+page.svelte';
import Today from '../../../routes/(app)/+page.svelte';
import type { Change, Data, Proposal } from '$lib/core/types';
import { runs } from '$lib/features/missions/missions.svelte';
import { forgetReadings } from '$lib/features/proposals/consent.svelte';
import Ghost from '$lib/features/proposals/Ghost.svelte';
import { planHref } from '$lib/features/proposals/plan';
import PlanView from '$lib/features/proposals/PlanView.svelte';
import ProposalDetail from '$lib/features/proposals/ProposalDetail.svelte';
import { proposals } from '$lib/features/proposals/proposals.svelte';
import { stageMission } from '$lib/features/proposals/staging';
import { showModules } from '$lib/features/records/modules.svelte';
import { showLocale, t } from '$lib/i18n';
import { screen } from '$lib/primitives/screen.svelte';
import { setReplica } from '$lib/replica/current';
import type { Replica } from '$lib/replica/replica';
import { show } from '$lib/testing/faces';
import { iterationArrives, MISSION, missionInsert, taskStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';

const state = vi.hoisted(() => ({
	page: { url: new URL('http://mana.test/'), params: { module: '' }, state: {}, route: { id: '/' } }
}));
vi.mock('$app/state', () => state);
vi.mock('$app/navigation', () => ({
	goto: () => {},
	replaceState: () => {},
	beforeNavigate: () => {},
	afterNavigate: () => {}
}));

const DAY = 86_400_000;
const daysAgo = (days: number) => new Date(Date.now() - days * DAY).toISOString().replace('Z', '000Z');
let replica: Replica;

beforeEach(async () => {
	showModules(manifests);
	vi.stubGlobal('addEventListener', () => {});
	vi.stubGlobal('removeEventListener', () => {});
	onTestFinished(() => void vi.unstubAllGlobals());
	replica = await openTab(someUser());
	setReplica(replica);
	onTestFinished(() => setReplica(null));
});
afterEach(() => forgetReadings());

/** The record of a row of occurrences that were skipped, as the runner pushes it. */
function skipped(code: string, more: Data = {}): Change {
	const [first, last] = [daysAgo(4), daysAgo(1)];
	return {
		eventId: `skipped-${code}`,
		appId: 'ai',
		table: 'aiRuns',
		id: '0198c0de-0000-7000-8000-0000000000f1',
		op: 'insert',
		at: last,
		actor: { kind: 'system', source: 'mission-runner' },
		data: {
			missionId: MISSION,
			slot: 'due:1',
			startedAt: first,
			finishedAt: last,
			status: 'skipped',
			code,
			reason: 'It waits.',
			details: { proposals: 2, count: 4, first, last },
			...more
		}
	};
}

/** A mission with two proposals that were made five days ago, and the record of its skipped runs. */
async function waits(code: string, set: Data = {}): Promise<Proposal[]> {
	const finished = daysAgo(5);
	const steps = [0, 1].map((index) => taskStep(index, { title: `Task ${index}` }, { updatedAt: finished }));
	const made = { startedAt: finished, finishedAt: finished, updatedAt: finished };
	await arrive(replica, [missionInsert(set), iterationArrives(steps, made), skipped(code)]);
	await stageMission(replica, MISSION);
	await until(() => proposals.count === 2 && !proposals.moving);
	return [...proposals.open];
}

/** The text of a page, once it holds a word. */
async function textWith(page: HTMLElement, word: string): Promise<string> {
	return until(() => {
		flushSync();
		const text = page.textContent.replace(/\s+/g, ' ');
		return text.includes(word) && text;
	});
}

const LANGUAGES = {
	en: { still: /stands still since .*: 2 proposals wait for you\./, age: 'waits for 5 days' },
	de: { still: /steht seit .* still: 2 Vorschläge warten auf dich\./, age: 'wartet seit 5 Tagen' }
};

describe.each(Object.entries(LANGUAGES))('in %s', (language, { still, age }) => {
	beforeEach(() => showLocale(language));

	it.each(['waiting-for-review', 'too-many-open'])('Today says once that a mission stands still: %s', async (code) => {
		await waits(code);
		const page = show(Today, {});
		await textWith(page, t('today.goals'));
		await vi.waitFor(() => expect((flushSync(), page.querySelectorAll('.lead-trouble'))).toHaveLength(1));
		const line = page.querySelector('.lead-trouble')!;
		expect(line.textContent.replace(/\s+/g, ' ')).toMatch(still);
		expect(line.querySelector('a')!.getAttribute('href')).toBe(planHref(MISSION));
	});

	it('a card shows its age in each place', async () => {
		const [one] = await waits('waiting-for-review');
		expect(show(Ghost, { proposal: one! }).textContent).toContain(age);
		const detail = show(ProposalDetail, { proposal: one!, onrefresh: () => {}, onrelease: () => {} });
		expect(detail.textContent).toContain(age);
		await textWith(show(PlanView, { missionId: MISSION }), age);
		for (const wide of [true, false]) {
			Object.defineProperty(screen, 'wide', { configurable: true, value: wide });
			await textWith(show(Inbox, {}), age);
		}
	});
});

describe('a mission does not stand still', () => {
	beforeEach(() => showLocale('en'));

	it.each([
		['that is paused', 'waiting-for-review', { state: 'paused' }],
		['whose newest run was skipped for its budget', 'over-budget', {}]
	])('%s', async (_, code, set) => {
		await waits(code, set);
		const page = show(Today, {});
		await textWith(page, t('today.proposals', { count: 2 }));
		await until(() => runs(MISSION).length === 1);
		flushSync();
		expect(page.querySelector('.lead-trouble')).toBeNull();
	});
});
