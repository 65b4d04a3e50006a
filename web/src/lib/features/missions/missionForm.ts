/** A mission's fields as its form shows and writes them. */
import { session } from '$lib/features/session/session.svelte';
import { budgetText } from '$lib/features/gateway/budget';
import { agents } from '$lib/features/agents/agents.svelte';
import { recordAt } from '$lib/features/records/fields';
import { moduleName, titleOf } from '$lib/features/records/titles';
import { t, type PlainKey } from '$lib/i18n';
import type { MissionData } from '$lib/core/types';
import { plainText } from '$lib/primitives/text';
import { cadenceText } from './cadence';
import { usualOverlap } from './missions.svelte';
import { readableFields } from './readable';

/** The fields that the form writes. */
export type MissionFormData = Partial<MissionData> & { title: string };

/** A mission's fields as the form shows them. An empty `overlap` is the usual rule of a new mission's cadence. */
export function shownOf(mission: Partial<MissionData>) {
	const { timezone, model, agentId, catchUpMinutes, jitterMinutes, ...fields } = readableFields({ ...mission });
	const overlap: Overlap | '' = fields.overlap ?? (mission.state ? 'skip' : '');
	return {
		...fields,
		cadence: mission.cadence ? fields.cadence : { kind: 'daily' as const, atHour: 8, atMinute: 0 },
		timezone: timezone ?? session.user?.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
		model: model ?? '',
		overlap,
		agentId: agentId ?? '',
		catchUpMinutes: catchUpMinutes ?? null,
		jitterMinutes: jitterMinutes ?? null
	};
}

export type ShownMission = ReturnType<typeof shownOf>;

type Overlap = NonNullable<MissionData['overlap']>;

/** The rules for a run that comes while proposals wait, in words. */
export const OVERLAPS: Record<Overlap, PlainKey> = {
	skip: 'form.overlapSkip',
	allow: 'form.overlapAllow',
	replace: 'form.overlapReplace'
};

/** The form's fields as they are written. */
export function writtenOf(shown: ShownMission): MissionFormData {
	return {
		...shown,
		title: shown.title.trim(),
		objective: shown.objective.trim(),
		model: shown.model.trim() || null,
		overlap: shown.overlap || usualOverlap(shown.cadence),
		agentId: shown.agentId || null,
		catchUpMinutes: shown.catchUpMinutes ?? null,
		jitterMinutes: shown.jitterMinutes ?? null
	};
}

const LABELS: Record<keyof ShownMission, PlainKey> = {
	title: 'form.title',
	objective: 'form.objective',
	conceptMarkdown: 'form.concept',
	cadence: 'form.cadence',
	timezone: 'form.timezone',
	inputs: 'form.inputs',
	model: 'form.model',
	overlap: 'form.overlap',
	agentId: 'form.agent',
	budget: 'budget.title',
	catchUpMinutes: 'form.catchUp',
	jitterMinutes: 'form.jitter'
};

/** The name of a field of the form. */
export function missionLabel(field: string): string {
	return field in LABELS ? t(LABELS[field as keyof ShownMission]) : field;
}

/** A value of the form as a text. */
export function missionText(field: string, value: unknown): string {
	const shown = { [field]: value } as Partial<ShownMission>;
	if (shown.cadence) return cadenceText(shown.cadence);
	if (shown.budget) return budgetText(shown.budget);
	if (shown.overlap) return t(OVERLAPS[shown.overlap]);
	if (shown.agentId) return agents.get(shown.agentId)?.name ?? t('agent.gone');
	if (shown.inputs)
		return shown.inputs
			.map(({ module, table, id }) =>
				id ? titleOf(module, table, recordAt(module, table, id)?.data) : moduleName(module)
			)
			.join(', ');
	return plainText(value);
}
