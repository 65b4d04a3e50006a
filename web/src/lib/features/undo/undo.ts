/** The effect of an undo, as people read it. */
import { isAi, programName } from '$lib/features/modulePages/attribution';
import { missions } from '$lib/features/missions/missions.svelte';
import { t, type KeyFor } from '$lib/i18n';
import type { Actor, Kept, Step, UndoPreview } from '$lib/core/types';
import { fieldLabel, recordAt, thing, valueText } from '$lib/features/records/fields';
import { tableOf, titleOf } from '$lib/features/records/titles';
import { stepName } from '$lib/features/runs/stepName';
import { when } from '$lib/primitives/format';
import type { FieldChange } from '$lib/features/proposals/proposal';

/** A write of an undo. */
export interface Reversal {
	key: string;
	icon: string;
	title: string;
	what: string;
	/** The record would go. */
	goes: boolean;
	fields: FieldChange[];
}

/** The operations of a preview, one line each. */
export function reversals(preview: UndoPreview): Reversal[] {
	return preview.operations.map(({ stepId, operation, now }, index) => {
		const { op, app, table, id } = operation;
		const goes = op === 'delete';
		const back = !goes && 'deletedAt' in (operation.set ?? {});
		const fields = tableOf(app, table)?.fields ?? {};
		const text = (name: string, value: unknown) => valueText(app, name, fields[name], value) || t('word.none');
		const what: KeyFor<{ thing: string }> = goes ? 'undo.goes' : back ? 'undo.comesBack' : 'undo.goesBack';
		return {
			key: `${stepId}-${index}`,
			icon: goes ? 'strike' : 'undo',
			title: titleOf(app, table, recordAt(app, table, id)?.data),
			what: t(what, { thing: thing(app, table) }),
			goes,
			fields: Object.entries(operation.set ?? {})
				.filter(([name]) => name !== 'deletedAt')
				.map(([field, value]) => ({
					field,
					label: fieldLabel(app, table, field, true),
					before: text(field, now[field]),
					after: text(field, value)
				}))
		};
	});
}

/** Why something stays: who wrote what, and when. */
export function keptText(kept: Kept, plan: readonly Step[]): string {
	const { record, field, at } = kept;
	const title = record
		? titleOf(record.app, record.table, recordAt(record.app, record.table, record.id)?.data)
		: nameOf(plan.find((step) => step.id === kept.stepId));
	const label = record && field ? fieldLabel(record.app, record.table, field) : '';
	const params = { title, field: label, who: whoWrote(kept.actor), when: at ? when(at) : '' };
	return t(`undo.kept.${kept.reason}`, params);
}

const nameOf = (step: Step | undefined) => (step ? stepName(step) : t('word.mission'));

/** An author in a sentence. */
export function whoWrote(actor: Actor | undefined): string {
	if (actor && isAi(actor)) return missions.titleOf(actor.missionId);
	return actor && actor.kind !== 'user' ? programName(actor) : t('undo.you');
}
