import { beforeAll, describe, expect, it } from 'vitest';
import { showLocale } from '$lib/i18n';
import type { ToolInfo } from '$lib/core/types';
import { budgetText, moneyText, spentText } from '$lib/features/gateway/budget';
import { policySentence } from './policy';

beforeAll(() => showLocale('en'));

const tool = (name: string, policy: ToolInfo['policy'], op: 'insert' | 'delete' | 'query' = 'insert') =>
	({
		name,
		module: 'todo',
		label: { en: name, de: name },
		policy,
		effect: { op, table: 'tasks' }
	}) as ToolInfo;

describe('budgets in words', () => {
	it('say each limit, or nothing', () => {
		expect(budgetText({})).toBe('');
		expect(budgetText(null)).toBe('');
		expect(budgetText({ tokensPerDay: 20_000, moneyPerDay: 0.5 })).toBe('at most 20,000 tokens a day, $0.50 a day');
		expect(budgetText({ tokensPerRun: 0 })).toBe('at most 0 tokens a run');
	});

	it('sum what was used, with money where there is a price', () => {
		expect(spentText([])).toBe('');
		expect(spentText([{ tokens: 0 }, {}])).toBe('');
		expect(spentText([{ tokens: 100 }, { tokens: 50 }])).toBe('150 tokens');
		expect(
			spentText([
				{ tokens: 100, cost: 0.03 },
				{ tokens: 50, cost: 0.02 }
			])
		).toBe('150 tokens, $0.05');
		expect(moneyText(0.0004)).toBe('$0.0004');
	});
});

describe('a policy in one sentence', () => {
	it('asks before every change, unless it was told otherwise', () => {
		const reads = tool('List tasks', 'auto', 'query');
		expect(policySentence([reads, tool('New task', 'propose')])).toBe('Asks before every change.');
		expect(policySentence([reads, tool('New task', 'deny')])).toBe('Changes nothing.');
		expect(
			policySentence([reads, tool('New task', 'auto'), tool('Remove', 'deny', 'delete'), tool('Move', 'propose')])
		).toBe('By itself: New task (). Asks before every other change. Never: Remove ().');
		expect(policySentence([tool('List tasks', 'deny', 'query'), tool('New task', 'propose')])).toBe(
			'Asks before every change. One thing it may not even look at.'
		);
	});
});
