import { describe, expect, it } from 'vitest';
import { extraOf, rowsOf, textOf } from './extra';

const saved = { headers: ['X-Key'], body: { keep_alive: -1 } };

describe('headers and fields that are added to requests', () => {
	it('keeps the saved values that nobody writes anew', () => {
		const rows = rowsOf(saved);
		expect(extraOf('box', rows, textOf(saved))).toEqual({
			name: 'box',
			headers: { 'X-Key': null },
			body: { keep_alive: -1 }
		});
		rows[0]!.value = ' new ';
		rows.push({ name: 'x-other', value: 'b' }, { name: '', value: '' });
		expect(extraOf('box', rows, '')).toEqual({ name: 'box', headers: { 'X-Key': 'new', 'x-other': 'b' }, body: {} });
		expect(extraOf('box', [], ' ')).toEqual({ name: 'box', headers: {}, body: {} });
		expect(textOf(undefined) + textOf({ headers: [], body: {} })).toBe('');
	});

	it('wants a value under another name, a name for a value, and fields that are an object', () => {
		const renamed = rowsOf(saved);
		renamed[0]!.name = 'x-renamed';
		expect(extraOf('box', renamed, '')).toEqual({ rows: [0], body: false });
		expect(
			extraOf(
				'box',
				[
					{ name: 'a', value: 'b' },
					{ name: '', value: 'c' }
				],
				''
			)
		).toEqual({
			rows: [1],
			body: false
		});
		for (const text of ['[]', '1', 'null', '{', '"a"'])
			expect(extraOf('box', [], text)).toEqual({ rows: [], body: true });
	});
});
