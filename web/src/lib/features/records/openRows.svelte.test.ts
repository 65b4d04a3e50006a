import { describe, expect, it } from 'vitest';
import type { Row } from '$lib/core/types';
import { heldRows, holdRow, isHeld, shownLength } from './openRows.svelte';

const row = (id: string, data: Row['data'] = {}, deleted = false): Row => ({
	app: 'todo',
	table: 'tasks',
	id,
	data,
	meta: {},
	deleted
});

describe('a list with an open form', () => {
	const a = row('a', { dueDate: '2026-12-01' });
	const b = row('b');

	it.each([
		['moves', [row('a', { dueDate: '2027-01-01' }), b]],
		['is ticked', [row('a', { done: true }), b]],
		['is deleted', [b]]
	])('shows its record as it was when the form was opened, where it %s', (_, rows) => {
		const close = holdRow(a);
		expect(heldRows('todo', 'tasks', rows)).toEqual([b, a]);
		expect(heldRows('notes', 'notes', [])).toEqual([]);
		close();
		expect(heldRows('todo', 'tasks', rows)).toBe(rows);
	});

	it('draws down to the form, where others came before it', () => {
		const close = holdRow(a);
		const many = [...Array.from({ length: 70 }, (_, index) => row(`x${index}`)), a];
		expect(shownLength(many, 60)).toBe(71);
		expect(isHeld(row('a'))).toBe(false);
		close();
		expect(shownLength(many, 60)).toBe(60);
	});
});
