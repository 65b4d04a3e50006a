/** The runs of a mission as one line of time: plans, and the occurrences that made none. */
import { passesForMana } from '$lib/core';
import { DEFAULT_AGENT } from '$lib/features/agents/agents.svelte';
import { t, type KeyFor, type PlainKey } from '$lib/i18n';
import type { AiRun, Iteration, Mission, Step } from '$lib/core/types';
import { moneyText } from '$lib/features/gateway/budget';
import { when } from '$lib/primitives/format';

/** The result of an occurrence. */
export type Occurrence =
	{ at: string; key: string; run: Iteration; number: number } | { at: string; key: string; skip: AiRun };

/** The name that the agent of a run had, where there are several; none where it passes for Mana's own. */
export function agentOf({ principalId, displayName }: Iteration): string {
	if (!principalId || principalId === DEFAULT_AGENT || typeof displayName !== 'string') return '';
	return passesForMana(displayName) ? '' : displayName;
}

/** Newest first. A failed or finished plan is its own line; a skip or a miss comes from `aiRuns`. */
export function timeline(mission: Mission, aiRuns: readonly AiRun[]): Occurrence[] {
	const planned = mission.iterations.map((run, i): Occurrence => ({
		at: run.startedAt,
		key: run.id,
		run,
		number: i + 1
	}));
	const known = new Set(mission.iterations.map((run) => run.id));
	const skipped = aiRuns
		.filter((one) => !known.has(one.id) && one.status !== 'ran')
		.map((skip): Occurrence => ({ at: lastOf(skip), key: skip.id, skip }));
	return [...planned, ...skipped].sort((a, b) => b.at.localeCompare(a.at));
}

/** The time of the last occurrence that a record tells of. */
function lastOf(skip: AiRun): string {
	const last = skip.details?.last;
	return typeof last === 'string' ? last : skip.startedAt;
}

/** A step that a person can still decide. */
export const isOpen = (step: Step) =>
	step.intent.kind === 'toolCall' && (step.status === 'planned' || step.status === 'staged');

/** “2 approved, 1 undone”. */
export function tally(run: Iteration): string {
	const count = (status: Step['status']) => run.plan.filter((step) => step.status === status).length;
	const parts: [KeyFor<{ count: number }>, number][] = [
		['mission.approvedN', count('approved')],
		['mission.rejectedN', count('rejected')],
		['mission.undoneN', count('undone')],
		['mission.failedN', count('failed')]
	];
	return parts
		.filter(([, n]) => n > 0)
		.map(([key, n]) => t(key, { count: n }))
		.join(', ');
}

/** The technical reason of a failed run. */
export function errorOfRun(run: Iteration): { code: string; message: string; details: Details } {
	return { code: run.error?.code ?? '', message: run.error?.message ?? '', details: run.error?.details ?? {} };
}

type Failure =
	| 'auth'
	| 'badAnswer'
	| 'empty'
	| 'interrupted'
	| 'missionTooLarge'
	| 'model'
	| 'other'
	| 'rateLimited'
	| 'timeout'
	| 'tooLarge'
	| 'unreachable';

/** The codes that a failure has (spec/MISSIONS.md, parts A and K, and the gateway's), by what a person is told. */
const BY_CODE: Record<string, Failure> = {
	provider_timeout: 'timeout',
	timeout: 'timeout',
	provider_unreachable: 'unreachable',
	provider_refused_key: 'auth',
	unauthorized: 'auth',
	rate_limit_exceeded: 'rateLimited',
	provider_paused: 'rateLimited',
	answer_too_large: 'tooLarge',
	too_large: 'tooLarge',
	empty_answer: 'empty',
	answer_cut_off: 'badAnswer',
	bad_answer: 'badAnswer',
	bad_json: 'badAnswer',
	prose: 'badAnswer',
	several_plans: 'badAnswer',
	truncated: 'badAnswer',
	not_a_plan: 'badAnswer',
	too_many_steps: 'badAnswer',
	unknown_tool: 'badAnswer',
	bad_params: 'badAnswer',
	no_rationale: 'badAnswer',
	unknown_record: 'badAnswer',
	no_plan: 'badAnswer',
	unwritable: 'badAnswer',
	model_not_found: 'model',
	interrupted: 'interrupted',
	mission_too_large: 'missionTooLarge'
};

type Details = Record<string, unknown>;

/** A failure in plain words: what happened, that nothing was changed, what to do, and when it is tried again. */
export function plainFailure(
	error: { code: string; message: string; details?: Details | null },
	now = new Date()
): { what: string; then: string } {
	const kind = BY_CODE[error.code] ?? 'other';
	const next = nextText(error.details ?? {}, now);
	const then = (advice: string) => (next ? `${next} ${advice}` : advice);
	// The server's own sentence is plain too; it is all there is where no translation fits.
	if (kind === 'other' && error.message) return { what: error.message, then: then(t('fail.otherDo')) };
	const sameAdvice = kind === 'tooLarge' || kind === 'empty' ? 'badAnswer' : kind;
	return { what: t(`fail.${kind}`), then: then(t(`fail.${sameAdvice}Do`)) };
}

/** The run that follows a failure (spec/MISSIONS.md, part K). Empty where nothing is known of it. */
function nextText({ next, at, until, everyMinutes }: Details, now: Date): string {
	const time = typeof at === 'string' ? when(at) : '';
	switch (next) {
		case 'retry': {
			if (!time) return '';
			// The log is told of the first attempt and of the last one; those between come in silence.
			const ahead = Date.parse(String(at)) > now.getTime();
			if (typeof until !== 'string' || typeof everyMinutes !== 'number')
				return ahead ? t('fail.nextOnce', { when: time }) : '';
			const rest = { minutes: everyMinutes, until: when(until) };
			if (Date.parse(until) <= now.getTime()) return '';
			return ahead ? t('fail.nextRetry', { when: time, ...rest }) : t('fail.nextRetrying', rest);
		}
		case 'next':
			return time && Date.parse(String(at)) > now.getTime() ? t('fail.nextDue', { when: time }) : '';
		case 'paused':
			return t('fail.nextPaused');
		case 'nothing':
			return t('fail.nextNothing');
		default:
			return '';
	}
}

/** A text without its full stop, for the place after a colon. */
export const withoutStop = (text: string | undefined) => (text ?? '').trim().replace(/\.$/, '');

/** Why an occurrence did not run, or failed: by its code and figures, in the screen's language. Without a full stop. */
export function reasonOf(run: Pick<AiRun, 'status' | 'code' | 'reason' | 'details'>): string {
	const said =
		run.status === 'failed'
			? failedInShort(run)
			: inRow(skipped(run.code, run.details ?? {}), run.details ?? {}) || run.reason;
	return withoutStop(said);
}

function failedInShort(run: Pick<AiRun, 'code' | 'reason' | 'details'>): string {
	const details = run.details ?? {};
	const { what } = plainFailure({ code: run.code ?? '', message: run.reason ?? '' });
	return `${what} ${nextText(details, new Date())}`.trim();
}

/** The reason of a row of occurrences that one record tells of, with its first, last and number. */
function inRow(reason: string | null, { first, last, count, more }: Details): string | null {
	if (!reason || typeof first !== 'string' || typeof last !== 'string' || typeof count !== 'number') return reason;
	return t(more === true ? 'skip.rowMore' : 'skip.row', { reason, count, first: when(first), last: when(last) });
}

/** Since when and with how many proposals a mission stands still, because they wait: by its newest record. */
export function standsStill(
	mission: Pick<Mission, 'state'>,
	newest: AiRun | undefined,
	waiting: number
): { since: string; count: number } | null {
	const held = newest?.code === 'waiting-for-review' || newest?.code === 'too-many-open';
	if (mission.state !== 'active' || !newest || !held || !waiting) return null;
	const { first } = newest.details ?? {};
	return { since: typeof first === 'string' ? first : newest.startedAt, count: waiting };
}

/** Why the server paused a mission. */
export function pausedReason(mission: Pick<Mission, 'pausedReason' | 'failures'>): string {
	return mission.failures
		? t('skip.failedOften', { count: mission.failures })
		: withoutStop(mission.pausedReason ?? '');
}

/** Null for a code of a later server, or figures that are not there: then its own sentence is all there is. */
function skipped(code: string | undefined, details: Details): string | null {
	const { proposals, most, since, madeUp } = details;
	switch (code) {
		case 'waiting-for-review':
			return typeof proposals === 'number' ? t('skip.waiting', { count: proposals }) : null;
		case 'too-many-open':
			return typeof proposals === 'number' && typeof most === 'number'
				? t('skip.tooManyOpen', { count: proposals, most })
				: null;
		case 'overlap':
			return t('skip.overlap');
		case 'too-late':
			return t('skip.tooLate');
		case 'restored':
			return t('skip.restored');
		case 'missed': {
			const reason = t(madeUp === true ? 'skip.madeUp' : 'skip.missed');
			return typeof since === 'string' ? t('skip.since', { reason, when: when(since) }) : reason;
		}
		case 'over-budget':
			return overBudget(details);
		default:
			return null;
	}
}

const WHOSE: Record<string, PlainKey> = {
	mission: 'skip.ofMission',
	agent: 'skip.ofAgent',
	person: 'skip.ofPerson',
	server: 'skip.ofServer'
};

function overBudget({ of, per, measure, limit, used, until, wanted, price }: Record<string, unknown>): string | null {
	const whose = WHOSE[String(of)];
	if (!whose || typeof limit !== 'number') return null;
	const counted = measure === 'calls' ? 'budget.calls' : 'budget.tokens';
	const amount = (value: number) => (measure === 'money' ? moneyText(value) : t(counted, { count: value }));
	const budget = { whose: t(whose), limit: amount(limit) };
	if (price === 'unknown') return t('skip.noPrice', budget);
	if (typeof used !== 'number') return null;
	const figures = { ...budget, used: amount(used) };
	if (per === 'run' && typeof wanted === 'number') return t('skip.overRun', { ...figures, wanted: amount(wanted) });
	return typeof until === 'string' ? t('skip.overDay', { ...figures, when: when(until) }) : null;
}
