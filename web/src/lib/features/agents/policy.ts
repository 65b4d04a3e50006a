/** An agent's policy in plain words. The policy itself is the core's (`Core.tools`). */
import { t } from '$lib/i18n';
import { label, moduleOf } from '$lib/features/records/modules.svelte';
import type { Policy, ToolInfo } from '$lib/core/types';

/** In the order in which they are told. */
export const POLICIES: readonly Policy[] = ['auto', 'propose', 'deny'];

/** The tools that change something, by what an agent may do with them. */
export function grouped(tools: readonly ToolInfo[]): Record<Policy, ToolInfo[]> {
	const of = (policy: Policy) => tools.filter((tool) => tool.policy === policy);
	return { auto: of('auto'), propose: of('propose'), deny: of('deny') };
}

/** Changes something, rather than only looking. */
export const writes = (tool: ToolInfo) => tool.effect.op !== 'query';

/** The whole policy as a sentence: “Asks before every change.” */
export function policySentence(tools: readonly ToolInfo[]): string {
	const { auto, deny, propose } = grouped(tools.filter(writes));
	const blind = tools.filter((tool) => !writes(tool) && tool.policy === 'deny').length;
	const parts: string[] = [];
	if (!propose.length && !auto.length) parts.push(t('policy.sayNever'));
	else if (!auto.length && !deny.length) parts.push(t('policy.sayAsks'));
	else {
		if (auto.length) parts.push(t('policy.sayAuto', { what: names(auto) }));
		if (propose.length) parts.push(t('policy.sayRest'));
		if (deny.length) parts.push(t('policy.sayDeny', { what: names(deny) }));
	}
	if (blind) parts.push(t('policy.sayBlind', { count: blind }));
	return parts.join(' ');
}

/** “New task (Tasks), New note (Notes) and 3 more”. */
function names(tools: readonly ToolInfo[]): string {
	const shown = tools.slice(0, 3).map((tool) => `${label(tool.label)} (${label(moduleOf(tool.module)?.name)})`);
	const more = tools.length - shown.length;
	return more > 0 ? t('policy.andMore', { what: shown.join(', '), count: more }) : shown.join(', ');
}
