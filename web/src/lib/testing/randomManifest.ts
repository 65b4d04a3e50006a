/**
 * The random manifests of the core's tests: a port of `random_manifest` in `crates/core/tests/it/card_cases.rs`. Both
 * sides compare what they make with `crates/core/tests/random-manifests.json`.
 */
import type { FieldType, Manifest } from '$lib/core/types';

/** A small generator of 64 bits, the same on every run. */
class Random {
	#state: bigint;

	constructor(seed: number) {
		this.#state = BigInt.asUintN(64, BigInt(seed) * 0x9e37_79b9_7f4a_7c15n + 1n);
	}

	below(bound: number): number {
		this.#state = BigInt.asUintN(64, this.#state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
		return Number((this.#state >> 33n) % BigInt(bound));
	}
}

const KINDS: readonly FieldType[] = [
	'text',
	'markdown',
	'number',
	'integer',
	'boolean',
	'date',
	'datetime',
	'time',
	'recurrence',
	'enum',
	'ref',
	'tags',
	'url',
	'keyedList',
	'json'
];

/** The keys that a kind needs, of the field and of the parameter. */
const MORE: Partial<Record<FieldType, (n: number) => { field: object; param: object }>> = {
	enum: (n) => ({
		field: { values: [0, 1, 2].map((m) => ({ value: `v${m}`, label: { en: `Choice ${n} ${m}` } })) },
		param: { values: ['v0', 'v1', 'v2'] }
	}),
	ref: () => ({ field: { table: 'rows' }, param: { table: 'rows' } }),
	keyedList: () => ({ field: { list: { orderBy: 'word' } }, param: {} })
};

/** A module with one table, whose fields are of every kind in an order of their own, and with a tool of every sort. */
export function randomManifest(seed: number): Manifest {
	const random = new Random(seed);
	const kinds = [...KINDS];
	for (let more = random.below(6); more > 0; more--) kinds.push(kinds[random.below(kinds.length)]!);
	for (let n = kinds.length - 1; n > 0; n--) {
		const other = random.below(n + 1);
		[kinds[n], kinds[other]] = [kinds[other]!, kinds[n]!];
	}
	const fields: Record<string, object> = {};
	const params: Record<string, object> = {};
	const set: Record<string, string> = {};
	const meta: string[] = [];
	let title = '';
	let long = '';
	for (const [n, kind] of kinds.entries()) {
		const minutes = random.below(4) === 0 && kind === 'integer';
		const name = minutes ? `f${n}Minutes` : `f${n}`;
		if (kind === 'text') title ||= name;
		if (kind === 'markdown') long = name;
		const more = MORE[kind]?.(n);
		if (random.below(3) === 0) meta.push(name);
		fields[name] = { type: kind, label: { en: `Label ${n}`, de: `Feld ${n}` }, ...more?.field };
		// No tool writes a keyed list; it goes with a record that is removed.
		if (kind === 'keyedList') continue;
		set[name] = `$${name}`;
		params[name] = { type: kind, description: 'A value.', ...more?.param };
	}
	const rowId = { type: 'ref', table: 'rows', required: true, description: 'Which.' };
	const text = { type: 'markdown', required: true, description: 'More.' };
	const tool = (verb: string, params: object, effect: object) => ({
		name: `${verb}_random${seed}`,
		label: { en: `${verb} it` },
		policy: 'propose',
		description: 'Does it.',
		params,
		effect
	});
	const table = 'rows';
	const id = '$rowId';
	return {
		id: `random${seed}`,
		version: 1,
		name: { en: 'Random' },
		description: { en: 'Random.' },
		tables: {
			rows: { name: { en: 'Row' }, plural: { en: 'Rows' }, fields, list: { title, meta } }
		},
		tools: [
			tool('create', params, { op: 'insert', table, set }),
			tool('update', { ...params, rowId }, { op: 'update', table, id, set }),
			tool('delete', { rowId }, { op: 'delete', table, id }),
			tool('append', { rowId, text }, { op: 'update', table, id, set: { [long]: { $append: '$text' } } })
		]
	} as Manifest;
}

/** JSON with the keys of every object in order, as the core writes it. */
export function sortedJson(value: unknown): string {
	return JSON.stringify(value, (_, part: unknown) =>
		part && typeof part === 'object' && !Array.isArray(part)
			? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
			: part
	);
}
