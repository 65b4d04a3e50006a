import { beforeAll, describe, expect, it } from 'vitest';
import { showLocale } from '$lib/i18n';
import type { AiRun, Iteration, Mission } from '$lib/core/types';
import { plainFailure, reasonText, tally, timeline } from './runs';

beforeAll(() => showLocale('en'));

const run = (id: string, startedAt: string): Iteration => ({ id, slot: `due:${id}`, startedAt, source: 'server', plan: [] });

describe('the runs of a mission', () => {
	it('are one line of time: a skip stands between the plans, a planned run only once', () => {
		const mission = { id: 'm', title: 'M', iterations: [run('a', '2026-04-06T08:00:00Z'), run('b', '2026-04-08T08:00:00Z')] } as unknown as Mission;
		const occurrence = (id: string, status: AiRun['status'], startedAt: string): AiRun => ({ id, missionId: 'm', slot: `due:${id}`, status, startedAt, finishedAt: startedAt, attempts: 1 });
		const line = timeline(mission, [occurrence('x', 'skipped', '2026-04-07T08:00:00Z'), occurrence('a', 'ran', '2026-04-06T08:00:00Z')]);
		expect(line.map((one) => one.key)).toEqual(['b', 'x', 'a']);
	});

	it('a failure is said in plain words, with what to do, and never as a code', () => {
		for (const code of ['provider_timeout', 'provider_unreachable', 'prose', 'empty_answer', 'rate_limit_exceeded', 'model_not_found']) {
			const { what, then } = plainFailure({ code, message: 'x' });
			expect(what).toMatch(/Nothing in your workspace was changed\.$/);
			expect(then.length).toBeGreaterThan(10);
			expect(what).not.toContain(code);
		}
	});

	it('a failure without a translation keeps the server’s own sentence', () => {
		expect(plainFailure({ code: 'odd', message: 'The moon was in the way.' }).what).toBe('The moon was in the way.');
	});

	it('the runner’s reasons are translated, others keep their words without the full stop', () => {
		expect(reasonText('3 proposals of this mission still wait for your decision, so nothing was planned on top of them.')).toBe('3 proposals still wait for you');
		expect(reasonText('Something else.')).toBe('Something else');
	});

	it('counts what became of the steps', () => {
		const step = (status: string) => ({ id: status, index: 0, summary: '', rationale: '', intent: { kind: 'note', body: '' }, status }) as never;
		expect(tally({ ...run('a', ''), plan: [step('approved'), step('approved'), step('undone')] })).toBe('2 approved, 1 undone');
	});
});
