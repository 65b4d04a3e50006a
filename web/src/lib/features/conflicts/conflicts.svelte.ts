import { liveQuery } from 'dexie';
import type { Conflict } from '$lib/core';
import { proposals } from '$lib/features/proposals/proposals.svelte';
import { updateRecord } from '$lib/features/records/records';
import { currentReplica, onReplica } from '$lib/replica/current';
import { storageUnreadable } from '$lib/replica/storage';

let all = $state.raw<Conflict[]>([]);

/** Values that lost to others whose authors had not seen them, as far as the person is still to be told. */
export const conflicts = {
	get all(): Conflict[] {
		return all.filter(isTold);
	},
	of(app: string, table: string, id: string): Conflict[] {
		return all.filter((one) => one.app === app && one.table === table && one.id === id && isTold(one));
	}
};

/** A mission's value that an edit overruled is told where it was approved, and where nobody was asked. */
function isTold({ loser }: Conflict): boolean {
	const { stepId } = loser.actor as { stepId?: string };
	if (loser.actor.kind !== 'ai' || !stepId) return true;
	const proposal = proposals.ofStep(stepId);
	return !proposal || proposal.status === 'approved';
}

/** The person has seen it: it is told no more. */
export async function endConflict({ conflictId }: Conflict): Promise<void> {
	await currentReplica().db.conflicts.update(conflictId, { ended: true });
}

/** Puts the value that lost in the place of the one that stands, as an ordinary write. */
export async function takeLoser(conflict: Conflict): Promise<void> {
	const { app, table, id, field, loser } = conflict;
	await updateRecord(app, table, id, { [field]: loser.value });
	await endConflict(conflict);
}

onReplica((replica) => {
	if (!replica) return;
	const subscription = liveQuery(() => replica.db.conflicts.filter(({ ended }) => !ended).toArray()).subscribe({
		next: (rows) => (all = rows),
		error: storageUnreadable
	});
	return () => {
		subscription.unsubscribe();
		all = [];
	};
});
