import { describe, expect, it } from 'vitest';
import type { Op, Proposal } from '$lib/core/types';
import { batchable, decidable, removes } from './decisions.svelte';

const proposal = (id: string, op: Op, extra: Partial<Proposal> = {}): Proposal =>
	({
		id,
		op,
		status: 'open',
		operations: [{ op, app: 'todo', table: 'tasks', id: 't' }],
		...extra
	}) as unknown as Proposal;
const stale = { code: 'stale', message: '' } as Proposal['error'];

describe('what may be decided at once', () => {
	const list = [proposal('new', 'insert'), proposal('gone', 'delete'), proposal('moved', 'update', { error: stale })];

	it('leaves out what nobody could read yet, and counts only removals as such', () => {
		expect(batchable(list)).toEqual([]);
		expect(list.filter(removes).map(({ id }) => id)).toEqual(['gone']);
	});

	it('asks no yes for what changed since or cannot be carried out', () => {
		expect(list.map(decidable)).toEqual([true, true, false]);
		expect(decidable(proposal('dead', 'insert', { status: 'failed' }))).toBe(false);
	});
});
