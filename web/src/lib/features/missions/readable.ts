import type { Cadence, Data, Intent, Mission, MissionInput, Step } from '$lib/core/types';
import { plainText } from '$lib/primitives/text';

/** A list as the pages take it, whatever a client wrote in its place. */
export function listOf<T>(value: readonly T[] | null | undefined): readonly T[] {
	return Array.isArray(value) ? (value as readonly T[]) : [];
}

const wordOf = (value: unknown) => (typeof value === 'string' || value === null ? value : undefined);
const numberOf = (value: unknown) => (typeof value === 'number' || value === null ? value : undefined);
const fieldsOf = (value: unknown): Data =>
	typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Data) : {};

/** The fields of a mission that a person writes, as the pages take them, whatever a client wrote in their places. */
export function readableFields(data: Data) {
	return {
		title: plainText(data.title),
		conceptMarkdown: plainText(data.conceptMarkdown),
		objective: plainText(data.objective),
		inputs: [...listOf(data.inputs as MissionInput[])].filter(isInput),
		cadence: isCadence(data.cadence) ? data.cadence : { kind: 'manual' as const },
		timezone: wordOf(data.timezone),
		agentId: wordOf(data.agentId),
		model: wordOf(data.model),
		overlap: OVERLAPS.find((overlap) => overlap === data.overlap),
		catchUpMinutes: numberOf(data.catchUpMinutes),
		jitterMinutes: numberOf(data.jitterMinutes),
		budget: Object.fromEntries(Object.entries(fieldsOf(data.budget)).filter(([, most]) => typeof most === 'number'))
	};
}

/** A mission's record as the pages take it. */
export function readableMission(data: Data): Omit<Mission, 'id'> {
	const mission = data as unknown as Mission;
	return {
		...mission,
		...readableFields(data),
		nextRunAt: wordOf(data.nextRunAt),
		pausedReason: wordOf(data.pausedReason),
		lessons: [...listOf(mission.lessons)],
		iterations: [...listOf(mission.iterations)].map((one) => ({
			...one,
			plan: listOf(one.plan).map(readableStep)
		}))
	};
}

const OVERLAPS = ['skip', 'allow', 'replace'] as const;

function isInput(value: unknown): value is MissionInput {
	const { module, table, id } = fieldsOf(value);
	return typeof module === 'string' && typeof table === 'string' && ['string', 'undefined'].includes(typeof id);
}

/** The fields that a cadence of each kind has to have. */
const CADENCES: Record<Cadence['kind'], Record<string, 'number' | 'string'>> = {
	manual: {},
	interval: { everyMinutes: 'number' },
	daily: { atHour: 'number' },
	weekly: { dayOfWeek: 'number', atHour: 'number' },
	cron: { expression: 'string' }
};

function isCadence(value: unknown): value is Cadence {
	const fields = fieldsOf(value);
	if (typeof fields.kind !== 'string' || !Object.hasOwn(CADENCES, fields.kind)) return false;
	return Object.entries(CADENCES[fields.kind as Cadence['kind']]).every(([name, type]) => typeof fields[name] === type);
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
