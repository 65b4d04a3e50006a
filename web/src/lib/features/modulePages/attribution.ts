/** The AI's part in a record: what the log shows of it, which any device may claim. Rule SYNC S13. */
import { missions } from '$lib/features/missions/missions.svelte';
import { t } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';
import { programOf } from '$lib/core';
import { toJson } from '$lib/core/json';
import type { Actor, Data, Row, Stamp, Step } from '$lib/core/types';
import { listOf } from '$lib/features/missions/readable';
import { toolNamed } from '$lib/features/records/modules.svelte';
import { stepRecord } from '$lib/features/runs/stepName';
import { plainText } from '$lib/primitives/text';

export type AiActor = Extract<Actor, { kind: 'ai' }> & { stepId?: string };

/** When a write was made: an approval and an undo carry a stamp just after what they saw, and their time beside it. */
export function madeAt({ at, actor }: Stamp): string {
	const { decidedAt } = (actor ?? {}) as { decidedAt?: unknown };
	return typeof decidedAt === 'string' ? decidedAt : at;
}

/** The runs that devices gave back after a restore, which show nothing of whose leave there was (SYNC R8). */
const givenBack = collection('ai', 'aiGivenBack');

/** Whether an author is the AI with all that Mana's own AI says; another program's may say less. */
export function isAi(actor: Actor): actor is AiActor {
	const { kind, missionId, iterationId, rationale } = (actor ?? {}) as unknown as Record<string, unknown>;
	return kind === 'ai' && [missionId, iterationId, rationale].every((text) => typeof text === 'string');
}

/**
 * The approved step of the server's own run that made what a record holds of an author: its tool writes this record and
 * these fields, and their values are those that were approved. The first client names no step; any decided one of the
 * run that did so stands for it. A part that the log does not show is not proven.
 */
export function approvedStep(row: Row, actor: AiActor): Step | undefined {
	const run = missions.get(actor.missionId)?.iterations.find(({ id }) => id === actor.iterationId);
	if (run?.source !== 'server' || givenBack.get(run.id)) return undefined;
	const fields = Object.entries(row.meta)
		.filter(([, stamp]) => isSameAuthor(stamp.actor, actor))
		.map(([field]) => field);
	return run.plan.find(
		(step) =>
			(actor.stepId === undefined || step.id === actor.stepId) &&
			(step.status === 'approved' || step.status === 'undone') &&
			wrote(step, row, fields)
	);
}

function isSameAuthor(other: Actor, { missionId, iterationId, stepId }: AiActor): boolean {
	return isAi(other) && other.missionId === missionId && other.iterationId === iterationId && other.stepId === stepId;
}

/** Whether a step writes just these fields of a record, with the values that they have. */
function wrote(step: Step, row: Row, fields: readonly string[]): boolean {
	if (step.intent.kind !== 'toolCall') return false;
	const found = toolNamed(step.intent.toolName);
	const record = stepRecord(step);
	if (!found || record?.app !== row.app || record.table !== row.table || record.id !== row.id) return false;
	const set: Data = found.tool.effect.op === 'delete' ? { deletedAt: '$now' } : (found.tool.effect.set ?? {});
	const approved = [step, ...listOf(step.decisions).filter(({ status }) => status === 'approved')];
	const { params } = step.intent;
	return approved.some(({ editedParams }) =>
		fields.every((field) => isSet(set[field], { ...params, ...editedParams }, row.data[field]))
	);
}

/** Whether a value is what a tool's effect sets with these parameters: one of them, an addition, or a fixed value. */
function isSet(effect: unknown, params: Data, value: unknown): boolean {
	if (effect === undefined) return false;
	// The time of the write, which its stamp says too.
	if (effect === '$now') return true;
	const { $append: added } = (effect ?? {}) as { $append?: unknown };
	const given = (of: unknown) => (typeof of === 'string' && of.startsWith('$') ? params[of.slice(1)] : of);
	if (added !== undefined)
		return plainText(value)
			.trimEnd()
			.endsWith(plainText(given(added)).trimEnd());
	return isSameValue(given(effect), value);
}

/** Whether two values are the same, however a time or an object was written. */
function isSameValue(a: unknown, b: unknown): boolean {
	if (toJson(a ?? null) === toJson(b ?? null)) return true;
	return typeof a === 'string' && typeof b === 'string' && /^\d{4}-.*T/.test(a) && Date.parse(a) === Date.parse(b);
}

/** The program behind a write that no person and no mission made: Mana, or another one by a name that isn't Mana's. */
export function programName(actor: Actor): string {
	const { own, name } = programOf(actor);
	if (own) return t('app.name');
	return name === null ? t('by.program') : t('by.programNamed', { name });
}

/** The author: “by you”, “by Weekly plan”, “by the program X”. */
export function byAuthor(actor: Actor): string {
	if (isAi(actor)) return `${t('by.by')} ${missions.titleOf(actor.missionId)}`;
	if (actor.kind === 'user') return t('undo' in actor ? 'module.byYouUndo' : 'module.byYou');
	return `${t('by.by')} ${programName(actor)}`;
}

/** Behind a mission's name: whose leave the write had, or that nothing here shows it. */
export function leaveOf(row: Row, actor: AiActor): string {
	const step = approvedStep(row, actor);
	if (!step) return t('by.unproven');
	return t(step.decidedBy === 'policy' ? 'by.rules' : 'by.leave');
}
