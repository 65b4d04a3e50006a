import { describe, expect, it } from 'vitest';
import type { Data, Proposal, Row } from '$lib/core/types';
import { place } from './proposal';

const row = (id: string, dueDate: string): Row => ({
	app: 'todo',
	table: 'tasks',
	id,
	data: { title: id, dueDate },
	meta: {},
	deleted: false
});
const proposal = (id: string, op: 'insert' | 'update', target: string, set: Data): Proposal =>
	({
		id,
		app: 'todo',
		module: 'todo',
		op,
		operations: [{ op, app: 'todo', table: 'tasks', id: target, set }],
		seen: {},
		params: {}
	}) as unknown as Proposal;
const byDate = (a: Data, b: Data) => String(a.dueDate).localeCompare(String(b.dueDate));
const rows = [row('a', '2026-04-08'), row('b', '2026-04-10')];

describe('proposals stand where their record would', () => {
	it('something new lands between its neighbours', () => {
		const fresh = proposal('p', 'insert', 'new', { title: 'n', dueDate: '2026-04-09' });
		expect(place(rows, [fresh], byDate).map((e) => e.key)).toEqual(['a', 'p', 'b']);
	});

	it('something later than all lands at the end', () => {
		expect(place(rows, [proposal('p', 'insert', 'new', { dueDate: '2026-05-01' })], byDate).map((e) => e.key)).toEqual([
			'a',
			'b',
			'p'
		]);
	});

	it('a change takes the place of its record, which a person can still open', () => {
		const change = proposal('p', 'update', 'a', { dueDate: '2026-04-20' });
		expect(place(rows, [change], byDate).map((e) => e.key)).toEqual(['p', 'b']);
		expect(place(rows, [change], byDate, 'a').map((e) => e.key)).toEqual(['a', 'p', 'b']);
	});

	it('without proposals every record is there', () => {
		expect(place(rows, [], byDate).map((e) => e.key)).toEqual(['a', 'b']);
	});
});
