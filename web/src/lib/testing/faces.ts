/** Every place in which a proposal can be approved, drawn for a test, which imports `dom` before this file. */
import { flushSync, mount, unmount, type Component } from 'svelte';
import { expect, onTestFinished } from 'vitest';
import Inbox from '../../routes/(app)/companion/inbox/+page.svelte';
import type { Proposal } from '$lib/core/types';
import { missions } from '$lib/features/missions/missions.svelte';
import { forgetReadings, isRead, noteShown } from '$lib/features/proposals/consent.svelte';
import { batchable, removes } from '$lib/features/proposals/decisions.svelte';
import Ghost from '$lib/features/proposals/Ghost.svelte';
import PlanView from '$lib/features/proposals/PlanView.svelte';
import { yesWord } from '$lib/features/proposals/proposal';
import ProposalDetail from '$lib/features/proposals/ProposalDetail.svelte';
import { proposals } from '$lib/features/proposals/proposals.svelte';
import StepView from '$lib/features/runs/StepView.svelte';
import { t } from '$lib/i18n';
import { screen } from '$lib/primitives/screen.svelte';
import { until } from './replica';

/** Draws a component until the test ends. */
export function show<Props extends Record<string, unknown>>(component: unknown, props: Props): HTMLElement {
	const target = document.createElement('div');
	document.body.append(target);
	const shown = mount(component as Component<Props>, { target, props });
	onTestFinished(async () => {
		await unmount(shown);
		target.remove();
	});
	flushSync();
	return target;
}

/** A card as it is drawn, with its button. */
export interface Face {
	card: HTMLElement;
	approve: () => HTMLButtonElement | undefined;
}

const approveIn = (card: HTMLElement, word: string) =>
	[...card.querySelectorAll('button')].find((one) => one.textContent?.trim().startsWith(word));

async function cardIn(page: HTMLElement, find: string): Promise<HTMLElement> {
	return until(() => {
		flushSync();
		return page.querySelector<HTMLElement>(find);
	});
}

/** The places, by name. */
export const FACES: Record<string, (proposal: Proposal) => Promise<Face>> = {
	async 'the page of its module'(proposal) {
		const card = show(Ghost, { proposal });
		return { card, approve: () => approveIn(card, yesWord(proposal)) };
	},
	async 'beside the inbox'(proposal) {
		const card = show(ProposalDetail, { proposal, onrefresh: () => {}, onrelease: () => {} });
		return { card, approve: () => approveIn(card, yesWord(proposal)) };
	},
	async 'the inbox in one column'(proposal) {
		Object.defineProperty(screen, 'wide', { configurable: true, value: false });
		const page = show(Inbox, {});
		const card = (await cardIn(page, `[id="p-${proposal.id}"]`)).closest('li')!;
		return { card, approve: () => approveIn(card, yesWord(proposal)) };
	},
	async 'its plan'(proposal) {
		const page = show(PlanView, { missionId: proposal.missionId });
		const card = await cardIn(page, `[id="plan-${proposal.id}"]`);
		return { card, approve: () => approveIn(page, t('plan.approve', { count: 1 }).split(' ')[0]!) };
	},
	async 'its run'(proposal) {
		const run = await until(() =>
			missions.get(proposal.missionId)?.iterations.find(({ id }) => id === proposal.iterationId)
		);
		const step = run.plan.find(({ id }) => id === proposal.stepId)!;
		const card = show(StepView, { step, proposal, missionId: proposal.missionId, iterationId: run.id });
		return { card, approve: () => approveIn(card, yesWord(proposal)) };
	}
};

/** Reads a card to its end in each of its places: everything is readable there before it can be approved. */
export async function readToTheEnd(
	name: string,
	proposal: Proposal,
	said: readonly string[],
	faces: readonly string[]
): Promise<void> {
	expect(proposal.error, `${name} ${JSON.stringify(proposal.error)}`).toBeFalsy();
	for (const place of faces) {
		const where = `${name}, ${place}`;
		const { card, approve } = await FACES[place]!(proposal);
		// A plan is approved as a whole: what else it proposes is read already.
		const others = proposals.open.filter(({ id, missionId }) => id !== proposal.id && missionId === proposal.missionId);
		if (place === 'its plan') {
			noteShown(others);
			// A removal is in only once it is ticked.
			if (others.length && removes(proposal)) card.querySelector<HTMLInputElement>('input[type=checkbox]')!.click();
			flushSync();
		}
		expect(approve()?.disabled, where).toBe(true);
		const folds = () => [...card.querySelectorAll<HTMLButtonElement>('.unfold')];
		// A text that lies open on a card waits only to be looked at.
		if (folds().length) {
			noteShown([proposal]);
			flushSync();
			expect(approve()?.disabled, where).toBe(true);
			expect(batchable([proposal]), where).toEqual([]);
		}
		for (const fold of folds()) {
			expect(isRead(proposal), where).toBe(false);
			fold.click();
			flushSync();
		}
		const text = card.textContent.replace(/\s+/g, ' ');
		for (const mark of said) expect(text, where).toContain(mark);
		expect(card.querySelector('.folded:not(q)'), where).toBeNull();
		noteShown([proposal]);
		flushSync();
		expect(isRead(proposal), where).toBe(true);
		// In a plan, a removal waits for its tick, too.
		if (place !== 'its plan' || others.length || !removes(proposal)) expect(approve()?.disabled, where).toBe(false);
		forgetReadings();
		flushSync();
	}
}
