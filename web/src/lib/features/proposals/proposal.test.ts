import { describe, expect, it } from 'vitest';
import type { Data, Op, Proposal, Row } from '$lib/core/types';
import { place, type PlacedCard } from './proposal';

const row = (id: string, dueDate: string): Row => ({
	app: 'todo',
	table: 'tasks',
	id,
	data: { title: id, dueDate },
	meta: {},
	deleted: false
});
const card = (id: string, op: Op, target: string, set: Data, extra: Partial<PlacedCard> = {}): PlacedCard => ({
	proposal: { id, op, operations: [{ op, app: 'todo', table: 'tasks', id: target, set }] } as unknown as Proposal,
	state: 'open',
	row: rows.find((one) => one.id === target),
	...extra
});
const byDate = (a: Data, b: Data) => String(a.dueDate).localeCompare(String(b.dueDate));
const rows = [row('a', '2026-04-08'), row('b', '2026-04-10')];

describe('proposals stand where their record would', () => {
	it('something new lands between its neighbours', () => {
		const fresh = card('p', 'insert', 'new', { title: 'n', dueDate: '2026-04-09' });
		expect(place(rows, [fresh], byDate).map((e) => e.key)).toEqual(['a', 'p', 'b']);
	});

	it('something later than all lands at the end', () => {
		expect(place(rows, [card('p', 'insert', 'new', { dueDate: '2026-05-01' })], byDate).map((e) => e.key)).toEqual([
			'a',
			'b',
			'p'
		]);
	});

	it('a change takes the place of its record, which a person can still open', () => {
		const change = card('p', 'update', 'a', { dueDate: '2026-04-20' });
		expect(place(rows, [change], byDate).map((e) => e.key)).toEqual(['p', 'b']);
		expect(place(rows, [change], byDate, 'a').map((e) => e.key)).toEqual(['a', 'p', 'b']);
	});

	it.each(['closed', 'settled'] as const)('a %s card stays, and its record is shown again', (state) => {
		const change = card('p', 'update', 'a', { dueDate: '2026-04-20' }, { state });
		expect(place(rows, [change], byDate).map((e) => e.key)).toEqual(['a', 'p', 'b']);
		const moved = [row('b', '2026-04-10'), row('a', '2026-04-20')];
		expect(place(moved, [change], byDate).map((e) => e.key)).toEqual(['p', 'b', 'a']);
		expect(place([rows[1]!], [change], byDate).map((e) => e.key)).toEqual(['p', 'b']);
	});

	it('a card that asks stays where its record stood, wherever that went', () => {
		const change = card('p', 'update', 'a', { title: 'n' });
		const moved = [row('b', '2026-04-10'), row('a', '2026-04-20')];
		expect(place(moved, [change], byDate).map((e) => e.key)).toEqual(['p', 'b']);
		expect(place([rows[1]!], [change], byDate).map((e) => e.key)).toEqual(['p', 'b']);
	});

	it('without proposals every record is there', () => {
		expect(place(rows, [], byDate).map((e) => e.key)).toEqual(['a', 'b']);
	});
});
