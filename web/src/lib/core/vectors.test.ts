import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Core, type Cadence, type Change, type Manifest, type RecordState } from './index';

// The golden vectors of spec/vectors against the WebAssembly build: what they pin for Rust they pin here too.

interface Merge {
	schemas: Record<string, { lists: Record<string, unknown> }>;
	cases: { name: string; rule: string; schema: string; changes: Change[]; expect: RecordState }[];
}
interface Cadences {
	next: { name: string; cadence: Cadence; timezone: string; after: string; next: string[] }[];
	invalid: { name: string; cadence: unknown; field: string; code: string }[];
}

const merge = vectors<Merge>('merge');
const cadences = vectors<Cadences>('cadence');

/** Each schema of the vectors as a table of one module. */
const manifest = {
	id: 'vectors',
	version: 1,
	order: 1,
	hidden: true,
	name: { en: 'Vectors' },
	description: { en: 'The schemas of the vectors.' },
	tables: Object.fromEntries(
		Object.entries(merge.schemas).map(([name, { lists }]) => [
			name,
			{
				name: { en: name },
				plural: { en: name },
				list: { title: 'title' },
				fields: Object.fromEntries(
					Object.entries(lists).map(([field, list]) => [field, { type: 'keyedList', label: { en: field }, list }])
				)
			}
		])
	),
	tools: []
} as unknown as Manifest;

describe('spec/vectors/merge.json', () => {
	it.each(merge.cases.map((one) => [`${one.rule} ${one.name}`, one] as const))('%s', async (_name, one) => {
		const core = await Core.load([manifest]);
		const key = { app: 'vectors', table: one.schema, id: 'r' };
		const changes = one.changes.map((change) => ({ ...change, appId: key.app, table: key.table }));
		const merged = (order: Change[]) => core.apply([{ ...key, state: null }], order).records[0]?.state;
		for (const order of [changes, [...changes].reverse(), [...changes, ...changes]]) {
			expect(merged(order)).toEqual(one.expect);
		}
	});
});

describe('spec/vectors/cadence.json', () => {
	it.each(cadences.next.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
		const core = await Core.load([]);
		let after = one.after;
		for (const expected of one.next) {
			const next = core.nextRun(one.cadence, one.timezone, after);
			expect(next).toBe(expected);
			after = next ?? '';
		}
		if (one.next.length === 0) expect(core.nextRun(one.cadence, one.timezone, after)).toBeNull();
	});

	it.each(cadences.invalid.map((one) => [one.name, one] as const))('refuses %s', async (_name, one) => {
		const core = await Core.load([]);
		const errors = core.checkMission({ title: 'A', state: 'active', cadence: one.cadence });
		expect(errors).toContainEqual(expect.objectContaining({ field: one.field, code: one.code }));
	});
});

function vectors<T>(name: string): T {
	return JSON.parse(readFileSync(`../spec/vectors/${name}.json`, 'utf8')) as T;
}
