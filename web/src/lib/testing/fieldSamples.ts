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

const marked = (name: string, between: string): Unlikely => [`B${name}${between}E${name}`, [`B${name}`, `E${name}`]];

function measure(name: string, { max }: Field): Unlikely {
	const value = Math.min(max ?? 1_237, 1_237);
	return [value, [/minutes$/i.test(name) ? minutesText(value) : numberText(value)]];
}

/** A value of each kind that nobody would guess, and the texts by which a card says it. */
const UNLIKELY: Record<FieldType, (name: string, field: Field, other: string) => Unlikely> = {
	text: (name) => marked(name, ' x '),
	markdown: (name) => marked(name, `\n${LINES}\n`),
	number: measure,
	integer: measure,
	boolean: () => [true, [t('word.yes')]],
	date: () => ['2031-11-23', ['2031', '23']],
	datetime: () => ['2032-10-19T17:43:00.000Z', ['2032']],
	time: () => ['07:53', ['07:53']],
	enum: (_, { values = [] }) => {
		const last = values.at(-1);
		return typeof last === 'object' ? [last.value, [label(last.label)]] : [last, [String(last)]];
	},
	ref: (_, __, other) => [other, [`Other ${other}`]],
	tags: () => [
		['Tfirst', 'Tlast'],
		['Tfirst', 'Tlast']
	],
	url: () => ['https://pay.example.org/unlikely', ['https://pay.example.org/unlikely']],
	keyedList: () => [[], []],
	json: (name) => [{ mark: `J${name}` }, [`J${name}`]]
};

/** A value that nobody would guess for a field, and the texts by which a card says it; `other` is a record's id. */
export function unlikelyValue(name: string, field: Field, other: string): Unlikely {
	return UNLIKELY[field.type](name, field, other);
}
