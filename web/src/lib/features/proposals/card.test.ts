import '$lib/testing/dom';
import { flushSync, mount, unmount, type Component } from 'svelte';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Data, Field, Manifest, Proposal, Tool } from '$lib/core/types';
import { showLocale, t } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';
import { setReplica } from '$lib/replica/current';
import { createRecord, updateRecord } from '$lib/features/records/records';
import { unlikelyValue } from '$lib/testing/fieldSamples';
import { iterationArrives, MISSION, missionInsert, toolStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { CARDS_KEPT, cardOf } from './card';
import { isRead, isReadBeside, noteShown, openFold } from './consent.svelte';
import { approveOne, batchable, decisions } from './decisions.svelte';
import ProposalActions from './ProposalActions.svelte';
import ProposalBody from './ProposalBody.svelte';
import { proposals } from './proposals.svelte';
import { stageMission } from './staging';

/** The tools that change something, with their manifests. */
const tools = manifests.flatMap((manifest) =>
	(manifest.tools ?? [])
		.filter((tool) => tool.effect.op !== 'query')
		.map((tool): [string, Tool, Manifest] => [tool.name, tool, manifest])
);

/** A proposal of a tool whose every parameter is set, and the texts that its card has to say. */
async function proposed(tool: Tool, manifest: Manifest): Promise<[Proposal, string[]]> {
	const replica = await openTab(someUser());
	setReplica(replica);
	onTestFinished(() => setReplica(null));
	const table = tool.effect.table;
	const fixed = String(tool.effect.id ?? '').replace(/^\$/, '');
	const params: Data = {};
	const said: string[] = [];
	for (const [name, param] of Object.entries(tool.params ?? {})) {
		const module = param.module ?? manifest.id;
		const target = name === fixed ? table : param.table;
		const other = `r-${name}`.toLowerCase();
		if (target) {
			const at = collection(module, target);
			await until(() => at.ready);
			const fields = manifests.find(({ id }) => id === module)!.tables[target]!.fields;
			const title = 'title' in fields ? 'title' : 'name' in fields ? 'name' : 'body';
			await createRecord(module, target, { [title]: `Other ${other}`, ...required(fields, title) }, other);
			params[name] = other;
			if (name !== fixed) said.push(`Other ${other}`);
			continue;
		}
		const own = manifest.tables[table]?.fields[name];
		const [value, texts] = unlikelyValue(name, { ...own, ...param, values: own?.values ?? param.values }, { other });
		params[name] = value;
		said.push(...texts);
	}
	await arrive(replica, [missionInsert(), iterationArrives([toolStep(0, tool.name, params)])]);
	await stageMission(replica, MISSION);
	const proposal = await until(() => !proposals.moving && proposals.open[0]);
	return [proposal, said];
}

/** What a record of a table needs besides its title. */
function required(fields: Record<string, Field>, title: string): Data {
	const needed = Object.entries(fields).filter(([name, field]) => field.required && name !== title);
	return Object.fromEntries(needed.map(([name, field]) => [name, unlikelyValue(name, field, { other: 'none' })[0]]));
}

function show(component: unknown, proposal: Proposal): HTMLElement {
	const target = document.createElement('div');
	const shown = mount(component as Component<{ proposal: Proposal }>, { target, props: { proposal } });
	onTestFinished(() => unmount(shown));
	flushSync();
	return target;
}

const approveButton = (of: HTMLElement) =>
	[...of.querySelectorAll('button')].find((one) => one.textContent?.includes(t('prop.approve')));

describe('the card of a proposal', () => {
	beforeAll(() => showLocale('en'));

	it.each(tools)('C1 says everything that %s sets before one can approve', async (_, tool, manifest) => {
		const [proposal, said] = await proposed(tool, manifest);
		expect(proposal.error, JSON.stringify(proposal.error)).toBeFalsy();
		const body = show(ProposalBody, proposal);
		const actions = show(ProposalActions, proposal);
		expect(approveButton(actions)?.disabled).toBe(true);
		expect(batchable([proposal])).toEqual([]);
		noteShown([proposal]);
		for (const fold of body.querySelectorAll<HTMLButtonElement>('.unfold')) {
			expect(isRead(proposal)).toBe(false);
			fold.click();
			flushSync();
		}
		const text = body.textContent.replace(/\s+/g, ' ');
		for (const mark of said) expect(text).toContain(mark);
		expect(body.querySelector('.folded')).toBeNull();
		expect(isRead(proposal)).toBe(true);
		flushSync();
		expect(approveButton(actions)?.disabled).toBe(false);
	});

	it('C8 is made once for each look, and anew when the record or the proposal changes', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		const tasks = collection('todo', 'tasks');
		await until(() => tasks.ready);
		await createRecord('todo', 'tasks', { title: 'Old name' }, 't1');
		const steps = [0, 1].map((index) => toolStep(index, 'update_task', { taskId: 't1', title: `Name ${index}` }));
		await arrive(replica, [missionInsert(), iterationArrives(steps)]);
		await stageMission(replica, MISSION);
		const [first, second] = await until(() => (proposals.count === 2 ? proposals.open : null));
		const made = vi.spyOn(replica.core, 'card');
		const asked = vi.spyOn(replica.core, 'cardRecords');
		const card = cardOf(first!);
		show(ProposalBody, first!);
		show(ProposalActions, first!);
		expect(cardOf({ ...first! })).toBe(card);
		expect(cardOf(second!)).not.toBe(card);
		expect([made.mock.calls.length, asked.mock.calls.length]).toEqual([2, 2]);
		await updateRecord('todo', 'tasks', 't1', { title: 'Another name' });
		expect(cardOf(first!).operations[0]!.fields[0]!.now).toMatchObject({ raw: 'Another name' });
		expect(cardOf({ ...first!, seen: {} }).operations[0]!.fields[0]!.now).toBeUndefined();
		expect(cardOf({ ...first!, opsHash: 'other' })).not.toBe(cardOf(first!));
		const before = made.mock.calls.length;
		for (let n = 0; n <= CARDS_KEPT; n++) cardOf({ ...first!, id: `p${n}` });
		cardOf(first!);
		expect(made.mock.calls.length).toBe(before + CARDS_KEPT + 2);
	});

	it('C10 of an edited proposal, what its form does not show waits to be read on the card', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		const body = Array.from({ length: 40 }, (_, line) => `Line ${line}`).join('\n');
		const step = toolStep(0, 'create_note', { title: 'A note', body });
		await arrive(replica, [missionInsert(), iterationArrives([step])]);
		await stageMission(replica, MISSION);
		const proposal = await until(() => !proposals.moving && proposals.open[0]);
		const set = Object.keys(proposal.operations[0]!.set ?? {});
		expect(isReadBeside(proposal, new Set(set))).toBe(true);
		const title = new Set(set.filter((name) => name !== 'body'));
		expect(isReadBeside(proposal, title)).toBe(false);
		noteShown([proposal]);
		expect(isReadBeside(proposal, title)).toBe(false);
		expect(await approveOne(proposal, { edited: { title: 'Mine', body }, read: false })).toBe(false);
		expect(decisions.early(proposal.id)).toBe(true);
		openFold(proposal, '0/body');
		expect(isReadBeside(proposal, title)).toBe(true);
		expect(await approveOne(proposal, { edited: { title: 'Mine', body }, read: true })).toBe(true);
		expect(decisions.early(proposal.id)).toBe(false);
	});

	it('X1 writes out what turns the direction of a title', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		const title = 'Transfer \u202e0001\u202c EUR to Bob';
		await arrive(replica, [missionInsert(), iterationArrives([toolStep(0, 'create_task', { title })])]);
		await stageMission(replica, MISSION);
		const body = show(ProposalBody, await until(() => proposals.open[0]));
		expect(body.textContent).toContain('Transfer [U+202E]0001[U+202C] EUR to Bob');
		expect(body.querySelectorAll('bdi .written-out')).toHaveLength(2);
	});
});
