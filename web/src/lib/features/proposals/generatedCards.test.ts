import '$lib/testing/dom';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Data, Manifest, Proposal, Tool } from '$lib/core/types';
import { showLocale } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';
import { setReplica } from '$lib/replica/current';
import { showModules } from '$lib/features/records/modules.svelte';
import { createRecord } from '$lib/features/records/records';
import { unlikelyValue } from '$lib/testing/fieldSamples';
import { iterationArrives, MISSION, missionInsert, toolStep } from '$lib/testing/missions';
import { randomManifest, sortedJson } from '$lib/testing/randomManifest';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { FACES, readToTheEnd, show } from '$lib/testing/faces';
import { batchable } from './decisions.svelte';
import ProposalLine from './ProposalLine.svelte';
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

const FOLDED = /^(text|markdown)$/;

/** A record with its title alone, for a reference to name: by its title, or by its id where that is no text. */
async function makeOther(manifest: Manifest, id: string): Promise<string> {
	const { fields, list } = manifest.tables.rows!;
	const isText = FOLDED.test(fields[list.title]!.type);
	const text = Object.keys(fields).find((field) => fields[field]!.type === 'text')!;
	await createRecord(manifest.id, 'rows', { [isText ? list.title : text]: `Other ${id}` }, id);
	return isText && !manifest.tables.rows!.singleton ? `Other ${id}` : id;
}

/** A call with every parameter set, on a record of its own that has every field, or a title alone. */
async function callOf(manifest: Manifest, tool: Tool, full: boolean): Promise<Call> {
	const { fields, list } = manifest.tables.rows!;
	const name = `${tool.name} on ${full ? 'all' : 'no'} fields`;
	const target = name.replaceAll(/\W/g, '-').toLowerCase();
	const [data, params]: [Data, Data] = [{}, {}];
	const said: string[] = [];
	for (const [n, [field, definition]] of Object.entries(fields).entries()) {
		if (tool.effect.op === 'insert' || manifest.tables.rows!.singleton || (!full && field !== list.title)) continue;
		const other = `old-${field}-${target}`.toLowerCase();
		const [value, told] = unlikelyValue(`Old${field}`, definition, { other, n, old: true });
		const texts = definition.table ? [await makeOther(manifest, other)] : told;
		data[field] = value;
		// A removal says all that goes, a change all that it replaces.
		if (tool.effect.op === 'delete' || (field in (tool.params ?? {}) && full)) said.push(...texts);
	}
	const begins = tool.effect.op === 'insert' || manifest.tables.rows!.singleton;
	if (!begins) await createRecord(manifest.id, 'rows', data, target);
	for (const [n, [param, definition]] of Object.entries(tool.params ?? {}).entries()) {
		if (tool.effect.id === `$${param}`) {
			params[param] = target;
			continue;
		}
		const other = `new-${param}-${target}`.toLowerCase();
		const own = fields[param];
		const choices = { ...definition, values: own?.values ?? definition.values };
		const [value, told] = unlikelyValue(`New${param}`, choices, { other, n });
		params[param] = value;
		said.push(...(definition.table ? [await makeOther(manifest, other)] : told));
		// A text that is the title of something new is the card's own title.
		const isTitle = tool.effect.op === 'insert' && param === list.title && FOLDED.test(own!.type);
		if (own && !isTitle) said.push(own.label!.en);
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
		for (const full of tool.effect.op === 'update' && !manifest.tables.rows!.singleton ? [true, false] : [true])
			calls.push(await callOf(manifest, tool, full));
	const steps = calls.map(({ tool, params }, index) => toolStep(index, tool.name, params));
	await arrive(replica, [missionInsert(), iterationArrives(steps)]);
	await stageMission(replica, MISSION);
	const open = await until(() => proposals.count === calls.length && !proposals.moving && proposals.open);
	return calls.map((call, index) => [open[index]!, call]);
}

vi.mock('$app/navigation', () => ({ goto: () => {}, beforeNavigate: () => {}, afterNavigate: () => {} }));

beforeAll(() => showLocale('en'));

it('the random manifests are those of the core’s tests', () => {
	const hash = createHash('sha256').update(random.map(sortedJson).join('\n')).digest('hex');
	expect(hash).toBe(shared.sha256);
});

const isReadable = (proposal: Proposal, { name, said }: Call, faces: readonly string[]) => {
	expect(said.length, name).toBeGreaterThan(1);
	return readToTheEnd(name, proposal, said, faces);
};

const ALL = Object.keys(FACES);

describe('C1 C2 everything that a tool sets is readable before one can approve', () => {
	it.each(random.slice(0, DRAWN).map((manifest): [string, Manifest] => [manifest.id, manifest]))(
		'%s',
		async (_, manifest) => {
			for (const [index, [proposal, call]] of (await proposed(manifest)).entries())
				await isReadable(proposal, call, [ALL[(index + Number(manifest.id.slice(6))) % ALL.length]!]);
		},
		20_000
	);

	it.each(ALL)(
		'%s, for every tool',
		async (place) => {
			for (const [proposal, call] of await proposed(random[0]!)) await isReadable(proposal, call, [place]);
		},
		20_000
	);

	const kinds = ['number', 'integer', 'boolean', 'date', 'datetime', 'time', 'enum', 'ref', 'tags', 'url', 'json'];
	it.each(kinds)(
		'where a record is named by a field of the kind %s',
		async (kind) => {
			const seed = kinds.indexOf(kind);
			const manifest = structuredClone(random[seed]!);
			const { fields, list } = manifest.tables.rows!;
			list.title = Object.keys(fields).find((field) => fields[field]!.type === kind)!;
			for (const [index, [proposal, call]] of (await proposed(manifest)).entries())
				await isReadable(proposal, call, [ALL[(index + seed) % ALL.length]!]);
		},
		20_000
	);

	it('of the page of a module that has one alone, also when it is begun', async () => {
		const manifest = structuredClone(random[1]!);
		manifest.tables.rows!.singleton = true;
		manifest.tools = manifest.tools!.filter(({ effect }) => effect.op === 'insert');
		const [[proposal, call]] = (await proposed(manifest)) as [[Proposal, Call]];
		expect(proposal.operations[0]!.op).toBe('insert');
		await isReadable(proposal, call, ALL);
	}, 20_000);

	it('a line of the inbox says no more than its card, and is no place to approve', async () => {
		for (const [proposal] of await proposed(random[2]!)) {
			const line = show(ProposalLine, { proposal, current: true, picked: false, onpick: () => {}, onpoint: () => {} });
			expect([...line.querySelectorAll('button')]).toHaveLength(1);
			expect(batchable([proposal])).toEqual([]);
		}
	});
});
