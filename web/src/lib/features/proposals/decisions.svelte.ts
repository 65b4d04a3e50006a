/** Deciding, from wherever a card stands: what is under way, what was just settled, what a screen reader hears. */
import { approve, proposals, reject } from './proposals.svelte';
import { t } from '$lib/i18n';
import type { Data, Difference, Proposal } from '$lib/core/types';
import { announce } from '$lib/primitives/live.svelte';
import { recordAt } from '$lib/features/records/fields';
import { titleOf } from '$lib/features/records/titles';
import { isRead } from './consent.svelte';
import type { PlanEdit } from './edits';
import { proposalTitle } from './proposal';
import { deciding, settled, type Settled } from './settled.svelte';

const state = $state<{ early: Record<string, boolean> }>({ early: {} });

export const decisions = {
	/** Whether an answer is being written. */
	busy(id: string): boolean {
		return deciding.has(id);
	},
	/** Whether a yes came before the card was read: the card says that it was not taken. */
	early(id: string): boolean {
		return state.early[id] === true;
	},
	/** The latest decisions, newest first: the page shows them where the card stood. */
	get settled(): readonly Settled[] {
		return settled.list;
	},
	/** Leaving the page ends the moment. */
	forget(): void {
		settled.forget();
		state.early = {};
	}
};

async function decide(p: Proposal, how: Settled['how'], act: () => Promise<boolean>): Promise<boolean> {
	if (deciding.has(p.id)) return false;
	deciding.add(p.id);
	delete state.early[p.id];
	try {
		const before = proposalTitle(p);
		const done = await act();
		const { id, missionId, iterationId, stepId } = p;
		if (done)
			settled.note({
				id,
				missionId,
				iterationId,
				stepId,
				title: how === 'approved' ? nameAfter(p, before) : before,
				how
			});
		return done;
	} finally {
		deciding.delete(p.id);
	}
}

/** The name of what was approved: an edited proposal's record has another one than its card had. */
function nameAfter({ operations: [first] }: Proposal, before: string): string {
	const row = first && first.op !== 'delete' ? recordAt(first.app, first.table, first.id) : undefined;
	return row && !row.deleted ? titleOf(row.app, row.table, row.data) : before;
}

/** A yes to something else than the card: a form's own parameters, or what stands on top of a changed record. */
export interface OtherYes {
	edited?: Data;
	over?: Difference;
	/** Whether the person could read what the yes is bound to. */
	read: boolean;
	/** The form's draft, which ends with the yes. */
	draft?: string;
}

/** Turn pencil into ink; false if it was not read whole yet, or was refused: the card then says why. */
export async function approveOne(p: Proposal, other?: OtherYes): Promise<boolean> {
	if (!(other ? other.read && !proposals.moving : isRead(p))) {
		state.early[p.id] = true;
		announce(t('card.notTaken'));
		return false;
	}
	const { edited, over, draft } = other ?? {};
	const before = proposalTitle(p);
	const done = await decide(p, 'approved', () => approve(p, edited, over, draft));
	announce(done ? t('prop.approved', { title: nameAfter(p, before) }) : t('prop.failed'));
	return done;
}

/** Say no, with a reason that the mission reads; `draft` is the draft of the reason, which ends with the no. */
export async function rejectOne(p: Proposal, reason?: string, draft?: string): Promise<boolean> {
	const title = proposalTitle(p);
	const done = await decide(p, 'rejected', () => reject(p.id, reason?.trim() || undefined, draft));
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

/**
 * The ticked steps of a plan that was read whole, removals too, in their order, with what the person changed in them;
 * answers how many went through.
 */
export async function approvePlan(list: readonly Proposal[], edits: Record<string, PlanEdit> = {}): Promise<number> {
	return approveAll(
		list.filter((p) => decidable(p) && isRead(edits[p.id]?.proposal ?? p)),
		edits
	);
}

function approveAll(list: readonly Proposal[], edits: Record<string, PlanEdit> = {}): Promise<number> {
	return many(
		list,
		(p) => decide(p, 'approved', () => approve(p, edits[p.id]?.params, undefined, edits[p.id]?.draft)),
		(count) => t('prop.approvedN', { count })
	);
}

/** Several refused for the same reason, whose draft ends with the last of them. */
export async function rejectMany(list: readonly Proposal[], reason?: string, draft?: string): Promise<number> {
	const last = list.at(-1);
	return many(
		list,
		(p) => decide(p, 'rejected', () => reject(p.id, reason?.trim() || undefined, p === last ? draft : undefined)),
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
