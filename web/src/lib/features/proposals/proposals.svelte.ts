import { asManaError } from '$lib/core/errors';
import type { Data, Difference, Extent, Proposal, UndoPreview } from '$lib/core/types';
import type { Decision } from '$lib/core';
import { currentReplica, onReplica } from '$lib/replica/current';
import { execute, previewUndo } from '$lib/replica/executor';
import type { Replica } from '$lib/replica/replica';
import { keyName } from '$lib/replica/rows';
import { storageUnreadable } from '$lib/replica/storage';
import { waits } from './proposalStatus';

let all = $state.raw<Proposal[]>([]);
let ready = $state(false);
/** Decisions under way: a second press of the same button waits for none. */
const busy = new Set<string>();
const open = $derived(all.filter(waits).sort(byArrival));
/** Proposals that this tab decides: their cards leave because of the person. */
const decidedHere = new Set<string>();
let moving = $state(false);
let rest: ReturnType<typeof setTimeout> | undefined;

/** The proposals of this device. */
export const proposals = {
	get ready(): boolean {
		return ready;
	},
	/** Proposals that wait for a decision, the oldest plan first, steps in order; `failed` ones can only be rejected. */
	get open(): Proposal[] {
		return open;
	},
	get count(): number {
		return open.length;
	},
	/** The mission of the newest plan that waits. */
	get newestPlan(): string | undefined {
		return open.toSorted(byArrival).at(-1)?.missionId;
	},
	/** Whether cards arrived or left just now, so that another one may lie under the pointer. */
	get moving(): boolean {
		return moving;
	},
	/** Proposals to tell a person of although nothing is to be decided: overruled on another device, or expired. */
	get told(): Proposal[] {
		return all
			.filter(({ status }) => status === 'overruled' || status === 'expired')
			.sort(byArrival)
			.reverse();
	},
	/** The proposal of a step, a decided one too. */
	ofStep(stepId: string): Proposal | undefined {
		return all.find((proposal) => proposal.stepId === stepId);
	},
	/** A proposal by its id, a decided one too. */
	get(id: string): Proposal | undefined {
		return all.find((proposal) => proposal.id === id);
	}
};

/** Open proposals that touch a module's records. */
export function forModule(id: string): Proposal[] {
	return open.filter((proposal) => proposal.app === id || proposal.module === id);
}

/** Open proposals that touch one record. */
export function forRecord(app: string, table: string, id: string): Proposal[] {
	const name = keyName({ app, table, id });
	return open.filter((proposal) => proposal.operations.some((operation) => keyName(operation) === name));
}

/**
 * Approve what was shown; false where it was refused: the reason is then in `proposal.error`, and it stays open. Where
 * another proposal stands in its place by now, its card says so. `over`: on top of what a stale proposal's difference
 * showed to be there now. `draft`: the form's draft, which ends with the write.
 */
export function approve(shown: Proposal, editedParams?: Data, over?: Difference, draft?: string): Promise<boolean> {
	const stamps =
		over && Object.fromEntries(Object.entries(over).map(([field, { at, actor }]) => [field, { at, actor }]));
	const decision = { kind: 'approve', ...(editedParams && { editedParams }), ...(stamps && { over: stamps }) } as const;
	return decide(shown.id, decision, draft, shown);
}

/** The difference that a stale proposal was refused with. */
export function difference(proposal: Proposal): Difference | undefined {
	return proposal.error?.code === 'stale' ? (proposal.error.details as Difference) : undefined;
}

/** Close a proposal that the person has read about. */
export async function dismiss(id: string): Promise<void> {
	await currentReplica().db.proposals.update(id, { status: 'closed' });
}

/** The exact effect of an undo, and the changes that it would keep. */
export function undoPreview(missionId: string, extent: Extent): Promise<UndoPreview> {
	return previewUndo(currentReplica(), missionId, extent);
}

/** Undo what the preview with this hash showed. Throws where it would be something else by now. */
export async function undo(missionId: string, extent: Extent, hash: string): Promise<void> {
	await execute(currentReplica(), { kind: 'undo', missionId, extent, hash });
}

/** Reject; false where it was refused. `draft`: the draft of the reason, which ends with the write. */
export function reject(id: string, reason?: string, draft?: string): Promise<boolean> {
	return decide(id, reason ? { kind: 'reject', reason } : { kind: 'reject' }, draft);
}

/** After a refusal as stale or altered: look at the records as they are now, and propose again. */
export async function refreshProposal(id: string): Promise<void> {
	const replica = currentReplica();
	const { stageMission } = await import('./staging');
	const missionId = all.find((proposal) => proposal.id === id)?.missionId;
	if (missionId) await stageMission(replica, missionId, id);
}

async function decide(id: string, decision: Decision, draft?: string, shown?: Proposal): Promise<boolean> {
	if (busy.has(id)) return false;
	// Throws after a sign-out: the proposal must not stay marked as busy then.
	const replica = currentReplica();
	busy.add(id);
	decidedHere.add(id);
	try {
		await execute(replica, { kind: 'decide', proposalId: id, decision, shown }, draft);
		return true;
	} catch (thrown) {
		decidedHere.delete(id);
		const { code, message, details } = asManaError(thrown);
		// The proposal that stands there now has no fault.
		if (code === 'changed') return false;
		const error = JSON.parse(JSON.stringify({ code, message, details })) as Proposal['error'];
		// where there is no space for the reason either, this tab shows it
		await replica.db.proposals
			.where('id')
			.equals(id)
			.and(waits)
			.modify({ error })
			.catch(() => {
				all = all.map((one) => (one.id === id && waits(one) ? { ...one, error } : one));
			});
		return false;
	} finally {
		busy.delete(id);
	}
}

/** Cards rest for half a second after others came or went by themselves. */
function noteMoves(rows: readonly Proposal[]): void {
	const before = new Set(open.map(({ id }) => id));
	const after = new Set(rows.filter(waits).map(({ id }) => id));
	const came = [...after].some((id) => !before.has(id));
	const went = [...before].some((id) => !after.has(id) && !decidedHere.has(id));
	for (const id of decidedHere) if (!after.has(id)) decidedHere.delete(id);
	if (!came && !went) return;
	moving = true;
	clearTimeout(rest);
	rest = setTimeout(() => (moving = false), 500);
}

function byArrival(a: Proposal, b: Proposal): number {
	return a.createdAt.localeCompare(b.createdAt) || a.iterationId.localeCompare(b.iterationId) || a.index - b.index;
}

onReplica((replica: Replica | null) => {
	if (!replica) return;
	let stop = () => {};
	let live = true;
	void import('dexie').then(({ liveQuery }) => {
		if (!live) return;
		const subscription = liveQuery(() => replica.db.proposals.toArray()).subscribe({
			next: (rows) => {
				if (ready) noteMoves(rows);
				all = rows;
				ready = true;
			},
			error: storageUnreadable
		});
		stop = () => subscription.unsubscribe();
	});
	return () => {
		live = false;
		stop();
		all = [];
		ready = false;
		decidedHere.clear();
	};
});
