/** The proposals of a page as they stood when it was opened: arrivals go below, what changes says so (C11). */
import { untrack } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import type { Proposal } from '$lib/core/types';
import { faceOf } from './card';
import { decisions } from './decisions.svelte';
import { proposals } from './proposals.svelte';

/** A proposal as the page shows it. */
export interface HeldProposal {
	proposal: Proposal;
	/** `changed`: other operations stand in its place by now. `closed`: it was decided or withdrawn elsewhere. */
	state: 'open' | 'changed' | 'closed';
	/** Whether it arrived after the page was opened. */
	late: boolean;
}

/** Hold the proposals that `source` picks of the open ones. Call it while a component is made. */
export function holdProposals(source: () => readonly Proposal[]): {
	readonly list: HeldProposal[];
	refresh: (id: string) => void;
	release: (id: string) => void;
} {
	const held = new SvelteMap<string, { proposal: Proposal; late: boolean }>();
	let opened = false;
	$effect.pre(() => {
		if (!proposals.ready) return;
		const open = source();
		untrack(() => {
			for (const proposal of open) {
				const known = held.get(proposal.id);
				if (!known) held.set(proposal.id, { proposal, late: opened });
				else if (faceOf(known.proposal) === faceOf(proposal)) held.set(proposal.id, { ...known, proposal });
			}
			// What arrives on an empty page comes below nothing.
			opened ||= open.length > 0;
		});
	});
	const list = $derived.by(() => {
		const open = new Map(source().map((proposal) => [proposal.id, proposal]));
		const settled = new Set(decisions.settled.map(({ id }) => id));
		return [...held.values()].flatMap(({ proposal, late }): HeldProposal[] => {
			const now = open.get(proposal.id);
			if (now) return [{ proposal, late, state: faceOf(now) === faceOf(proposal) ? 'open' : 'changed' }];
			if (settled.has(proposal.id)) return [];
			return [{ proposal, late, state: decisions.busy(proposal.id) ? 'open' : 'closed' }];
		});
	});
	return {
		get list() {
			return list;
		},
		/** Shows a proposal as it is by now. */
		refresh(id) {
			const now = source().find((proposal) => proposal.id === id);
			const known = held.get(id);
			if (now && known) held.set(id, { ...known, proposal: now });
		},
		/** Takes a closed proposal off the page. */
		release(id) {
			held.delete(id);
		}
	};
}
