import { describe, expect, it } from 'vitest';
import type { Usage } from './gateway';
import { byDay, byName, ownerAndId, tokensOf, totalOf } from './usage';

const sum = (day: string, of: string, promptTokens: number, money = 0) => ({
	day,
	of,
	calls: 1,
	failed: 0,
	cancelled: 0,
	promptTokens,
	completionTokens: 1,
	money
});
const usage: Usage = {
	days: ['2026-04-06', '2026-04-07', '2026-04-08'],
	people: {},
	sums: [sum('2026-04-06', 'a', 10), sum('2026-04-06', 'b', 5, 0.02), sum('2026-04-08', 'a', 20)]
};

describe('what was used', () => {
	it('is summed by day, and a day without use is there', () => {
		expect(byDay(usage).map((day) => [day.day, tokensOf(day), day.calls])).toEqual([
			['2026-04-06', 17, 2],
			['2026-04-07', 0, 0],
			['2026-04-08', 21, 1]
		]);
	});

	it('is summed by name, the dearest first', () => {
		expect(byName(usage).map((one) => [one.of, tokensOf(one)])).toEqual([
			['b', 6],
			['a', 32]
		]);
		expect(totalOf(usage)).toMatchObject({ calls: 3, promptTokens: 35, money: 0.02 });
	});

	it('a mission is its person’s', () => {
		expect(ownerAndId('u-1/default')).toEqual({ user: 'u-1', id: 'default' });
	});
});
