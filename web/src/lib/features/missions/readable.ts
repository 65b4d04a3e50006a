import type { Intent, Step } from '$lib/core/types';
import { plainText } from '$lib/primitives/text';

/** A list as the pages take it, whatever a client wrote in its place. */
export function listOf<T>(value: readonly T[] | null | undefined): readonly T[] {
	return Array.isArray(value) ? (value as readonly T[]) : [];
}

/** A step as far as it can be read, where a client left it half written. Without an intent it has its words alone. */
export function readableStep(step: Step): Step {
	return {
		...step,
		summary: plainText(step.summary),
		rationale: plainText(step.rationale),
		intent: isIntent(step.intent) ? step.intent : { kind: 'note', body: '' },
		replaced: step.replaced && [...listOf(step.replaced)],
		decisions: step.decisions && [...listOf(step.decisions)]
	};
}

function isIntent(value: unknown): value is Intent {
	const { kind, toolName, params, body } = (value ?? {}) as Record<string, unknown>;
	if (kind === 'note') return typeof body === 'string';
	return kind === 'toolCall' && typeof toolName === 'string' && typeof params === 'object' && params !== null;
}
