/** Deciding, from wherever a card stands: what is under way, what was just settled, what a screen reader hears. */
import { approve, proposals, reject } from './proposals.svelte';
import { t } from '$lib/i18n';
import type { Data, Difference, Proposal } from '$lib/core/types';
import { announce } from '$lib/primitives/live.svelte';
import { isRead } from './consent.svelte';
import { proposalTitle } from './proposal';

/** The latest decisions, newest first: the page shows them where the card stood. */
export interface Settled {
	id: string;
	missionId: string;
	iterationId: string;
	stepId: string;
	title: string;
	how: 'approved' | 'rejected';
}

const state = $state<{ busy: Record<string, boolean>; early: Record<string, boolean>; settled: Settled[] }>({
	busy: {},
	early: {},
	settled: []
});

export const decisions = {
	/** Whether an answer is being written. */
	busy(id: string): boolean {
		return state.busy[id] === true;
	},
	/** Whether a yes came before the card was read: the card says that it was not taken. */
	early(id: string): boolean {
		return state.early[id] === true;
	},
	get settled(): readonly Settled[] {
		return state.settled;
	},
	/** Leaving the page ends the moment. */
	forget(): void {
		state.settled = [];
		state.early = {};
	}
};

async function decide(p: Proposal, how: Settled['how'], act: () => Promise<boolean>): Promise<boolean> {
	if (state.busy[p.id]) return false;
	state.busy[p.id] = true;
	delete state.early[p.id];
	try {
		const title = proposalTitle(p);
		const done = await act();
		if (done)
			state.settled = [
				{ id: p.id, missionId: p.missionId, iterationId: p.iterationId, stepId: p.stepId, title, how },
				...state.settled
			].slice(0, 20);
		return done;
	} finally {
		delete state.busy[p.id];
	}
}

/** A yes to something else than the card: a form's own parameters, or what stands on top of a changed record. */
export interface OtherYes {
	edited?: Data;
	over?: Difference;
	/** Whether the person could read what the yes is bound to. */
	read: boolean;
}

/** Turn pencil into ink; false if it was not read whole yet, or was refused: the card then says why. */
export async function approveOne(p: Proposal, other?: OtherYes): Promise<boolean> {
	if (!(other ? other.read && !proposals.moving : isRead(p))) {
		state.early[p.id] = true;
		announce(t('card.notTaken'));
		return false;
	}
	const { edited, over } = other ?? {};
	const title = proposalTitle(p);
	const done = await decide(p, 'approved', () => approve(p.id, edited, over));
	announce(done ? t('prop.approved', { title }) : t('prop.failed'));
	return done;
}

/** Say no, with a reason that the mission reads. */
export async function rejectOne(p: Proposal, reason?: string): Promise<boolean> {
	const title = proposalTitle(p);
	const done = await decide(p, 'rejected', () => reject(p.id, reason?.trim() || undefined));
	announce(done ? t('prop.rejected', { title }) : t('prop.failed'));
	return done;
}

/** Whether a yes can still be said: not to what can't be carried out, nor to what changed since. */
export function decidable(p: Proposal): boolean {
	return p.status !== 'failed' && p.op !== null && !['stale', 'altered', 'expired'].includes(p.error?.code ?? '');
}

/** The proposals that a batch may approve: read whole; removals and refused proposals are decided singly. */
export function batchable(list: readonly Proposal[]): Proposal[] {
	return list.filter((p) => !p.error && p.operations.length > 0 && !removes(p) && isRead(p));
}

/** Whether a record would go. */
export function removes(p: Proposal): boolean {
	return p.operations.some((op) => op.op === 'delete');
}

/** Several at once, in their order; answers how many went through. */
export async function approveMany(list: readonly Proposal[]): Promise<number> {
	return approveAll(batchable(list));
}

/** The ticked steps of a plan that was read whole, removals too, in their order; answers how many went through. */
export async function approvePlan(list: readonly Proposal[]): Promise<number> {
	return approveAll(list.filter((p) => decidable(p) && isRead(p)));
}

function approveAll(list: readonly Proposal[]): Promise<number> {
	return many(
		list,
		(p) => decide(p, 'approved', () => approve(p.id)),
		(count) => t('prop.approvedN', { count })
	);
}

/** Several refused for the same reason. */
export async function rejectMany(list: readonly Proposal[], reason?: string): Promise<number> {
	return many(
		list,
		(p) => decide(p, 'rejected', () => reject(p.id, reason?.trim() || undefined)),
		(count) => t('prop.rejectedN', { count })
	);
}

async function many(
	list: readonly Proposal[],
	act: (p: Proposal) => Promise<boolean>,
	say: (count: number) => string
): Promise<number> {
	let done = 0;
	for (const p of list) if (await act(p)) done++;
	const failed = list.length - done;
	announce(failed ? `${say(done)}. ${t('prop.failedN', { count: failed })}` : say(done));
	return done;
}
