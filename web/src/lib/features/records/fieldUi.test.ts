import { describe, expect, it } from 'vitest';
import type { Field, FieldType } from '$lib/core/types';
import { errorOf } from './fieldErrors';
import { FIELD_UI, fieldUi } from './fieldUi';
import { comparator, dayField } from './sorting';

const field = (type: FieldType): Field => ({ type });
const kinds = Object.keys(FIELD_UI) as FieldType[];
const context = { app: 'todo', name: 'size', field: undefined };

describe('the table of field kinds', () => {
	it.each(kinds)('reads the line of %s back as the value that it shows', (kind) => {
		const { control } = FIELD_UI[kind];
		if (control.control !== 'line') return;
		const values: Partial<Record<FieldType, unknown>> = {
			number: 1.5,
			integer: 3,
			date: '2026-04-08',
			datetime: '2026-04-08T15:30:00.000Z',
			time: '08:30',
			tags: ['home', 'garden'],
			url: 'https://example.org/'
		};
		const value = values[kind] ?? 'word';
		expect(control.valueFromText(control.textFromValue(value))).toEqual(value);
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
