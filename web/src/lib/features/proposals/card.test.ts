import '$lib/testing/dom';
import { flushSync } from 'svelte';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { CardUnit, Data, Field, Manifest, Proposal, ShownValue, TextChange, Tool } from '$lib/core/types';
import { showModules } from '$lib/features/records/modules.svelte';
import { showLocale, t } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';
import { setReplica } from '$lib/replica/current';
import { createRecord, updateRecord } from '$lib/features/records/records';
import { FACES, readToTheEnd, show } from '$lib/testing/faces';
import { unlikelyValue } from '$lib/testing/fieldSamples';
import { iterationArrives, MISSION, missionInsert, toolStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { CARDS_KEPT, cardOf, shownText } from './card';
import { isReadBeside, noteShown, openFold } from './consent.svelte';
import { approveOne, decisions } from './decisions.svelte';
import ProposalActions from './ProposalActions.svelte';
import PlanView from './PlanView.svelte';
import { onTop, yesWord } from './proposal';
import ProposalBody from './ProposalBody.svelte';
import ProposalError from './ProposalError.svelte';
import { difference, proposals } from './proposals.svelte';
import { stageMission } from './staging';
import TextDifference from './TextDifference.svelte';

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

vi.mock('$app/navigation', () => ({ goto: () => {}, beforeNavigate: () => {}, afterNavigate: () => {} }));

describe('a value on a card', () => {
	beforeAll(() => showLocale('en'));
	const number = (json: string): ShownValue => ({ kind: 'number', number: JSON.parse(json) as number, digits: json });
	const [days, seconds, minutes, hours] = (['days', 'seconds', 'minutes', 'hours'] as const).map((kind): CardUnit => ({
		kind
	}));

	it.each<[ShownValue, CardUnit | undefined, string]>([
		[number('0.0004'), undefined, '0.0004'],
		[number('1237.0004'), { kind: 'named', name: 'km' }, '1,237.0004 km'],
		[number('9007199254740993'), undefined, '9007199254740993'],
		[number('1e21'), undefined, '1e21'],
		[number('-0.0'), undefined, '-0.0'],
		[number('1.0000001'), days, '1.0000001 day'],
		[number('1'), days, '1 day'],
		[number('2'), days, '2 days'],
		[number('0.0004'), seconds, '0.0004 s'],
		[number('0.0004'), hours, '0.0004 h'],
		[number('0.0004'), minutes, '0.0004 min'],
		[number('90'), minutes, '1 h 30 min'],
		[number('-90'), minutes, '-90 min'],
		[{ kind: 'date', date: '0026-11-23' }, undefined, 'Mon 23 Nov 0026'],
		[{ kind: 'time', time: '08:30' }, undefined, '08:30'],
		[{ kind: 'boolean', value: false }, undefined, 'no']
	])('%j is told whole', (shown, unit, told) => {
		expect(shownText({ shown, fit: 'fits', raw: null }, unit)).toBe(told);
	});
});

describe('the card of a proposal', () => {
	beforeAll(async () => {
		await showLocale('en');
		showModules(manifests);
	});

	it.each(tools)(
		'C1 says everything that %s sets before one can approve',
		async (_, tool, manifest) => {
			const [proposal, said] = await proposed(tool, manifest);
			await readToTheEnd(tool.name, proposal, said, Object.keys(FACES));
		},
		20_000
	);

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
		show(ProposalBody, { proposal: first! });
		show(ProposalActions, { proposal: first! });
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

	it('C10 an approval on top of a changed record waits for its own card, which says everything whole', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		await until(() => collection('todo', 'tasks').ready);
		const notes = (end: string) => `${'The same words at the beginning. '.repeat(20)}${end}`;
		await createRecord('todo', 'tasks', { title: 'Call Ada', dueDate: '2031-01-01', notes: notes('Old end.') }, 't1');
		const params = { taskId: 't1', dueDate: '2033-03-03', notes: notes('Proposed end.') };
		await arrive(replica, [missionInsert(), iterationArrives([toolStep(0, 'update_task', params)])]);
		await stageMission(replica, MISSION);
		const proposal = await until(() => !proposals.moving && proposals.open[0]);
		await updateRecord('todo', 'tasks', 't1', { dueDate: '2032-02-02', notes: notes('End of the person.') });
		noteShown([proposal]);
		expect(await approveOne(proposal)).toBe(false);
		const stale = await until(() => (proposals.open[0]?.error ? proposals.open[0] : null));
		const face = show(ProposalError, { proposal: stale });
		const yes = () => [...face.querySelectorAll('button')].find((one) => one.textContent === t('prop.over'))!;
		const said = face.textContent.replace(/\s+/g, ' ');
		for (const text of ['1 Jan 2031', '2 Feb 2032', '3 Mar 2033', 'End of the person.', 'Proposed'])
			expect(said).toContain(text);
		expect(yes().disabled).toBe(true);
		const first = difference(stale)!;
		noteShown([onTop(stale, first)]);
		flushSync();
		expect(yes().disabled).toBe(false);
		// Another refusal shows others' words: they are to be read anew.
		await updateRecord('todo', 'tasks', 't1', { dueDate: '2034-04-04' });
		expect(await approveOne(stale, { over: first, read: true })).toBe(false);
		const again = await until(() =>
			difference(proposals.open[0]!)?.dueDate?.now === '2034-04-04' ? proposals.open[0] : null
		);
		const anew = show(ProposalError, { proposal: again });
		expect(anew.textContent).toContain('4 Apr 2034');
		expect([...anew.querySelectorAll('button')].find((one) => one.textContent === t('prop.over'))!.disabled).toBe(true);
	});

	it('C13 names a removal on its button, in every language', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		await until(() => collection('todo', 'tasks').ready);
		await createRecord('todo', 'tasks', { title: 'Call Ada' }, 't1');
		const steps = [toolStep(0, 'delete_task', { taskId: 't1' }), toolStep(1, 'create_task', { title: 'One' })];
		await arrive(replica, [missionInsert(), iterationArrives(steps)]);
		await stageMission(replica, MISSION);
		const [removal, other] = await until(() => proposals.count === 2 && !proposals.moving && proposals.open);
		expect([yesWord(removal!), yesWord(other!)]).toEqual(['Remove the task', 'Approve']);
		const [button] = show(ProposalActions, { proposal: removal!, keys: true }).querySelectorAll('button');
		expect(button!.textContent).toBe('Remove the taskA');
		expect(button!.className).toMatch(/btn-brick/);
		expect(button!.className).not.toMatch(/btn-ink/);
		const plan = show(PlanView, { missionId: MISSION });
		const yes = () => plan.querySelector<HTMLButtonElement>('.bar-acts button')!;
		const tick = (n: number) => {
			plan.querySelectorAll<HTMLInputElement>('li .pick')[n]!.click();
			flushSync();
		};
		await until(() => {
			flushSync();
			return yes()?.textContent.includes(t('plan.approve', { count: 1 }));
		});
		tick(0);
		expect(yes().textContent).toContain('Approve 2, with one removal');
		tick(1);
		expect(yes().textContent).toContain('Remove one');
		expect(yes().className).not.toMatch(/btn-ink/);
		await showLocale('de');
		onTestFinished(() => showLocale('en'));
		flushSync();
		expect([yesWord(removal!), yesWord(other!)]).toEqual(['Aufgabe entfernen', 'Annehmen']);
		expect(yes().textContent).toContain('Einen entfernen');
	});

	it('X1 writes out what a manifest hides in a label', async () => {
		const manifest = structuredClone(manifests.find(({ id }) => id === 'goals')!);
		manifest.tables.goals!.fields.target!.label = { en: 'Amount\u202e 0001' };
		const all = manifests.map((one) => (one.id === 'goals' ? manifest : one));
		showModules(all);
		onTestFinished(() => showModules(manifests));
		const replica = await openTab(someUser(), all);
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		const step = toolStep(0, 'create_goal', { title: 'Save', target: 42, unit: '000 EUR' });
		await arrive(replica, [missionInsert(), iterationArrives([step])]);
		await stageMission(replica, MISSION);
		const body = show(ProposalBody, { proposal: await until(() => proposals.open[0]) });
		expect(body.textContent).toContain('Amount[U+202E] 0001');
		expect(body.textContent).toContain('42 “000 EUR”');
	});

	it('C3 draws blanks where nothing else comes or goes', () => {
		const runs = [
			{ kind: 'same', text: 'a' },
			{ kind: 'removed', text: ' ' },
			{ kind: 'added', text: '\t\u00a0\n' },
			{ kind: 'same', text: 'b' }
		] as const;
		const difference: TextChange = {
			kind: 'difference',
			parts: [{ kind: 'hunk', runs: [...runs] }],
			wordsIn: 0,
			wordsOut: 0
		};
		const drawn = show(TextDifference, { difference });
		expect(drawn.querySelector('del')!.textContent).toBe(`${t('prop.fromVh')}·`);
		expect(drawn.querySelector('ins')!.textContent).toBe(`${t('prop.toVh')}⇥·⏎\n`);
	});

	it('C13 says that missions read the text', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		const steps = [
			toolStep(0, 'append_to_context', { text: 'Find orders in notes.' }),
			toolStep(1, 'create_task', { title: 'One' })
		];
		await arrive(replica, [missionInsert(), iterationArrives(steps)]);
		await stageMission(replica, MISSION);
		const [page, task] = await until(() => proposals.count === 2 && !proposals.moving && proposals.open);
		const said = (proposal: Proposal) => show(ProposalBody, { proposal }).textContent;
		expect(said(page!)).toContain(t('card.instructsMissions'));
		expect(said(task!)).not.toContain(t('card.instructsMissions'));
	});

	it('X1 writes out what turns the direction of a title', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		const title = 'Transfer \u202e0001\u202c EUR to Bob';
		await arrive(replica, [missionInsert(), iterationArrives([toolStep(0, 'create_task', { title })])]);
		await stageMission(replica, MISSION);
		const body = show(ProposalBody, { proposal: await until(() => proposals.open[0]) });
		expect(body.textContent).toContain('Transfer [U+202E]0001[U+202C] EUR to Bob');
		expect(body.querySelectorAll('bdi .written-out')).toHaveLength(2);
	});
});

describe('C5 records of one title', () => {
	beforeAll(() => showLocale('en'));

	it('are told apart where one is named for the first time, and where one is changed', async () => {
		showModules(manifests);
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		await until(() => collection('todo', 'tasks').ready && collection('goals', 'goals').ready);
		await createRecord('goals', 'goals', { title: 'Marathon', status: 'active', unit: 'km' }, 'g1');
		await createRecord('goals', 'goals', { title: 'marathon!', status: 'active', unit: 'miles' }, 'g2');
		await createRecord('todo', 'tasks', { title: 'Call Bob', dueDate: '2031-01-02' }, 't1');
		await createRecord('todo', 'tasks', { title: 'Call Bob', dueDate: '2031-01-03' }, 't2');
		const steps = [
			toolStep(0, 'create_task', { title: 'Run', goalId: 'g2' }),
			toolStep(1, 'complete_task', { taskId: 't1' })
		];
		await arrive(replica, [missionInsert(), iterationArrives(steps)]);
		await stageMission(replica, MISSION);
		const [run, call] = (await until(() => proposals.count === 2 && !proposals.moving && proposals.open)) as [
			Proposal,
			Proposal
		];
		const read = (proposal: Proposal) => show(ProposalBody, { proposal }).textContent.replace(/\s+/g, ' ');
		expect(read(run)).toContain('marathon! (Unit: miles)');
		expect(read(call)).toContain('Others have this title. This one: Due: Thu 2 Jan 2031');
		// One that comes or goes later is told, too.
		await updateRecord('todo', 'tasks', 't2', { title: 'Call Ann' });
		await until(() => !read(call).includes('Others have'));
		await createRecord('todo', 'tasks', { title: 'Call Bob', dueDate: '2031-01-02' }, 't3');
		await until(() => read(call).includes('This one: id t1'));
	});
});
