/** The runs of a mission as one line of time: plans, and the occurrences that made none. */
import { t, type MessageKey } from '$lib/i18n';
import type { AiRun, Iteration, Mission, Step } from '$lib/core/types';

/** What happened at one occurrence. */
export type Occurrence = { at: string; key: string; run: Iteration; number: number } | { at: string; key: string; skip: AiRun };

/** Newest first. A failed or finished plan is its own line; a skip or a miss comes from `aiRuns`. */
export function timeline(mission: Mission, aiRuns: readonly AiRun[]): Occurrence[] {
	const planned = mission.iterations.map((run, i): Occurrence => ({ at: run.startedAt, key: run.id, run, number: i + 1 }));
	const known = new Set(mission.iterations.map((run) => run.id));
	const skipped = aiRuns.filter((one) => !known.has(one.id) && one.status !== 'ran').map((skip): Occurrence => ({ at: skip.startedAt, key: skip.id, skip }));
	return [...planned, ...skipped].sort((a, b) => b.at.localeCompare(a.at));
}

/** A step that a person can still decide. */
export const isOpen = (step: Step) => step.intent.kind === 'toolCall' && (step.status === 'planned' || step.status === 'staged');

/** “2 approved, 1 undone”. */
export function tally(run: Iteration): string {
	const count = (status: Step['status']) => run.plan.filter((step) => step.status === status).length;
	const parts: [MessageKey, number][] = [
		['mission.approvedN', count('approved')],
		['mission.rejectedN', count('rejected')],
		['mission.undoneN', count('undone')],
		['mission.failedN', count('failed')]
	];
	return parts.filter(([, n]) => n > 0).map(([key, n]) => t(key, { count: n })).join(', ');
}

/** The technical reason of a failed run. */
export function errorOfRun(run: Iteration): { code: string; message: string } {
	return { code: run.error?.code ?? '', message: run.error?.message ?? '' };
}

const PATTERNS: [RegExp, string][] = [
	[/time[d_ -]?out|took (too|more)|deadline/i, 'timeout'],
	[/\b429\b|rate.?limit|too many/i, 'rateLimited'],
	[/\b401\b|\b403\b|unauthori[sz]ed|api.?key|forbidden/i, 'auth'],
	[/too (large|long|big)|\bmax_bytes\b|larger than|exceeds/i, 'tooLarge'],
	[/empty/i, 'empty'],
	[/connect|refused|unreachable|resolve|dns|could not reach|no route|network/i, 'unreachable'],
	[/json|parse|plan|step|tool|fence|block|rationale|repair/i, 'badAnswer']
];
const BY_CODE: Record<string, string> = {
	provider_timeout: 'timeout',
	timeout: 'timeout',
	provider_unreachable: 'unreachable',
	provider_refused_key: 'auth',
	unauthorized: 'auth',
	rate_limit_exceeded: 'rateLimited',
	answer_too_large: 'tooLarge',
	too_large: 'tooLarge',
	empty_answer: 'empty',
	answer_cut_off: 'badAnswer',
	bad_answer: 'badAnswer',
	bad_json: 'badAnswer',
	prose: 'badAnswer',
	several_plans: 'badAnswer',
	truncated: 'badAnswer',
	model_not_found: 'model',
	interrupted: 'interrupted'
};

/** A failure in plain words: what happened, that nothing was changed, what to do next. */
export function plainFailure(error: { code: string; message: string }): { what: string; then: string } {
	const kind = BY_CODE[error.code] ?? PATTERNS.find(([pattern]) => pattern.test(error.message))?.[1] ?? 'other';
	// The server's own sentence is plain too; it is all there is where no translation fits.
	if (kind === 'other' && error.message) return { what: error.message, then: t('fail.otherDo') };
	const then: Record<string, MessageKey> = { tooLarge: 'fail.badAnswerDo', empty: 'fail.badAnswerDo' };
	return { what: t(`fail.${kind}` as MessageKey), then: t(then[kind] ?? (`fail.${kind}Do` as MessageKey)) };
}

/** The runner's reasons, which are written in English, in the language of the screen. */
const REASONS: [RegExp, (match: RegExpExecArray) => string][] = [
	[/^(One|\d+) proposals? (?:of this mission )?still waits? for you/, (m) => t('skip.waiting', { count: m[1] === 'One' ? 1 : Number(m[1]) })],
	[/^Mana was not running at this time/, () => t('skip.missed')],
	[/^The run before was still going on/, () => t('skip.overlap')],
	[/^It failed (\d+) times in a row/, (m) => t('skip.failedOften', { count: Number(m[1]) })]
];

/** A reason after a colon, without its full stop. */
export function reasonText(reason: string | undefined): string {
	const text = (reason ?? '').trim();
	for (const [pattern, say] of REASONS) {
		const match = pattern.exec(text);
		if (match) return say(match);
	}
	return text.replace(/\.$/, '');
}
