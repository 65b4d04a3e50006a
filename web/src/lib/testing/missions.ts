import type { Change, Data, Iteration, Step } from '../core/types';

export const MISSION = '0198c0de-0000-7000-8000-000000000001';
export const ITERATION = '0198c0de-0000-7000-8000-0000000000a1';
// Just now: what waits for too long expires.
const ago = (ms: number) => new Date(Date.now() - ms).toISOString().replace('Z', '000Z');
const AT = ago(60_000);
const FINISHED = ago(40_000);
let events = 0;

/** A step that wants to create a task. */
export function taskStep(index: number, params: Data = { title: `Task ${index}` }, extra: Partial<Step> = {}): Step {
	return toolStep(index, 'create_task', params, extra);
}

/** A step that wants to call a tool. */
export function toolStep(index: number, toolName: string, params: Data, extra: Partial<Step> = {}): Step {
	return {
		id: `0198c0de-0000-7000-8000-0000000001${String(index).padStart(2, '0')}`,
		index,
		summary: `Step ${index}`,
		rationale: `Because of goal ${index}.`,
		intent: { kind: 'toolCall', toolName, params },
		status: 'planned',
		updatedAt: FINISHED,
		...extra
	};
}

/** A mission as another device made it. */
export function missionInsert(set: Data = {}): Change {
	return {
		eventId: `event-${++events}`,
		appId: 'ai',
		table: 'aiMissions',
		id: MISSION,
		op: 'insert',
		at: AT,
		actor: { kind: 'user' },
		data: {
			title: 'Weekly plan',
			conceptMarkdown: '- plan the week',
			objective: 'Plan my week',
			inputs: [],
			cadence: { kind: 'manual' },
			timezone: 'Europe/Berlin',
			state: 'active',
			...set
		}
	};
}

/** An iteration as the runner pushes it. */
export function iterationArrives(plan: Step[], set: Partial<Iteration> = {}): Change {
	const iteration: Iteration = {
		id: ITERATION,
		slot: 'run:1',
		startedAt: AT,
		finishedAt: FINISHED,
		updatedAt: FINISHED,
		source: 'server',
		summary: 'A plan',
		plan,
		...set
	};
	return {
		eventId: `event-${++events}`,
		appId: 'ai',
		table: 'aiMissions',
		id: MISSION,
		op: 'update',
		at: FINISHED,
		actor: { kind: 'system', source: 'mission-runner' },
		fields: { iterations: { value: [iteration], updatedAt: FINISHED } }
	};
}
