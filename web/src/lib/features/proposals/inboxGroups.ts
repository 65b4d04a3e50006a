import { missions } from '$lib/features/missions/missions.svelte';
import { t } from '$lib/i18n';
import type { HeldProposal } from './held.svelte';
import type { Settled } from './settled.svelte';

/** The proposals of a mission in the inbox. */
export interface InboxGroup {
	key: string;
	/** The mission. */
	id: string;
	title: string;
	/** When the newest proposal was made. */
	at: string;
	runs: Set<string>;
	/** Whether the group arrived after the page was opened. */
	late: boolean;
	list: HeldProposal[];
}

/**
 * The groups by mission, the newest run first; within a run in the order of the plan. `places` keeps the order in which
 * groups were first shown: a group that arrives stands below all others, one that was answered stays.
 */
export function groupsOf(held: readonly HeldProposal[], settled: readonly Settled[], places: string[]): InboxGroup[] {
	const byKey = new Map<string, InboxGroup>();
	for (const one of held) {
		const { createdAt, iterationId, missionId, missionTitle } = one.proposal;
		const key = one.late ? `late ${missionId}` : missionId;
		const group = byKey.get(key) ?? groupWithout(key, missionId, missionTitle, '', one.late);
		group.list.push(one);
		group.runs.add(iterationId);
		if (createdAt > group.at) group.at = createdAt;
		byKey.set(key, group);
	}
	for (const { missionId } of settled) {
		if (byKey.has(missionId) || byKey.has(`late ${missionId}`)) continue;
		const mission = missions.get(missionId);
		const at = mission?.iterations.at(-1)?.finishedAt ?? '';
		byKey.set(missionId, groupWithout(missionId, missionId, mission?.title ?? t('word.mission'), at, false));
	}
	const groups = [...byKey.values()];
	for (const { list } of groups)
		list.sort(({ proposal: a }, { proposal: b }) => b.createdAt.localeCompare(a.createdAt) || a.index - b.index);
	const fresh = groups.filter(({ key }) => !places.includes(key));
	places.push(...fresh.sort((a, b) => b.at.localeCompare(a.at)).map(({ key }) => key));
	return groups.sort((a, b) => places.indexOf(a.key) - places.indexOf(b.key));
}

/** A group that holds no proposal yet. */
function groupWithout(key: string, id: string, title: string, at: string, late: boolean): InboxGroup {
	return { key, id, title, at, runs: new Set(), late, list: [] };
}
