/**
 * A step of a plan, told by the record that it writes and by its tool. The model's summary is the model's word for it
 * and may say something else, so it names nothing here.
 */
import type { Data, RecordKey, Step, Tool } from '$lib/core/types';
import { listOf } from '$lib/features/missions/readable';
import { recordAt } from '$lib/features/records/fields';
import { label, toolNamed } from '$lib/features/records/modules.svelte';
import { tableOf, titleOf } from '$lib/features/records/titles';
import { t } from '$lib/i18n';
import { collection } from '$lib/replica/collection.svelte';

/** What is known of a step: a lesson keeps less of it than a plan. */
export type KnownStep = Pick<Step, 'intent'> & Partial<Pick<Step, 'editedParams' | 'replaced' | 'decisions'>>;

/** The record that a step writes, as far as the step names it: of something new, only a decided step does. */
export function stepRecord(step: KnownStep): RecordKey | undefined {
	const found = step.intent.kind === 'toolCall' ? toolNamed(step.intent.toolName) : undefined;
	if (!found) return undefined;
	const [app, table] = [found.module.id, found.tool.effect.table];
	if (tableOf(app, table)?.singleton) return { app, table, id: app };
	const id = paramsOf(step)[String(found.tool.effect.id ?? '').replace(/^\$/, '')];
	if (typeof id === 'string') return { app, table, id };
	const replaced = [step, ...listOf(step.decisions)].flatMap((one) => listOf(one.replaced));
	const made = replaced.find((one) => one.app === app && one.table === table && typeof one.id === 'string');
	return made && { app, table, id: made.id };
}

/** The name of the record that a step writes. */
export function stepName(step: KnownStep): string {
	const { intent } = step;
	if (intent.kind !== 'toolCall') return t('status.note');
	const found = toolNamed(intent.toolName);
	if (!found) return t('prop.unknown', { tool: intent.toolName });
	const { effect } = found.tool;
	const key = stepRecord(step);
	const row = key && recordAt(key.app, key.table, key.id);
	if (key && (row || tableOf(key.app, key.table)?.singleton)) return titleOf(key.app, key.table, row?.data);
	if (effect.op === 'insert') return titleOf(found.module.id, effect.table, setBy(found.tool, paramsOf(step)));
	if (!key) return label(found.tool.label) || found.tool.name;
	return collection(key.app, key.table).ready ? t('card.notHere', { id: key.id }) : '…';
}

/** A step in a sentence: its tool and the name of its record, as “New task: Call Ada”. */
export function stepTitle(step: KnownStep): string {
	const found = step.intent.kind === 'toolCall' ? toolNamed(step.intent.toolName) : undefined;
	const name = stepName(step);
	const tool = label(found?.tool.label);
	return tool && tool !== name ? t('mission.step.named', { tool, name }) : name;
}

function paramsOf({ intent, editedParams }: KnownStep): Data {
	return intent.kind === 'toolCall' ? { ...intent.params, ...editedParams } : {};
}

/** The fields that a tool sets to parameters as they are. */
function setBy(tool: Tool, params: Data): Data {
	const entries = Object.entries(tool.effect.set ?? {}).map(([field, value]) => [
		field,
		typeof value === 'string' && value.startsWith('$') ? params[value.slice(1)] : value
	]);
	return Object.fromEntries(entries) as Data;
}
