/** An agent's fields as its form shows and writes them. */
import { budgetText } from '$lib/features/gateway/budget';
import { t, type PlainKey } from '$lib/i18n';
import { plainText } from '$lib/primitives/text';
import type { AgentData } from './agents.svelte';

/** An agent's fields as the form shows them. */
export function shownOf(agent: Partial<AgentData> = {}) {
	return {
		name: agent.name ?? '',
		avatar: agent.avatar ?? '',
		role: agent.role ?? '',
		systemPrompt: agent.systemPrompt ?? '',
		memory: agent.memory ?? '',
		model: agent.model ?? '',
		budget: agent.budget ?? {},
		concurrency: agent.concurrency ?? null
	};
}

export type ShownAgent = ReturnType<typeof shownOf>;

/** The form's fields as they are written. */
export function writtenOf(shown: ShownAgent): AgentData {
	return {
		...shown,
		name: shown.name.trim(),
		avatar: shown.avatar.trim() || null,
		role: shown.role.trim() || null,
		model: shown.model.trim() || null,
		concurrency: shown.concurrency ?? null
	};
}

const LABELS: Record<keyof ShownAgent, PlainKey> = {
	name: 'agent.name',
	avatar: 'agent.mark',
	role: 'agent.role',
	systemPrompt: 'agent.prompt',
	memory: 'agent.memory',
	model: 'form.model',
	budget: 'budget.title',
	concurrency: 'agent.concurrency'
};

/** The name of a field of the form. */
export function agentLabel(field: string): string {
	return field in LABELS ? t(LABELS[field as keyof ShownAgent]) : field;
}

/** A value of the form as a text. */
export function agentText(field: string, value: unknown): string {
	return field === 'budget' ? budgetText(value as ShownAgent['budget']) : plainText(value);
}
