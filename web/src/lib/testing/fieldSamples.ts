import type { Field, FieldType } from '$lib/core/types';

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
