import '$lib/testing/dom';
import { flushSync, mount, unmount } from 'svelte';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Data, Field, Manifest, Proposal, Tool } from '$lib/core/types';
import { numberText, showLocale, t } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';
import { setReplica } from '$lib/replica/current';
import { createRecord } from '$lib/features/records/records';
import { label } from '$lib/features/records/modules.svelte';
import { minutesText } from '$lib/primitives/format';
import { iterationArrives, MISSION, missionInsert, toolStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { isRead, noteShown } from './consent.svelte';
import { batchable } from './decisions.svelte';
import ProposalActions from './ProposalActions.svelte';
import ProposalBody from './ProposalBody.svelte';
import { proposals } from './proposals.svelte';
import { stageMission } from './staging';

const LINES = Array.from({ length: 40 }, (_, line) => `Line ${line} of a text that is long.`).join('\n');

/** A value that nobody would guess, and the texts by which a card says it. */
function unlikely(name: string, field: Field, other: string): [unknown, string[]] {
	switch (field.type) {
		case 'text':
			return [`B${name} x E${name}`, [`B${name}`, `E${name}`]];
		case 'markdown':
			return [`B${name}\n${LINES}\nE${name}`, [`B${name}`, `E${name}`]];
		case 'number':
		case 'integer': {
			const value = Math.min(field.max ?? 1_237, 1_237);
			return [value, [/minutes$/i.test(name) ? minutesText(value) : numberText(value)]];
		}
		case 'boolean':
			return [true, [t('word.yes')]];
		case 'date':
			return ['2031-11-23', ['2031', '23']];
		case 'datetime':
			return ['2032-10-19T17:43:00.000Z', ['2032']];
		case 'time':
			return ['07:53', ['07:53']];
		case 'enum': {
			const last = field.values!.at(-1)!;
			return typeof last === 'string' ? [last, [last]] : [last.value, [label(last.label)]];
		}
		case 'ref':
			return [other, [`Other ${other}`]];
		case 'tags':
			return [
				['Tfirst', 'Tlast'],
				['Tfirst', 'Tlast']
			];
		case 'url':
			return ['https://pay.example.org/unlikely', ['https://pay.example.org/unlikely']];
		default:
			return [{ mark: `J${name}` }, [`J${name}`]];
	}
}

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
		if ((name === fixed || param.type === 'ref') && target) {
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
		const [value, texts] = unlikely(name, { ...own, ...param, values: own?.values ?? param.values } as Field, other);
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
	return Object.fromEntries(needed.map(([name, field]) => [name, unlikely(name, field, 'none')[0]]));
}

function show(component: typeof ProposalBody | typeof ProposalActions, proposal: Proposal): HTMLElement {
	const target = document.createElement('div');
	const shown = mount(component as typeof ProposalBody, { target, props: { proposal } });
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
		const text = body.textContent!.replace(/\s+/g, ' ');
		for (const mark of said) expect(text).toContain(mark);
		expect(body.querySelector('.folded')).toBeNull();
		expect(isRead(proposal)).toBe(true);
		flushSync();
		expect(approveButton(actions)?.disabled).toBe(false);
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
