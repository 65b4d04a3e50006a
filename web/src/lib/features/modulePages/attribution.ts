/** The AI's part in a record: what the log shows of it, which any device may claim. Rule SYNC S13. */
import { missions } from '$lib/features/missions/missions.svelte';
import { t } from '$lib/i18n';
import type { Actor, Stamp, Step } from '$lib/core/types';

type AiActor = Extract<Actor, { kind: 'ai' }> & { stepId?: string };

/** When a write was made: an approval and an undo carry a stamp just after what they saw, and their time beside it. */
export function madeAt({ at, actor }: Stamp): string {
	const { decidedAt } = actor as { decidedAt?: unknown };
	return typeof decidedAt === 'string' ? decidedAt : at;
}

/** The step of the server's own run that a write names, where it was approved. */
export function approvedStep(actor: AiActor): Step | undefined {
	const run = missions.get(actor.missionId)?.iterations.find(({ id }) => id === actor.iterationId);
	if (run?.source !== 'server') return undefined;
	return run.plan.find((step) => step.id === actor.stepId && (step.status === 'approved' || step.status === 'undone'));
}

/** Behind a mission's name: whose leave the write had, or that nothing here shows it. */
export function leaveOf(actor: AiActor): string {
	const step = approvedStep(actor);
	if (!step) return t('by.unproven');
	return t(step.decidedBy === 'policy' ? 'by.rules' : 'by.leave');
}
