import { describe, expect, it } from 'vitest';
import type { Actor } from '$lib/core/types';
import { groupsOf, lineOf, valuesAt, type PastChange } from './past';

const user: Actor = { kind: 'user' };

function change(n: number, writes: Record<string, [unknown, unknown]>, more: Partial<PastChange> = {}): PastChange {
	const at = `2026-03-02T06:00:0${n}.000000Z`;
	return {
		app: 'todo',
		table: 'tasks',
		id: 't',
		op: 'update',
		eventId: `e${n}`,
		clientId: 'phone',
		receivedAt: at,
		madeAt: at,
		actor: user,
		made: false,
		writes: Object.entries(writes).map(([field, [was, value]]) => ({ field, was, value, updatedAt: at, stands: true })),
		...more
	};
}

describe('a line of the past', () => {
	it('tells several changes of a field as one, from the first value to the last', () => {
		const line = lineOf([change(3, { title: ['B', 'C'] }), change(2, { title: ['A', 'B'], done: [false, true] })]);
		expect(line.fields.map(({ field, was, value }) => [field, was, value])).toEqual([
			['title', 'A', 'C'],
			['done', false, true]
		]);
		expect(line.putBack).toMatchObject({
			made: false,
			fields: { title: { was: 'A', at: '2026-03-02T06:00:03.000000Z' }, done: { was: false } }
		});
	});

	it('is not put back where what stood before is not told', () => {
		expect(lineOf([change(2, { title: [undefined, 'B'] })]).putBack).toBeUndefined();
	});

	it('says whether the record was made, or removed', () => {
		expect(lineOf([change(2, { title: [null, 'A'] }, { made: true })])).toMatchObject({ made: true, removed: false });
		expect(lineOf([change(2, { deletedAt: [null, 'now'] })])).toMatchObject({ removed: true, fields: [] });
	});
});

describe('what changed', () => {
	it('is told by author, then by record, and a removal by itself', () => {
		const ai: Actor = { kind: 'ai', missionId: 'm', iterationId: 'i', rationale: 'why' };
		const groups = groupsOf(
			[
				change(5, { deletedAt: [null, 'now'] }),
				change(4, { title: ['B', 'C'] }),
				change(3, { title: ['A', 'B'] }, { clientId: 'desk' }),
				change(2, { title: ['0', 'A'] }, { actor: ai, clientId: 'desk' }),
				change(1, { title: [null, '0'] }, { actor: { ...ai, iterationId: 'j' } })
			],
			'phone'
		);
		expect(groups.map(({ kind, lines, changes }) => [kind, lines.length, changes])).toEqual([
			['here', 2, 2],
			['elsewhere', 1, 1],
			['ai', 1, 1],
			['ai', 1, 1]
		]);
	});
});

describe('a record as it was', () => {
	it('is made of what each later change replaced', () => {
		const changes = [
			change(4, { title: ['B', 'C'] }),
			change(3, { done: [false, true], title: ['A', 'B'] }),
			change(2, { title: [null, 'A'] })
		];
		expect(valuesAt(changes, 'e4')).toEqual({});
		expect(valuesAt(changes, 'e3')).toEqual({ title: 'B' });
		expect(valuesAt(changes, 'e2')).toEqual({ title: 'A', done: false });
		expect(valuesAt([change(4, { title: [undefined, 'C'] }), ...changes.slice(1)], 'e3')).toBeUndefined();
	});
});
