import '$lib/testing/dom';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Lesson, Step } from '$lib/core/types';
import Lessons from '$lib/features/missions/Lessons.svelte';
import { missions } from '$lib/features/missions/missions.svelte';
import { showModules } from '$lib/features/records/modules.svelte';
import { createRecord, deleteRecord } from '$lib/features/records/records';
import { keptText } from '$lib/features/undo/undo';
import { showLocale, t } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';
import { setReplica } from '$lib/replica/current';
import { show } from '$lib/testing/faces';
import { iterationArrives, MISSION, missionInsert, toolStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { history } from './history';
import { stepName, stepTitle } from './stepName';
import StepView from './StepView.svelte';

vi.mock('$app/navigation', () => ({ goto: () => {}, beforeNavigate: () => {}, afterNavigate: () => {} }));

const AT = new Date().toISOString();
const SUMMARY = 'Tidy up a little';
const replaced = (id: string) => [{ app: 'todo', table: 'tasks', id }];
const step = (index: number, tool: string, params: Record<string, unknown>, extra: Partial<Step>): Step =>
	toolStep(index, tool, params, { summary: SUMMARY, decidedAt: AT, decidedBy: 'lena', ...extra });

/** Steps in every state, with the name of the record of each. */
const STEPS: [Step, string, string][] = [
	[
		step(0, 'create_task', { title: 'Buy milk' }, { status: 'approved', replaced: replaced('t1') }),
		'Renamed since',
		'New task'
	],
	[step(1, 'create_task', { title: 'Call Ada' }, { status: 'rejected' }), 'Call Ada', 'New task'],
	[
		step(2, 'create_task', { title: 'Call' }, { status: 'approved', editedParams: { title: 'Call Bob' } }),
		'Call Bob',
		'New task'
	],
	[
		step(3, 'update_task', { taskId: 't2', title: 'x' }, { status: 'approved' }),
		'Cancel the server',
		'Change to a task'
	],
	[step(4, 'delete_task', { taskId: 't3' }, { status: 'undone' }), 'Deleted since', 'Removal of a task'],
	[
		step(5, 'update_task', { taskId: 'gone', title: 'x' }, { status: 'expired' }),
		t('card.notHere', { id: 'gone' }),
		'Change to a task'
	],
	[step(6, 'append_to_context', { text: 'x' }, { status: 'approved' }), 'Context', 'Addition to your context'],
	[step(7, 'fly_to_moon', { title: 'x' }, { status: 'rejected' }), 'A step that is unknown here (fly_to_moon)', '']
];

beforeAll(async () => {
	await showLocale('en');
	showModules(manifests);
	STEPS[5]![1] = t('card.notHere', { id: 'gone' });
});
beforeEach(async () => {
	const replica = await openTab(someUser());
	setReplica(replica);
	onTestFinished(() => setReplica(null));
	await until(() => collection('todo', 'tasks').ready);
	await createRecord('todo', 'tasks', { title: 'Renamed since' }, 't1');
	await createRecord('todo', 'tasks', { title: 'Cancel the server' }, 't2');
	await createRecord('todo', 'tasks', { title: 'Deleted since' }, 't3');
	await deleteRecord('todo', 'tasks', 't3');
	await arrive(replica, [missionInsert(), iterationArrives(STEPS.map(([one]) => one))]);
	await until(() => missions.get(MISSION)?.iterations.length);
});

describe('a step is told by its record', () => {
	it('and its tool, never by the model’s summary', () => {
		for (const [one, name, tool] of STEPS) {
			expect(stepName(one)).toBe(name);
			const title = stepTitle(one);
			expect(title).toContain(name);
			if (tool) expect(title).not.toBe(name);
			expect(title).not.toContain(SUMMARY);
		}
	});

	it('on the page of its run, where the model’s word for it is marked as such', () => {
		for (const [one, name] of STEPS) {
			const shown = show(StepView, { step: one, missionId: MISSION, iterationId: 'i' });
			expect(shown.querySelector('.t')!.textContent.trim()).toBe(name);
			expect(shown.textContent).toContain(t('mission.step.called', { summary: SUMMARY }));
			expect(shown.textContent.split(SUMMARY)).toHaveLength(2);
		}
	});

	it('in the workbench', () => {
		const told = history([missions.get(MISSION)!], () => []).filter(({ kind }) => kind !== 'run');
		expect(told.length).toBe(STEPS.length);
		const titles = told.map(({ title }) => title);
		for (const [one] of STEPS) expect(titles).toContain(stepTitle(one));
		expect(JSON.stringify(told)).not.toContain(SUMMARY);
	});

	it('where an undo keeps it', () => {
		for (const [one, name] of STEPS) {
			const told = keptText({ stepId: one.id, reason: 'unknown' }, [one]);
			expect(told).toContain(name);
			expect(told).not.toContain(SUMMARY);
		}
	});

	it('in the lessons, also when its run is not kept any more', () => {
		const mission = missions.get(MISSION)!;
		const shown = show(Lessons, { mission });
		expect(shown.textContent).toContain('You refused: New task: Call Ada');
		expect(shown.textContent).not.toContain(SUMMARY);
		const lesson: Lesson = {
			id: 'old',
			kind: 'refused',
			summary: SUMMARY,
			toolName: 'create_task',
			params: { title: 'Call Eve' },
			forEver: true,
			decidedAt: AT,
			keptUntil: '9999-12-30T00:00:00Z',
			iterationId: 'old',
			updatedAt: AT
		};
		const later = show(Lessons, { mission: { ...mission, iterations: [], lessons: [lesson] } });
		expect(later.textContent).toContain('Never again: New task: Call Eve');
		expect(later.querySelector('a')).toBeNull();
		expect(shown.querySelector('a')?.getAttribute('href')).toMatch(/^#run-./);
		expect(later.textContent).not.toContain(SUMMARY);
	});
});
