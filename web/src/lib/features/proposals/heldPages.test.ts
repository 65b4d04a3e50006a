import '$lib/testing/dom';
import { flushSync } from 'svelte';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import Inbox from '../../../routes/(app)/companion/inbox/+page.svelte';
import Module from '../../../routes/(app)/[module]/+page.svelte';
import Today from '../../../routes/(app)/+page.svelte';
import Todo from '../../../routes/(app)/todo/+page.svelte';
import type { Proposal, Step } from '$lib/core/types';
import { showModules } from '$lib/features/records/modules.svelte';
import { createRecord } from '$lib/features/records/records';
import { dayOf } from '$lib/primitives/format';
import { showLocale, t } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';
import { setReplica } from '$lib/replica/current';
import type { Replica } from '$lib/replica/replica';
import { show } from '$lib/testing/faces';
import { iterationArrives, MISSION, missionInsert, toolStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { noteShown } from './consent.svelte';
import { approveOne, decisions, rejectOne } from './decisions.svelte';
import { proposals } from './proposals.svelte';
import { SETTLED_KEPT, settled } from './settled.svelte';
import { stageMission } from './staging';

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

let replica: Replica;
const NOW = dayOf(new Date());
const today = { dueDate: NOW };

beforeAll(async () => {
	await showLocale('en');
	showModules(manifests);
});
beforeEach(async () => {
	// Today's page remembers when it was left.
	vi.stubGlobal('addEventListener', () => {});
	vi.stubGlobal('removeEventListener', () => {});
	onTestFinished(() => void vi.unstubAllGlobals());
	replica = await openTab(someUser());
	setReplica(replica);
	onTestFinished(() => setReplica(null));
	onTestFinished(() => decisions.forget());
});

/** A plan of its own run arrives, and its proposals are here. */
async function plan(run: number, ...steps: Step[]): Promise<Proposal[]> {
	const before = proposals.count;
	const id = `0198c0de-0000-7000-8000-0000000000b${run}`;
	await arrive(replica, [missionInsert(), iterationArrives(steps, { id, slot: `run:${run}` })]);
	await stageMission(replica, MISSION);
	await until(() => proposals.count === before + steps.length && !proposals.moving);
	return proposals.open.filter(({ iterationId }) => iterationId === id);
}

/** The page once it says all of this, in this order. */
async function reads(page: HTMLElement, ...texts: (string | RegExp)[]): Promise<void> {
	const shown = () => page.textContent.replace(/\s+/g, ' ');
	const inOrder = () => {
		flushSync();
		let at = 0;
		for (const text of texts) {
			const rest = shown().slice(at);
			const found = typeof text === 'string' ? rest.indexOf(text) : rest.search(text);
			if (found < 0) return false;
			at += found + 1;
		}
		return true;
	};
	await vi.waitFor(() => expect(inOrder(), `${texts.join(' … ')}\n${shown()}`).toBe(true), 3_000);
}

const buttons = (page: HTMLElement, word: string) =>
	[...page.querySelectorAll('button')].filter((one) => one.textContent?.trim().startsWith(word));
const elsewhere = (proposal: Proposal) => replica.db.proposals.update(proposal.id, { status: 'closed' });

describe('C11 on the page of a module', () => {
	const pages: [string, unknown, string, (title: string, index: number) => Step][] = [
		['tasks', Todo, '/todo', (title, n) => toolStep(n, 'create_task', { title, ...today })],
		['goals', Module, '/goals', (title, n) => toolStep(n, 'create_goal', { title })],
		['today', Today, '/', (title, n) => toolStep(n, 'create_task', { title, ...today })]
	];

	it.each(pages)('%s: newcomers stand below, and what was decided stays and says so', async (_, page, path, step) => {
		state.page.url = new URL(path, 'http://mana.test');
		state.page.params = { module: path.slice(1) };
		await createRecord('todo', 'tasks', { title: 'Own task', ...today }, 't1');
		await createRecord('goals', 'goals', { title: 'Own goal' }, 'g1');
		const [first, second] = await plan(1, step('Bbb first', 0), step('Ccc second', 1));
		const shown = show(page, {});
		await reads(shown, 'Bbb first', 'Ccc second');
		const [newcomer] = await plan(2, step('Aaa newcomer', 2));
		await reads(shown, 'Bbb first', 'Ccc second', t('held.arrived'), 'Aaa newcomer');

		noteShown([first!]);
		expect(await approveOne(first!)).toBe(true);
		await reads(shown, 'Approved a moment ago: Bbb first', 'Ccc second', t('held.arrived'));
		noteShown([newcomer!]);
		expect(await rejectOne(newcomer!)).toBe(true);
		await reads(shown, t('held.arrived'), 'Rejected a moment ago: Aaa newcomer');

		await elsewhere(second!);
		await reads(shown, 'Approved a moment ago: Bbb first', 'Ccc second', t('held.closed'), t('held.arrived'));
		expect(buttons(shown, t('prop.approve'))).toHaveLength(0);
		expect(buttons(shown, t('word.undo'))).toHaveLength(1);
	});

	it('a change stays where its record stood, and shows it again when it is decided', async () => {
		state.page.url = new URL('http://mana.test/todo');
		await createRecord('todo', 'tasks', { title: 'Aaa', ...today }, 'a1');
		await createRecord('todo', 'tasks', { title: 'Zzz', ...today }, 'z1');
		const [change] = await plan(1, toolStep(0, 'update_task', { taskId: 'a1', title: 'Zzzz renamed' }));
		const shown = show(Todo, {});
		await reads(shown, 'Zzzz renamed', 'Zzz');
		noteShown([change!]);
		expect(await approveOne(change!)).toBe(true);
		await reads(shown, 'Approved a moment ago: Zzzz renamed', 'Zzz', 'Zzzz renamed');
	});

	it('a replaced card says so, and is shown anew when it is asked for', async () => {
		state.page.url = new URL('http://mana.test/todo');
		await createRecord('todo', 'tasks', { title: 'Own task', ...today }, 't1');
		const [card] = await plan(1, toolStep(0, 'create_task', { title: 'Old words', ...today }));
		const shown = show(Todo, {});
		await reads(shown, 'Old words');
		const [operation] = card!.operations;
		const operations = [{ ...operation!, set: { ...operation!.set, title: 'New words' } }];
		await replica.db.proposals.update(card!.id, { operations, opsHash: 'other' });
		await reads(shown, 'Old words', t('held.changed'));
		expect(buttons(shown, t('prop.approve'))).toHaveLength(0);
		buttons(shown, t('held.show'))[0]!.click();
		await reads(shown, 'New words');
		expect(shown.textContent).not.toContain('Old words');
		expect(buttons(shown, t('prop.approve'))).toHaveLength(1);
	});

	it('a document’s newcomers stand below it', async () => {
		state.page.url = new URL('http://mana.test/context');
		state.page.params = { module: 'context' };
		await createRecord('context', 'documents', { body: 'I am Lena.' }, 'context');
		const shown = show(Module, {});
		await reads(shown, 'I am Lena.');
		await plan(1, toolStep(0, 'append_to_context', { text: 'Ask me first.' }));
		await reads(shown, 'I am Lena.', t('held.arrived'), 'Ask me first.');
	});

	it('what arrives on an empty page has nothing to stand below', async () => {
		state.page.url = new URL('http://mana.test/goals');
		state.page.params = { module: 'goals' };
		const shown = show(Module, {});
		await plan(1, toolStep(0, 'create_goal', { title: 'First of all' }));
		await reads(shown, 'First of all');
		expect(shown.textContent).not.toContain(t('held.arrived'));
	});
});

describe('what was decided on a page', () => {
	it('is told one by one up to a bound, and that there is more', async () => {
		const [one] = await plan(1, toolStep(0, 'create_task', { title: 'One' }));
		const decided = (n: number) =>
			({ ...one!, id: `d${n}`, stepId: `s${n}`, title: `Decided ${n}`, how: 'rejected' }) as const;
		for (let n = 0; n < SETTLED_KEPT + 3; n++) settled.note(decided(n));
		expect(decisions.settled).toHaveLength(SETTLED_KEPT);
		expect(settled.untold).toBe(3);
		expect(settled.has('d0')).toBe(true);
		const shown = show(Inbox, {});
		await reads(shown, `Decided ${SETTLED_KEPT + 2}`, t('inbox.settledMore', { count: 3 }));
		decisions.forget();
		expect(settled.has('d0')).toBe(false);
	});

	it('is told by the name that its record has then', async () => {
		const [one] = await plan(1, toolStep(0, 'create_task', { title: 'Call Ada' }));
		await until(() => collection('todo', 'tasks').ready);
		expect(await approveOne(one!, { edited: { title: 'Edited by Dana' }, read: true })).toBe(true);
		expect(decisions.settled[0]).toMatchObject({ title: 'Edited by Dana', how: 'approved' });
	});
});
