import { v7 as uuid } from 'uuid';
import { dataOf } from '$lib/api/client';
import type { components } from '$lib/api/schema';
import { ValidationError } from '$lib/core/errors';
import type {
	AiRun,
	Cadence,
	Data,
	FieldError,
	Iteration,
	Lesson,
	Mission,
	MissionData,
	MissionState,
	Row
} from '$lib/core/types';
import { collection } from '$lib/replica/collection.svelte';
import { currentReplica, onReplica } from '$lib/replica/current';
import { i18n, t } from '$lib/i18n';
import { currentApi, currentTokens, session } from '$lib/features/session/session.svelte';
import { flush } from '$lib/replica/actions';
import { createRecord, deleteRecord, updateRecord } from '$lib/features/records/records';
import { readableMission } from './readable';

export { templates, templateText, type MissionTemplate } from './templates';

const missionRows = collection('ai', 'aiMissions');
const runRows = collection('ai', 'aiRuns');
const list = $derived(missionRows.rows.map(asMission));

/** All missions, live. */
export const missions = {
	get ready(): boolean {
		return missionRows.ready;
	},
	/** The oldest first. */
	get list(): Mission[] {
		return list;
	},
	get(id: string): Mission | undefined {
		return list.find((mission) => mission.id === id);
	},
	/** A mission's title, also where the mission is gone. */
	titleOf(id: string): string {
		return missions.get(id)?.title ?? t('word.mission');
	}
};

type RunAccepted = components['schemas']['RunAccepted'];

/** A run that is under way on the server. */
export interface RunningRun {
	missionId: string;
	iterationId: string;
	slot: string;
	/** `queued`, `reading`, `thinking`, `writing`. */
	phase: string;
	/** Since when somebody is at it; missing while it waits. */
	startedAt?: string | null;
	/** A person has asked for its end. */
	cancelling?: boolean;
}

/** After these a run is over. */
const OVER = ['finished', 'failed', 'cancelled'];

const underWay = $state<Record<string, RunningRun>>({});

/** The server's runs under way, as far as its notices reached this device. */
export const running = {
	of(missionId: string): RunningRun | undefined {
		return underWay[missionId];
	}
};

/** Make a mission; works without network. Answers its id. `draft`: the form's draft, which ends with the write. */
export async function createMission(data: Partial<MissionData> & { title: string }, draft?: string): Promise<string> {
	const mission = {
		conceptMarkdown: '',
		objective: '',
		inputs: [],
		cadence: { kind: 'manual' } as Cadence,
		timezone: accountTimezone(),
		state: 'active' as MissionState,
		...data,
		overlap: data.overlap ?? usualOverlap(data.cadence ?? { kind: 'manual' })
	};
	refuseInvalid(mission);
	const now = currentReplica().now();
	const record: Data = { ...mission, createdAt: now, nextRunAt: scheduled(mission) };
	return createRecord('ai', 'aiMissions', record, uuid(), draft);
}

/**
 * Change a mission; what decides when it runs moves its next run along. `seen`: what the form was opened on; `draft`:
 * its draft, which ends with the write. A null in `deletedAt` brings a deleted one back.
 */
export async function updateMission(
	id: string,
	set: Partial<MissionData> & { deletedAt?: null },
	seen?: Record<string, string>,
	draft?: string
): Promise<void> {
	const reschedules = ['cadence', 'timezone', 'state', 'deletedAt'].some((field) => field in set);
	const row = missionRows.get(id);
	const before = row && asMission(row);
	const write: Data = { ...set };
	if (before) refuseInvalid({ ...before, ...set });
	if (reschedules && before) {
		const after = { ...before, ...set };
		write.nextRunAt = scheduled(after);
		write.retrySlot = null;
		if (set.state === 'active') Object.assign(write, { failures: 0, failedOn: null, pausedReason: null });
	}
	await updateRecord('ai', 'aiMissions', id, write, seen, draft);
}

/** Pause, resume, complete, archive. */
export async function setState(id: string, state: MissionState): Promise<void> {
	await updateMission(id, { state });
}

/** Delete a mission; its open proposals go with it, what was approved stays. */
export async function removeMission(id: string): Promise<void> {
	await deleteRecord('ai', 'aiMissions', id);
}

/** The errors of a mission, before it is sent. */
export function checkMission(data: Partial<MissionData>): FieldError[] {
	return currentReplica().core.checkMission(data);
}

/** What a mission has learnt from its person's decisions and keeps, the newest first. */
export function lessonsOf(mission: Mission): Lesson[] {
	const replica = currentReplica();
	return replica.core.lessons(mission as unknown as Data, replica.now());
}

/** Take a lesson back: the next prompt is without it, and what it refused may be proposed again. */
export async function forgetLesson(missionId: string, lesson: Lesson): Promise<void> {
	const now = currentReplica().now();
	const element = { ...lesson, removedAt: now, updatedAt: now };
	await updateRecord('ai', 'aiMissions', missionId, { lessons: [element] });
}

/** The rule of a new mission for a run that comes while proposals wait. */
export function usualOverlap(cadence: Cadence): NonNullable<MissionData['overlap']> {
	return currentReplica().core.usualOverlap(cadence);
}

/** When a cadence comes next; null: never by itself. */
export function nextRun(cadence: Cadence, timezone: string, after = new Date()): string | null {
	return currentReplica().core.nextRun(cadence, timezone, after.toISOString());
}

/**
 * Ask the server to run a mission now. The outbox goes first, so that the run knows the newest.
 * Throws OfflineError where the server can't be reached: a run needs it.
 */
export async function runNow(id: string, slot = `run:${uuid()}`): Promise<RunAccepted> {
	const replica = currentReplica();
	if (session.expired) currentTokens(); // says so at once: nobody sends what waits
	await flush(replica);
	const { resolveInputs } = await import('./missionInputs');
	const answer = await dataOf(
		currentApi().POST('/ai/missions/{id}/run', {
			params: { path: { id } },
			body: { slot, resolvedInputs: await resolveInputs(replica, id) }
		})
	);
	const ended = missions.get(id)?.iterations.some((one) => one.id === answer.iterationId && one.finishedAt);
	if (!ended) underWay[id] ??= { missionId: id, phase: 'queued', ...answer };
	return answer;
}

/** Take a run back that waits, or end the one that is under way; the record of its occurrence says so. */
export async function cancelRun({ missionId, slot }: RunningRun): Promise<void> {
	const params = { path: { id: missionId, slot } };
	await dataOf(currentApi().POST('/ai/missions/{id}/runs/{slot}/cancel', { params }));
	const run = underWay[missionId];
	if (run?.slot === slot) underWay[missionId] = { ...run, cancelling: true };
}

/** Learn of a run that began before this device listened. Without network nothing is known, and nothing changes. */
export async function lookForRuns(missionId: string): Promise<void> {
	try {
		const params = { path: { id: missionId } };
		const { running } = await dataOf(currentApi().GET('/ai/missions/{id}/runs', { params }));
		const [first] = running;
		if (first) underWay[missionId] ??= { missionId, ...first };
	} catch {
		// the socket tells of the next one
	}
}

/** The prompts and answers of a run; throws with code not_found where they aren't kept. */
export function debugOf(missionId: string, iterationId: string): Promise<{ record: unknown }> {
	const params = { path: { id: missionId, iterationId } };
	return dataOf(currentApi().GET('/ai/missions/{id}/runs/{iterationId}/debug', { params }));
}

/** Runs by mission, newest first. Made once after a change: pages ask for every mission, and runs are kept for long. */
const runsByMission = $derived.by(() => {
	const byMission = new Map<string, AiRun[]>();
	for (const row of runRows.rows) {
		const run = { ...(row.data as unknown as AiRun), id: row.id };
		const known = byMission.get(run.missionId);
		if (known) known.push(run);
		else byMission.set(run.missionId, [run]);
	}
	for (const list of byMission.values()) list.sort((a, b) => (b.startedAt ?? '').localeCompare(a.startedAt ?? ''));
	return byMission;
});
const NO_RUNS: readonly AiRun[] = [];

/** The result of each occurrence of a mission, newest first; the same array until a run changes. */
export function runs(missionId: string): readonly AiRun[] {
	return runsByMission.get(missionId) ?? NO_RUNS;
}

/** A person's word on a whole iteration; the next prompt carries it. */
export async function giveFeedback(
	missionId: string,
	iterationId: string,
	text: string,
	draft?: string
): Promise<void> {
	const iteration = missions.get(missionId)?.iterations.find((one) => one.id === iterationId);
	if (!iteration) return;
	// the steps keep their own decisions; only the iteration's own part is written
	const { plan: _plan, overallStatus: _status, ...own } = iteration;
	const element = { ...own, userFeedback: text.trim(), updatedAt: currentReplica().now() };
	await updateRecord('ai', 'aiMissions', missionId, { iterations: [element] }, undefined, draft);
}

function scheduled(mission: Pick<MissionData, 'cadence' | 'timezone' | 'state'>): string | null {
	if (mission.state !== 'active') return null;
	const replica = currentReplica();
	return replica.core.nextRun(mission.cadence, mission.timezone ?? accountTimezone(), replica.now());
}

function refuseInvalid(mission: Partial<MissionData>): void {
	const errors = checkMission(mission);
	if (errors.length > 0) throw new ValidationError(errors);
}

function accountTimezone(): string {
	return session.user?.timezone || Intl.DateTimeFormat(i18n.locale).resolvedOptions().timeZone;
}

function asMission(row: Row): Mission {
	const mission = readableMission(row.data);
	return { ...mission, id: row.id, title: mission.title.trim() ? mission.title : t('word.untitled') };
}

onReplica((replica) => {
	if (!replica) return;
	const stopBus = replica.bus.on('run', (run) => {
		const known = underWay[run.missionId];
		if (OVER.includes(run.phase)) delete underWay[run.missionId];
		else underWay[run.missionId] = { ...run, cancelling: known?.slot === run.slot && known.cancelling };
	});
	// the iteration, or the record of the occurrence, is the end of a run even where a notice was lost
	const stopRows = replica.onRows((rows) => {
		for (const row of rows) {
			if (row.app !== 'ai') continue;
			const id = row.table === 'aiMissions' ? row.id : String(row.data.missionId);
			const run = underWay[id];
			if (!run) continue;
			const iterations = (row.data.iterations ?? []) as Iteration[];
			const ended =
				row.table === 'aiRuns'
					? row.id === run.iterationId
					: iterations.some((one) => one.id === run.iterationId && one.finishedAt);
			if (ended) delete underWay[id];
		}
	});
	return () => {
		stopBus();
		stopRows();
		for (const id of Object.keys(underWay)) delete underWay[id];
	};
});
