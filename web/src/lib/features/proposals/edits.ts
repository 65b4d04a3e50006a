/** A step of a plan as the person changed it, until the plan is approved (rules MODULES C10 and C12). */
import type { Data, Proposal } from '$lib/core/types';
import { recordAt } from '$lib/features/records/fields';
import { currentReplica } from '$lib/replica/current';
import { stateOf, uniqueKeys } from '$lib/replica/rows';

/** A changed step: its card is read anew, and a yes carries out what it says. */
export interface PlanEdit {
	/** The proposal as it would be carried out. */
	proposal: Proposal;
	/** All parameters, as the person left them. */
	params: Data;
	/** The form's draft, which ends with the yes. */
	draft?: string;
}

/** The proposal with other parameters. Throws where they do not fit: code invalid, details `{errors}`. */
export function withParams(proposal: Proposal, params: Data): Proposal {
	const records = uniqueKeys(proposal.operations).map((key) => ({
		...key,
		state: stateOf(recordAt(key.app, key.table, key.id))
	}));
	return currentReplica().core.edited(proposal, params, records);
}
