import type { Proposal } from '$lib/core/types';

/** Whether a proposal still asks for a decision; a `failed` one can only be rejected. */
export function waits({ status }: Proposal): boolean {
	return status === 'open' || status === 'failed';
}
