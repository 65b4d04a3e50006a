import type { Field, FieldType } from '$lib/core/types';
import { numberText, t } from '$lib/i18n';
import { label } from '$lib/features/records/modules.svelte';
import { minutesText } from '$lib/primitives/format';

/** Two values that fit a field of each kind, and differ where the kind has a second one. */
export const FIELD_SAMPLES: Record<FieldType, (field: Field) => readonly [unknown, unknown]> = {
	text: () => ['Some text', 'Something else'],
	markdown: () => ['Some text', 'Something else'],
	number: () => [1.5, 4],
	integer: () => [3, 4],
	boolean: () => [false, true],
	date: () => ['2099-04-08', '2099-04-09'],
	datetime: () => ['2099-04-08T15:30:00.000Z', '2099-04-09T15:30:00.000Z'],
	time: () => ['08:30', '09:30'],
	recurrence: () => [{ rule: 'FREQ=WEEKLY;BYDAY=MO' }, { rule: 'FREQ=DAILY;INTERVAL=3', from: 'completion' }],
	enum: ({ values = [] }) => [enumValue(values.at(0)), enumValue(values.at(-1))],
	ref: () => ['r1', 'r1'],
	tags: () => [['one', 'two'], ['three']],
	url: () => ['https://example.com/', 'https://example.org/'],
	keyedList: () => [[], []],
	json: () => [{ any: 1 }, { any: 2 }]
};

function enumValue(value: NonNullable<Field['values']>[number] | undefined): string | undefined {
	return typeof value === 'object' ? value.value : value;
}

/** A value that fits a field; `other` asks for the second one. */
export function fieldSample(field: Field, other = false): unknown {
	return FIELD_SAMPLES[field.type](field)[other ? 1 : 0];
}

const LINES = Array.from({ length: 40 }, (_, line) => `Line ${line} of a text that is long.`).join('\n');

type Unlikely = readonly [value: unknown, said: readonly string[]];

/** What sets one unlikely value apart from another of the same kind. */
interface Apart {
	/** The id of the record that a reference names; its title is “Other” and the id. */
	other: string;
	n?: number;
	/** The value that a record holds before. */
	old?: boolean;
}

const marked = (name: string, between: string): Unlikely => [`B${name}${between}E${name}`, [`B${name}`, `E${name}`]];

function measure(name: string, { max }: Field, { n = 0, old = false }: Apart): Unlikely {
	const value = Math.min(max ?? Infinity, (old ? 4_237 : 1_237) + n);
	return [value, [/minutes$/i.test(name) ? minutesText(value) : numberText(value)]];
}

/** A year of its own for each value. */
const year = ({ n = 0, old = false }: Apart) => String((old ? 2131 : 2031) + n);

/** A value of each kind that nobody would guess, and the texts by which a card says it. */
const UNLIKELY: Record<FieldType, (name: string, field: Field, apart: Apart) => Unlikely> = {
	text: (name) => marked(name, ' x '),
	markdown: (name) => marked(name, `\n${LINES}\n`),
	number: measure,
	integer: measure,
	boolean: (_, __, { old }) => [!old, [t(old ? 'word.no' : 'word.yes')]],
	date: (_, __, apart) => [`${year(apart)}-11-23`, [year(apart), '23']],
	datetime: (_, __, apart) => [`${year(apart)}-10-19T17:43:00.000Z`, [year(apart)]],
	time: (_, __, { n = 0, old = false }) => {
		const value = `${old ? '06' : '07'}:${String((53 + n) % 60).padStart(2, '0')}`;
		return [value, [value]];
	},
	recurrence: (_, __, { n = 0, old = false }) => {
		const rule = `FREQ=DAILY;COUNT=${(old ? 4_237 : 1_237) + n}`;
		return [{ rule }, [rule, rule.slice(17)]];
	},
	enum: (_, { values = [] }, { old }) => {
		const chosen = values.at(old ? 0 : -1);
		return typeof chosen === 'object' ? [chosen.value, [label(chosen.label)]] : [chosen, [String(chosen)]];
	},
	ref: (_, __, { other }) => [other, [`Other ${other}`]],
	tags: (name) => [
		[`T${name}first`, `T${name}last`],
		[`T${name}first`, `T${name}last`]
	],
	url: (name) => {
		const address = `https://pay.example.org/unlikely?${name}`;
		return [address, [address]];
	},
	keyedList: (name) => [[{ id: `K${name}`, word: `W${name}` }], [`K${name}`, `W${name}`]],
	json: (name) => [{ mark: `J${name}` }, [`J${name}`]]
};

/** A value that nobody would guess for a field, and the texts by which a card says it. */
export function unlikelyValue(name: string, field: Field, apart: Apart): Unlikely {
	return UNLIKELY[field.type](name, field, apart);
}
