/** The proposals of a page as they stood when it was opened: arrivals go below, what changes says so (C11). */
import { untrack } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import type { Proposal, Row } from '$lib/core/types';
import { faceOf } from '$lib/replica/executor';
import { touchedRow, type PlacedCard } from './proposal';
import { proposals } from './proposals.svelte';
import { deciding, settled, type Settled } from './settled.svelte';

/**
 * A proposal as the page shows it. `changed`: other operations stand in its place by now. `closed`: it was decided or
 * withdrawn elsewhere. `settled`: it was decided here.
 */
export interface HeldProposal extends PlacedCard {
	/** Whether it arrived after the page was opened. */
	late: boolean;
	/** What the person said to it here. */
	settled?: Settled;
}

/** What a page says of its own cards. */
export interface HoldOptions {
	/** Whether the page's records are read, so that each card has its place. */
	ready?: () => boolean;
	/** Whether something stands on the page already, which an arrival would push away. */
	occupied?: () => boolean;
	/** Whether a card that was decided here stays in its place; else the page tells of it elsewhere. */
	keepsSettled?: boolean;
}

interface Kept {
	proposal: Proposal;
	late: boolean;
	row?: Row;
	settled?: Settled;
}

/** The cards of a page that holds them. */
export interface HeldProposals {
	readonly list: HeldProposal[];
	/** Shows a proposal as it is by now. */
	refresh: (id: string) => void;
	/** Takes a closed proposal off the page. */
	release: (id: string) => void;
}

/** Hold the proposals that `source` picks of the open ones. Call it while a component is made. */
export function holdProposals(source: () => readonly Proposal[], options: HoldOptions = {}): HeldProposals {
	const { ready = () => true, occupied = () => false, keepsSettled = false } = options;
	const held = new SvelteMap<string, Kept>();
	let opened = false;
	$effect.pre(() => {
		if (!proposals.ready || !ready()) return;
		const open = source();
		const something = occupied();
		const decided = settled.list;
		untrack(() => {
			for (const proposal of open) {
				const known = held.get(proposal.id);
				if (!known) held.set(proposal.id, { proposal, late: opened, row: touchedRow(proposal) });
				else if (faceOf(known.proposal) === faceOf(proposal)) held.set(proposal.id, { ...known, proposal });
			}
			for (const one of decided) {
				const known = held.get(one.id);
				if (known && known.settled !== one) held.set(one.id, { ...known, settled: one });
			}
			// What arrives on an empty page comes below nothing.
			opened ||= something || open.length > 0;
		});
	});
	const list = $derived.by(() => {
		// A card stays although the page would not pick its proposal any more.
		const open = new Map(proposals.open.map((proposal) => [proposal.id, proposal]));
		return [...held.values()].flatMap((kept): HeldProposal[] => {
			const { proposal } = kept;
			const now = open.get(proposal.id);
			if (now) return [{ ...kept, state: faceOf(now) === faceOf(proposal) ? 'open' : 'changed' }];
			if (settled.has(proposal.id) || kept.settled) return keepsSettled ? [{ ...kept, state: 'settled' }] : [];
			return [{ ...kept, state: deciding.has(proposal.id) ? 'open' : 'closed' }];
		});
	});
	return {
		get list() {
			return list;
		},
		refresh(id) {
			const now = proposals.open.find((proposal) => proposal.id === id);
			const known = held.get(id);
			if (now && known) held.set(id, { ...known, proposal: now });
		},
		release(id) {
			held.delete(id);
		}
	};
}
