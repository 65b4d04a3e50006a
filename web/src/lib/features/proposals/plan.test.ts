import '$lib/testing/dom';
import { flushSync } from 'svelte';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { showModules } from '$lib/features/records/modules.svelte';
import { createRecord } from '$lib/features/records/records';
import { showLocale, t } from '$lib/i18n';
import type { Proposal } from '$lib/core/types';
import { drafts } from '$lib/features/drafts/drafts.svelte';
import { collection } from '$lib/replica/collection.svelte';
import { setReplica } from '$lib/replica/current';
import { show } from '$lib/testing/faces';
import { iterationArrives, MISSION, missionInsert, taskStep, toolStep } from '$lib/testing/missions';
import { arrive, manifests, openTab, someUser, until } from '$lib/testing/replica';
import { noteShown } from './consent.svelte';
import { decisions } from './decisions.svelte';
import { withParams } from './edits';
import PlanView from './PlanView.svelte';
import ProposalError from './ProposalError.svelte';
import ProposedValues from './ProposedValues.svelte';
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

	it('an edit stays in its step, is read anew, and goes with the others in one yes and one undo', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		onTestFinished(() => decisions.forget());
		const tasks = collection('todo', 'tasks');
		await until(() => tasks.ready);
		const steps = [taskStep(0, { title: 'One' }), taskStep(1, { title: 'Two', dueDate: '2031-01-01' })];
		await arrive(replica, [missionInsert(), iterationArrives(steps)]);
		await stageMission(replica, MISSION);
		await until(() => proposals.count === 2 && !proposals.moving);
		const plan = show(PlanView, { missionId: MISSION });
		const said = () => plan.textContent.replace(/\s+/g, ' ');
		const press = (key: string) => {
			document.body.dispatchEvent(Object.assign(new Event('keydown', { bubbles: true, cancelable: true }), { key }));
			flushSync();
		};
		const second = () => plan.querySelector<HTMLElement>('li:nth-of-type(2)')!;
		const seen = <Found>(find: () => Found) =>
			until(() => {
				flushSync();
				return find();
			});
		await seen(() => plan.querySelectorAll('li .pick').length === 2);
		noteShown(proposals.open);
		press('j');
		press('e');
		const form = await seen(() => second().querySelector('form'));
		// A yes while the form is open would not be to what is in it.
		press('a');
		expect(tasks.rows).toHaveLength(0);
		expect(said()).toContain(t('plan.editOpen'));
		const title = form.querySelector<HTMLInputElement>('input[name="title"]')!;
		title.value = 'Two of mine';
		title.dispatchEvent(new Event('input', { bubbles: true }));
		flushSync();
		form.dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }));
		await seen(() => !second().querySelector('form'));
		expect(second().querySelector('h2')!.textContent).toContain('Two of mine');
		expect([...second().querySelectorAll('.proposed del')].map((one) => one.textContent)).toEqual(['Two']);
		// What was kept is not approved, and what was read was another card.
		press('a');
		expect(tasks.rows).toHaveLength(0);
		expect(proposals.count).toBe(2);
		expect(said()).toContain(t('plan.readFirst'));
		const [one, two] = proposals.open as [Proposal, Proposal];
		noteShown([one, withParams(two, { ...two.params, title: 'Two of mine' })]);
		flushSync();
		press('a');
		await until(() => proposals.count === 0);
		expect(tasks.rows.map(({ data }) => data.title).sort()).toEqual(['One', 'Two of mine']);
		await until(() => drafts.at('proposal/').length === 0);
	}, 20_000);

	it('an edit that is put back by its form is none', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		onTestFinished(() => decisions.forget());
		await until(() => collection('todo', 'tasks').ready);
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0, { title: 'One' })])]);
		await stageMission(replica, MISSION);
		await until(() => proposals.count === 1 && !proposals.moving);
		const plan = show(PlanView, { missionId: MISSION });
		const seen = <Found>(find: () => Found) =>
			until(() => {
				flushSync();
				return find();
			});
		const heading = () => plan.querySelector('li h2')?.textContent.trim();
		const writes = async (text: string) => {
			document.body.dispatchEvent(
				Object.assign(new Event('keydown', { bubbles: true, cancelable: true }), { key: 'e' })
			);
			const form = await seen(() => plan.querySelector('li form'));
			const title = form.querySelector<HTMLInputElement>('input[name="title"]')!;
			title.value = text;
			title.dispatchEvent(new Event('input', { bubbles: true }));
			flushSync();
			form.dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }));
			await seen(() => !plan.querySelector('li form'));
		};
		await seen(() => heading() === 'One');
		await writes('Mine');
		await seen(() => heading() === 'Mine');
		await writes('One');
		await seen(() => heading() === 'One' && !plan.querySelector('.proposed'));
	}, 20_000);

	it('what was proposed is not offered beside an edit whose record changed', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		await until(() => collection('todo', 'tasks').ready);
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0, { title: 'One' })])]);
		await stageMission(replica, MISSION);
		const [proposal] = (await until(() => proposals.count === 1 && !proposals.moving && proposals.open)) as [Proposal];
		const details = { title: { seen: 'Old', now: 'Newer', proposed: 'One', at: null, actor: null } };
		const stale = { ...proposal, error: { code: 'stale', message: '', details } } as unknown as Proposal;
		const offers = (edited: boolean) => show(ProposalError, { proposal: stale, edited }).textContent;
		expect(offers(false)).toContain(t('prop.over'));
		expect(offers(true)).not.toContain(t('prop.over'));
		expect(offers(true)).toContain(t('plan.editStale'));
	});

	it('an edit can be taken back, and one that does not fit is not kept', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		onTestFinished(() => setReplica(null));
		await until(() => collection('todo', 'tasks').ready);
		await arrive(replica, [missionInsert(), iterationArrives([taskStep(0, { title: 'One' })])]);
		await stageMission(replica, MISSION);
		const [proposal] = (await until(() => proposals.count === 1 && !proposals.moving && proposals.open)) as [Proposal];
		expect(() => withParams(proposal, {})).toThrow();
		const version = withParams(proposal, { title: 'Mine' });
		const onback = vi.fn();
		const shown = show(ProposedValues, { proposal, edited: version, onback });
		expect(shown.querySelector('del')!.textContent).toBe('One');
		shown.querySelector('button')!.click();
		expect(onback).toHaveBeenCalledOnce();
	});
});
