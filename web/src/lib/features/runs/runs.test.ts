import { beforeAll, describe, expect, it } from 'vitest';
import { showLocale } from '$lib/i18n';
import type { AiRun, Iteration, Mission } from '$lib/core/types';
import { agentOf, pausedReason, plainFailure, reasonOf, standsStill, tally, timeline } from './runs';

beforeAll(() => showLocale('en'));

const run = (id: string, startedAt: string): Iteration => ({
	id,
	slot: `due:${id}`,
	startedAt,
	source: 'server',
	plan: []
});

describe('the runs of a mission', () => {
	it('are one line of time: a skip stands between the plans, a planned run only once', () => {
		const mission = {
			id: 'm',
			title: 'M',
			iterations: [run('a', '2026-04-06T08:00:00Z'), run('b', '2026-04-08T08:00:00Z')]
		} as unknown as Mission;
		const occurrence = (id: string, status: AiRun['status'], startedAt: string): AiRun => ({
			id,
			missionId: 'm',
			slot: `due:${id}`,
			status,
			startedAt,
			finishedAt: startedAt,
			attempts: 1
		});
		const line = timeline(mission, [
			occurrence('x', 'skipped', '2026-04-07T08:00:00Z'),
			occurrence('a', 'ran', '2026-04-06T08:00:00Z')
		]);
		expect(line.map((one) => one.key)).toEqual(['b', 'x', 'a']);
	});

	it('are told by the agent that they had, and by none whose name passes for Mana’s own', () => {
		const by = (principalId: string | undefined, displayName: unknown) =>
			agentOf({ ...run('a', '2026-04-06T08:00:00Z'), principalId, displayName } as Iteration);
		expect(by('scout', 'Scout')).toBe('Scout');
		for (const name of ['Mana', 'M\u0430na', 'Mana server', 'The runner', 7, null, undefined])
			expect(by('scout', name)).toBe('');
		expect(by('default', 'Scout')).toBe('');
		expect(by(undefined, 'Scout')).toBe('');
	});

	it('a failure is said in plain words, with what to do, and never as a code', () => {
		for (const code of [
			'provider_timeout',
			'provider_unreachable',
			'prose',
			'empty_answer',
			'rate_limit_exceeded',
			'model_not_found'
		]) {
			const { what, then } = plainFailure({ code, message: 'x' });
			expect(what).toMatch(/Nothing in your workspace was changed\.$/);
			expect(then.length).toBeGreaterThan(10);
			expect(what).not.toContain(code);
		}
	});

	it('a failure says when it is tried again, and nothing that is over', () => {
		const now = new Date();
		const ahead = (minutes: number) => new Date(now.getTime() + minutes * 60_000).toISOString();
		const then = (details: Record<string, unknown>) =>
			plainFailure({ code: 'provider_unreachable', message: 'x', details }, now).then;
		const retry = { next: 'retry', until: ahead(600), everyMinutes: 30 };
		expect(then({ ...retry, at: ahead(2) })).toMatch(
			/^Mana tries again by itself .*at least every 30 minutes until the next run/
		);
		expect(then({ ...retry, at: ahead(-2) })).toMatch(/^Mana keeps trying by itself, at least every 30 minutes/);
		expect(then({ ...retry, at: ahead(-700), until: ahead(-1) })).toMatch(/^This usually means/);
		expect(then({ next: 'retry', at: ahead(2) })).toMatch(/^Mana tries again by itself [^,]*\./);
		expect(then({ next: 'next', at: ahead(60) })).toMatch(/^The next run comes/);
		expect(then({ next: 'paused', failures: 5 })).toMatch(/^The mission is paused now/);
		expect(then({})).toMatch(/^This usually means/);
	});

	it('a row of skips is one line, and a mission that waits stands still since its first', () => {
		const details = { proposals: 2, count: 9, first: '2026-04-08T08:00:00Z', last: '2026-04-16T08:00:00Z' };
		const row = {
			id: 'x',
			status: 'skipped',
			code: 'waiting-for-review',
			startedAt: details.first,
			details
		} as unknown as AiRun;
		expect(reasonOf(row)).toMatch(/^2 proposals still wait for you; 9 runs in a row, from .* to /);
		expect(standsStill({ state: 'active' }, row, 2)).toEqual({ since: details.first, count: 2 });
		expect(standsStill({ state: 'paused' }, row, 2)).toBeNull();
		expect(standsStill({ state: 'active' }, row, 0)).toBeNull();
		const line = timeline({ iterations: [] } as unknown as Mission, [row]);
		expect(line[0]?.at).toBe(details.last);
	});

	it('a failure without a translation keeps the server’s own sentence', () => {
		expect(plainFailure({ code: 'odd', message: 'The moon was in the way.' }).what).toBe('The moon was in the way.');
	});

	it('a reason is said by its code and figures, in the language of the screen, whatever the English says', async () => {
		const said = (code: string, details = {}) => reasonOf({ status: 'skipped', code, reason: 'Other words.', details });
		expect(said('waiting-for-review', { proposals: 3 })).toBe('3 proposals still wait for you');
		expect(said('too-many-open', { proposals: 9, most: 8 })).toBe('9 proposals wait for you, and 8 may');
		expect(said('missed', { madeUp: true })).toContain('one run made up for all that were missed');
		const day = { of: 'person', per: 'day', measure: 'money', limit: 0.5, used: 0.48, until: new Date().toISOString() };
		expect(said('over-budget', day)).toContain(
			'the budget of all your missions together allows $0.50 a day; $0.48 are used'
		);
		expect(
			said('over-budget', { of: 'mission', per: 'run', measure: 'tokens', limit: 100, used: 90, wanted: 50 })
		).toContain('allows 100 tokens a run; 90 tokens were used');
		expect(said('over-budget', { of: 'agent', per: 'day', measure: 'money', limit: 2, price: 'unknown' })).toContain(
			'allows $2.00 a day, and nobody knows what the model costs'
		);
		const member = { of: 'server', per: 'day', measure: 'calls', limit: 1, used: 1, until: new Date().toISOString() };
		expect(said('over-budget', member)).toContain('each member, set by this server’s owner, allows one call a day');
		await showLocale('de');
		expect(said('waiting-for-review', { proposals: 1 })).toBe('ein Vorschlag wartet noch auf dich');
		expect(reasonOf({ status: 'failed', code: 'provider_timeout', reason: 'Other words.' })).toContain(
			'brauchte zu lange'
		);
		expect(pausedReason({ failures: 5, pausedReason: 'It failed 5 times in a row.' })).toBe(
			'ihre Läufe sind an 5 Tagen nacheinander gescheitert'
		);
		await showLocale('en');
	});

	it('a reason of a later server, or without its figures, keeps its own words without the full stop', () => {
		expect(reasonOf({ status: 'skipped', code: 'moon', reason: 'The moon was in the way.' })).toBe(
			'The moon was in the way'
		);
		expect(reasonOf({ status: 'skipped', code: 'waiting-for-review', reason: 'Proposals wait.' })).toBe(
			'Proposals wait'
		);
		expect(reasonOf({ status: 'missed', reason: 'Nobody was there.' })).toBe('Nobody was there');
	});

	it('counts what became of the steps', () => {
		const step = (status: string) =>
			({ id: status, index: 0, summary: '', rationale: '', intent: { kind: 'note', body: '' }, status }) as never;
		expect(tally({ ...run('a', ''), plan: [step('approved'), step('approved'), step('undone')] })).toBe(
			'2 approved, 1 undone'
		);
	});
});
