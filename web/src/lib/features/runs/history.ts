/** History as single events: runs, occurrences without a run, decisions. The workbench draws them. */
import type { MessageKey } from '$lib/i18n';
import type { AiRun, Iteration, Mission, Step, StepDecision } from '$lib/core/types';
import { dayOf } from '$lib/primitives/format';
import { errorOfRun, isOpen, plainFailure, reasonOf, withoutStop } from './runs';
import { stepTitle } from './stepName';

export type EventKind = 'run' | 'trouble' | 'change';

/** A line of the timeline. */
export interface HistoryEvent {
	key: string;
	at: string;
	kind: EventKind;
	icon: string;
	byAi: boolean;
	text: MessageKey;
	params: Record<string, string | number>;
	missionId: string;
	mission: string;
	title?: string;
	/** Where it is settled in detail. */
	href: string;
	/** The iteration or step that can be undone from here. */
	undo?: { iterationId: string; stepId?: string };
}

function runEvent(mission: Mission, run: Iteration): HistoryEvent {
	const base = {
		key: `run-${run.id}`,
		at: run.finishedAt ?? run.startedAt,
		missionId: mission.id,
		mission: mission.title,
		href: `/companion/missions/${mission.id}`
	};
	if (run.overallStatus === 'failed' || run.error) {
		const failure = plainFailure(errorOfRun(run));
		return {
			...base,
			kind: 'trouble',
			icon: 'fail',
			byAi: false,
			text: 'bench.failed',
			params: { reason: failure.what }
		};
	}
	const count = run.plan.filter((step) => step.intent.kind === 'toolCall').length;
	return { ...base, kind: 'run', icon: 'missions', byAi: true, text: 'bench.ran', params: { count } };
}

function skipEvent(mission: string, run: AiRun): HistoryEvent {
	return {
		key: `skip-${run.id}`,
		at: run.startedAt,
		kind: 'trouble',
		icon: run.status === 'failed' ? 'fail' : 'skip',
		byAi: false,
		text: run.status === 'failed' ? 'bench.failed' : run.status === 'missed' ? 'bench.missed' : 'bench.skipped',
		params: { reason: reasonOf(run) + '.' },
		missionId: run.missionId,
		mission,
		href: `/companion/missions/${run.missionId}`
	};
}

/** Whether a step says what it replaced, so that it can be taken back. */
export function knowsReplaced(step: Step): boolean {
	return Boolean(step.replaced?.length || step.decisions?.some((one) => one.appended?.length));
}

/** Decisions on a step that others outrank: rejected on one device, approved on another. */
export function overruled(step: Step): StepDecision[] {
	if (step.status !== 'approved' && step.status !== 'undone') return [];
	return (step.decisions ?? []).filter((one) => one.status === 'rejected');
}

function overruledEvents(mission: Mission, step: Step): HistoryEvent[] {
	return overruled(step).map((one) => ({
		key: `over-${one.id}`,
		at: one.decidedAt ?? step.decidedAt ?? '',
		kind: 'change',
		icon: 'x',
		byAi: false,
		text: 'bench.overruled',
		params: {},
		missionId: mission.id,
		mission: mission.title,
		title: stepTitle(step),
		href: `/companion/missions/${mission.id}`
	}));
}

function decisionEvent(mission: Mission, run: Iteration, step: Step): HistoryEvent | null {
	if (!step.decidedAt || !['approved', 'rejected', 'undone', 'expired'].includes(step.status)) return null;
	const base = {
		key: `step-${step.id}`,
		at: step.decidedAt,
		kind: 'change' as const,
		byAi: step.decidedBy === 'policy',
		missionId: mission.id,
		mission: mission.title,
		title: stepTitle(step),
		href: `/companion/missions/${mission.id}`,
		...(step.status === 'approved' && knowsReplaced(step) ? { undo: { iterationId: run.id, stepId: step.id } } : {})
	};
	if (step.status === 'expired') return { ...base, kind: 'trouble', icon: 'skip', text: 'bench.expired', params: {} };
	if (step.status === 'rejected')
		return {
			...base,
			icon: 'x',
			text: step.feedback ? 'bench.rejectedWhy' : 'bench.rejected',
			params: { reason: withoutStop(step.feedback) }
		};
	if (step.status === 'undone') return { ...base, icon: 'undo', text: 'bench.undone', params: {} };
	if (step.decidedBy === 'policy') return { ...base, icon: 'check', text: 'bench.policy', params: {} };
	return { ...base, icon: 'check', text: step.editedParams ? 'bench.approvedEdited' : 'bench.approved', params: {} };
}

/** Approvals of one run in the same minute are one sentence from three on. */
function gather(events: HistoryEvent[]): HistoryEvent[] {
	const out: HistoryEvent[] = [];
	for (const event of events) {
		const last = out.at(-1);
		if (
			event.text === 'bench.approved' &&
			last?.missionId === event.missionId &&
			['bench.approved', 'bench.approvedN'].includes(last.text) &&
			last.at.slice(0, 16) === event.at.slice(0, 16)
		) {
			const count = Number(last.params.count ?? 1) + 1;
			out[out.length - 1] = {
				...last,
				text: 'bench.approvedN',
				params: { count },
				...(last.undo && event.undo && last.undo.iterationId === event.undo.iterationId
					? { undo: { iterationId: last.undo.iterationId } }
					: { undo: undefined })
			};
		} else out.push(event);
	}
	return out;
}

/** Everything, newest first. */
export function history(missions: readonly Mission[], runs: (missionId: string) => readonly AiRun[]): HistoryEvent[] {
	const events: HistoryEvent[] = [];
	for (const mission of missions) {
		const known = new Set(mission.iterations.map((run) => run.id));
		for (const run of mission.iterations) {
			events.push(runEvent(mission, run));
			for (const step of run.plan) {
				const event = decisionEvent(mission, run, step);
				if (event) events.push(event);
				events.push(...overruledEvents(mission, step));
			}
		}
		for (const run of runs(mission.id))
			if (!known.has(run.id) && run.status !== 'ran') events.push(skipEvent(mission.title, run));
	}
	return gather(events.sort((a, b) => b.at.localeCompare(a.at)));
}

/** The state of a mission's day: the most pressing first. */
export type DayMark = 'waits' | 'failed' | 'settled' | 'skipped' | null;

/** The small grid: one row a mission, one cell a day. */
export function weekGrid(
	missions: readonly Mission[],
	runs: (missionId: string) => readonly AiRun[],
	days: readonly string[]
): { mission: Mission; marks: DayMark[] }[] {
	return missions
		.map((mission) => {
			const iterationsOn = byDay(mission.iterations);
			const runsOn = byDay(runs(mission.id));
			return { mission, marks: days.map((day) => markOfDay(iterationsOn.get(day) ?? [], runsOn.get(day) ?? [])) };
		})
		.filter((row) => row.marks.some(Boolean));
}

function markOfDay(iterations: readonly Iteration[], runs: readonly AiRun[]): DayMark {
	if (iterations.some((run) => run.plan.some(isOpen) && run.overallStatus !== 'failed')) return 'waits';
	if (iterations.at(-1)?.overallStatus === 'failed') return 'failed';
	if (iterations.length) return 'settled';
	if (runs.some((run) => run.status === 'failed')) return 'failed';
	return runs.length ? 'skipped' : null;
}

/** Items by the local day they started on (`YYYY-MM-DD`), in the order given. */
function byDay<T extends { startedAt: string }>(started: readonly T[]): Map<string, T[]> {
	const days = new Map<string, T[]>();
	for (const one of started) {
		const day = dayOf(new Date(one.startedAt));
		const known = days.get(day);
		if (known) known.push(one);
		else days.set(day, [one]);
	}
	return days;
}
