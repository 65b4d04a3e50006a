import '$lib/testing/dom';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { flushSync, mount, unmount, type Component } from 'svelte';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import type { Data, Manifest, Proposal, Tool } from '$lib/core/types';
import { showLocale, t } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';
import { setReplica } from '$lib/replica/current';
import { showModules } from '$lib/features/records/modules.svelte';
import { createRecord } from '$lib/features/records/records';
import { unlikelyValue } from '$lib/testing/fieldSamples';
import { iterationArrives, MISSION, missionInsert, toolStep } from '$lib/testing/missions';
import { randomManifest, sortedJson } from '$lib/testing/randomManifest';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { isRead, noteShown } from './consent.svelte';
import { batchable } from './decisions.svelte';
import ProposalActions from './ProposalActions.svelte';
import ProposalBody from './ProposalBody.svelte';
import { proposals } from './proposals.svelte';
import { stageMission } from './staging';

/** The manifests that are drawn here, of those that the core's tests make. */
const DRAWN = 24;
const shared = JSON.parse(readFileSync('../crates/core/tests/random-manifests.json', 'utf8')) as {
	seeds: number;
	sha256: string;
};
const random = Array.from({ length: shared.seeds }, (_, seed) => randomManifest(seed));

/** A call of a tool, and the texts that its card has to say. */
interface Call {
	name: string;
	tool: Tool;
	params: Data;
	said: string[];
}

/** A record of the module with a title alone, for a reference to name. */
async function makeOther(manifest: Manifest, id: string): Promise<void> {
	const title = manifest.tables.rows!.list.title;
	await createRecord(manifest.id, 'rows', { [title]: `Other ${id}` }, id);
}

/** A call with every parameter set, on a record of its own that has every field, or a title alone. */
async function callOf(manifest: Manifest, tool: Tool, full: boolean): Promise<Call> {
	const { fields, list } = manifest.tables.rows!;
	const name = `${tool.name} on ${full ? 'all' : 'no'} fields`;
	const target = name.replaceAll(/\W/g, '-').toLowerCase();
	const [data, params]: [Data, Data] = [{}, {}];
	const said: string[] = [];
	for (const [n, [field, definition]] of Object.entries(fields).entries()) {
		if (tool.effect.op === 'insert' || (!full && field !== list.title)) continue;
		const other = `old-${field}-${target}`.toLowerCase();
		const [value, texts] = unlikelyValue(`Old${field}`, definition, { other, n, old: true });
		if (definition.table) await makeOther(manifest, other);
		data[field] = value;
		// A removal says all that goes, a change all that it replaces.
		if (tool.effect.op === 'delete' || (field in (tool.params ?? {}) && full)) said.push(...texts);
	}
	if (tool.effect.op !== 'insert') await createRecord(manifest.id, 'rows', data, target);
	for (const [n, [param, definition]] of Object.entries(tool.params ?? {}).entries()) {
		if (tool.effect.id === `$${param}`) {
			params[param] = target;
			continue;
		}
		const other = `new-${param}-${target}`.toLowerCase();
		const own = fields[param];
		const choices = { ...definition, values: own?.values ?? definition.values };
		const [value, texts] = unlikelyValue(`New${param}`, choices, { other, n });
		if (definition.table) await makeOther(manifest, other);
		params[param] = value;
		said.push(...texts);
		// The title of something new is the card's own title.
		if (own && !(tool.effect.op === 'insert' && param === list.title)) said.push(own.label!.en);
	}
	return { name, tool, params, said };
}

/** A proposal for each tool of a manifest, updates twice. */
async function proposed(manifest: Manifest): Promise<[Proposal, Call][]> {
	const all = [...manifests, manifest];
	showModules(all);
	const replica = await openTab(someUser(), all);
	setReplica(replica);
	onTestFinished(() => setReplica(null));
	const rows = collection(manifest.id, 'rows');
	await until(() => rows.ready);
	const calls: Call[] = [];
	for (const tool of manifest.tools ?? [])
		for (const full of tool.effect.op === 'update' ? [true, false] : [true])
			calls.push(await callOf(manifest, tool, full));
	const steps = calls.map(({ tool, params }, index) => toolStep(index, tool.name, params));
	await arrive(replica, [missionInsert(), iterationArrives(steps)]);
	await stageMission(replica, MISSION);
	const open = await until(() => proposals.count === calls.length && !proposals.moving && proposals.open);
	return calls.map((call, index) => [open[index]!, call]);
}

function show(component: unknown, proposal: Proposal): HTMLElement {
	const target = document.createElement('div');
	const shown = mount(component as Component<{ proposal: Proposal }>, { target, props: { proposal } });
	onTestFinished(() => unmount(shown));
	flushSync();
	return target;
}

beforeAll(() => showLocale('en'));

it('the random manifests are those of the core’s tests', () => {
	const hash = createHash('sha256').update(random.map(sortedJson).join('\n')).digest('hex');
	expect(hash).toBe(shared.sha256);
});

it.each(random.slice(0, DRAWN).map((manifest): [string, Manifest] => [manifest.id, manifest]))(
	'C1 C2 %s: everything that a tool sets is readable before one can approve',
	async (_, manifest) => {
		for (const [proposal, { name, said }] of await proposed(manifest)) {
			expect(proposal.error, `${name} ${JSON.stringify(proposal.error)}`).toBeFalsy();
			const body = show(ProposalBody, proposal);
			const actions = show(ProposalActions, proposal);
			const approve = [...actions.querySelectorAll('button')].find((one) =>
				one.textContent?.includes(t('prop.approve'))
			)!;
			expect(approve.disabled, name).toBe(true);
			expect(batchable([proposal]), name).toEqual([]);
			noteShown([proposal]);
			for (const fold of body.querySelectorAll<HTMLButtonElement>('.unfold')) {
				expect(isRead(proposal), name).toBe(false);
				fold.click();
				flushSync();
			}
			const text = body.textContent.replace(/\s+/g, ' ');
			expect(said.length, name).toBeGreaterThan(1);
			for (const mark of said) expect(text, name).toContain(mark);
			expect(body.querySelector('.folded'), name).toBeNull();
			expect(isRead(proposal), name).toBe(true);
			flushSync();
			expect(approve.disabled, name).toBe(false);
		}
	}
);
