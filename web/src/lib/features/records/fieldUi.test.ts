import { describe, expect, it } from 'vitest';
import { Core } from '$lib/core';
import type { Field, FieldType, Manifest } from '$lib/core/types';
import { fieldSample } from '$lib/testing/fieldSamples';
import { errorOf } from './fieldErrors';
import { FIELD_UI, fieldUi } from './fieldUi';
import { comparator, dayField } from './sorting';

const field = (type: FieldType): Field => ({ type });
const kinds = Object.keys(FIELD_UI) as FieldType[];
const isWritable = (kind: FieldType) => FIELD_UI[kind].display !== 'none';

/** A field of each kind, by the kind's name. */
const fields = Object.fromEntries(
	kinds.map((type) => [
		type,
		{
			type,
			label: { en: type },
			...(type === 'enum' && { values: ['low', 'high'].map((value) => ({ value, label: { en: value } })) }),
			...(type === 'ref' && { table: 'records' }),
			...(type === 'keyedList' && { list: {} })
		}
	])
) as Record<FieldType, Field>;

/** A module with a table that has a field of each kind. */
const everyKind = {
	id: 'kinds',
	version: 1,
	name: { en: 'Kinds' },
	description: { en: 'A field of each kind.' },
	tables: { records: { name: { en: 'Record' }, plural: { en: 'Records' }, fields, list: { title: 'text' } } },
	tools: []
} as unknown as Manifest;

const context = { app: 'todo', name: 'size', field: undefined };

describe('the table of field kinds', () => {
	it.each(kinds)('reads the text in the control of %s back as the value that it shows', async (kind) => {
		const { control, parse } = FIELD_UI[kind];
		const core = await Core.load([everyKind]);
		for (const other of [false, true]) {
			const value = fieldSample(fields[kind], other);
			expect(core.check('kinds', 'records', { [kind]: value }, true)).toEqual([]);
			if (control.control === 'textarea') expect(parse(control.textFromValue(value))).toEqual(value);
			if (control.control === 'line' && isWritable(kind))
				expect(parse(control.valueFromText(control.textFromValue(value)))).toEqual(value);
		}
	});

	it.each(kinds)('shows and orders the values of %s', (kind) => {
		const [one, other] = [fieldSample(fields[kind]), fieldSample(fields[kind], true)];
		const { text, compare } = FIELD_UI[kind];
		const context = { app: 'kinds', name: kind, field: fields[kind] };
		if (isWritable(kind) && kind !== 'ref') expect(text(other, context)).toMatch(/^.+$/);
		expect(compare(one, one)).toBe(0);
		expect(Math.sign(compare(one, other))).toBe(-Math.sign(compare(other, one)) + 0);
	});

	it.each(kinds)('has words of its own for every error of %s', async (kind) => {
		const core = await Core.load([everyKind]);
		const errors = core.check('kinds', 'records', { [kind]: { no: 'value' } }, true);
		expect(errors).toHaveLength(kind === 'json' ? 0 : 1);
		for (const error of errors) expect(errorOf(error, fields[kind])).not.toBe(error.message);
	});

	it('parses JSON that is typed and leaves what is no JSON to the check', () => {
		expect(FIELD_UI.json.parse('{"a":1}')).toEqual({ a: 1 });
		expect(FIELD_UI.json.parse('{a')).toBe('{a');
		for (const kind of kinds.filter((one) => one !== 'json')) expect(FIELD_UI[kind].parse('1')).toBe('1');
	});

	it('takes a field that no manifest knows for a text', () => {
		expect(fieldUi(undefined)).toBe(FIELD_UI.text);
		expect(fieldUi(undefined).text('word', context)).toBe('word');
	});

	it('sorts numbers by size and texts by their letters', () => {
		const sort = [{ field: 'size', dir: 'asc' }];
		const table = (type: FieldType) => ({ fields: { size: field(type) }, list: { sort } }) as never;
		expect(comparator(table('integer'))({ size: 9 }, { size: 10 })).toBeLessThan(0);
		expect(comparator(table('text'))({ size: '9' }, { size: '10' })).toBeGreaterThan(0);
		expect(kinds.filter((kind) => dayField(table(kind)))).toEqual(['datetime']);
	});

	it('says what is wrong with a value in the words of its kind', () => {
		const text = (code: string, type: FieldType) => errorOf({ field: 'size', code, message: 'core' }, field(type));
		expect(text('type', 'integer')).not.toBe(text('type', 'text'));
		expect(text('max', 'number')).toBe(text('min', 'number'));
		expect(text('max', 'text')).not.toBe(text('max', 'number'));
		expect(new Set(['date', 'datetime', 'time'].map((kind) => text(kind, kind as FieldType))).size).toBe(1);
		expect(text('unheard', 'text')).toBe('core');
	});
});
