/** What the person decided on the page that is open: it is told there until the page is left. */
import { SvelteSet } from 'svelte/reactivity';

/** A decision of this page. */
export interface Settled {
	id: string;
	missionId: string;
	iterationId: string;
	stepId: string;
	/** The name of the record, after the decision where it is there. */
	title: string;
	how: 'approved' | 'rejected';
}

/** The most decisions that a page tells one by one; the workbench tells all of them. */
export const SETTLED_KEPT = 200;

/** The proposals whose answer is being written. */
export const deciding = new SvelteSet<string>();

let latest = $state.raw<readonly Settled[]>([]);
let untold = $state(0);
const ids = new SvelteSet<string>();

export const settled = {
	/** The latest decisions, newest first. */
	get list(): readonly Settled[] {
		return latest;
	},
	/** How many older ones this page does not tell one by one any more. */
	get untold(): number {
		return untold;
	},
	/** Whether a proposal was decided on this page, told or not. */
	has(id: string): boolean {
		return ids.has(id);
	},
	note(one: Settled): void {
		ids.add(one.id);
		const all = [one, ...latest.filter(({ id }) => id !== one.id)];
		untold += Math.max(0, all.length - SETTLED_KEPT);
		latest = all.slice(0, SETTLED_KEPT);
	},
	/** The page was left. */
	forget(): void {
		ids.clear();
		latest = [];
		untold = 0;
	}
};
