import '$lib/testing/dom';
import { flushSync } from 'svelte';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { showModules } from '$lib/features/records/modules.svelte';
import { createRecord } from '$lib/features/records/records';
import { showLocale } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';
import { setReplica } from '$lib/replica/current';
import { show } from '$lib/testing/faces';
import { iterationArrives, MISSION, missionInsert, taskStep, toolStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { noteShown } from './consent.svelte';
import { decisions } from './decisions.svelte';
import PlanView from './PlanView.svelte';
import { proposals } from './proposals.svelte';
import { stageMission } from './staging';

vi.mock('$app/navigation', () => ({ goto: () => {}, beforeNavigate: () => {}, afterNavigate: () => {} }));

describe('C12 the view of a plan', () => {
	beforeAll(async () => {
		await showLocale('en');
		showModules(manifests);
	});

	it('carries out the ticked steps: X takes one out, a removal waits for its tick, an edit stays', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		onTestFinished(() => decisions.forget());
		const tasks = collection('todo', 'tasks');
		await until(() => tasks.ready);
		await createRecord('todo', 'tasks', { title: 'Keep me' }, 't1');
		const steps = [
			taskStep(0, { title: 'One' }),
			taskStep(1, { title: 'Two' }),
			toolStep(2, 'delete_task', { taskId: 't1' })
		];
		await arrive(replica, [missionInsert(), iterationArrives(steps)]);
		await stageMission(replica, MISSION);
		await until(() => proposals.count === 3 && !proposals.moving);
		const plan = show(PlanView, { missionId: MISSION });
		const ticks = () => [...plan.querySelectorAll<HTMLInputElement>('li .pick')].map(({ checked }) => checked);
		const press = (key: string) => {
			document.body.dispatchEvent(Object.assign(new Event('keydown', { bubbles: true, cancelable: true }), { key }));
			flushSync();
		};
		await until(() => {
			flushSync();
			return ticks().length === 3;
		});
		expect(ticks()).toEqual([true, true, false]);
		press('x');
		press('j');
		press('x');
		expect(ticks()).toEqual([false, false, false]);
		press('a');
		expect(tasks.rows).toHaveLength(1);
		press('x');
		expect(ticks()).toEqual([false, true, false]);
		press('e');
		await until(() => {
			flushSync();
			return plan.querySelector('li:nth-of-type(2) form');
		});
		press('Escape');
		expect(plan.querySelector('form')).toBeNull();
		// Nothing was read yet.
		press('a');
		expect(tasks.rows).toHaveLength(1);
		noteShown(proposals.open);
		flushSync();
		press('a');
		await until(() => proposals.count === 2);
		expect(tasks.rows.map(({ data }) => data.title).sort()).toEqual(['Keep me', 'Two']);
		expect(proposals.open.map(({ op }) => op)).toEqual(['insert', 'delete']);
	}, 20_000);
});
