/** A manifest's fields as people read them. Everything that a generic page shows comes from here. */
import { collection } from '$lib/replica/collection.svelte';
import { i18n, t } from '$lib/i18n';
import { label, moduleOf, routeOf } from './modules.svelte';
import type { Data, Field, Row, Table } from '$lib/core/types';
import { dayWord, dayOf, exactNumber, minutesText, timeOf } from '$lib/primitives/format';
import { plainText } from '$lib/primitives/text';
import { fieldUi, isMinutes } from './fieldUi';
import { tableOf } from './titles';

/** The first visible table of a module: its page shows that one. */
export function mainTable(app: string): [string, Table] | undefined {
	return Object.entries(moduleOf(app)?.tables ?? {})[0];
}

/** “task”, “Aufgabe”: the thing in the middle of a sentence. */
export function thing(app: string, table: string): string {
	const name = label(tableOf(app, table)?.name) || table;
	return i18n.language.namesInText === 'lowercase' ? name.toLocaleLowerCase(i18n.intl) : name;
}

/** The label of a field, or its name where nobody wrote one. */
export function fieldLabel(app: string, table: string, field: string, short = false): string {
	const text = label(tableOf(app, table)?.fields[field]?.label) || field;
	// Where the value is written out (“1 h 30 min”), the unit is no part of the name.
	return short && isMinutes(field) ? text.replace(/ in (minutes|Minuten)$/i, '') : text;
}

/** The record at an address, if this device has it. */
export function recordAt(app: string, table: string, id: string): Row | undefined {
	return collection(app, table).get(id);
}

/** The page of a record. */
export function recordHref(app: string, table: string, id: string): string {
	if (app === 'ai' && table === 'aiMissions') return `/companion/missions/${id}`;
	const route = routeOf(app);
	return tableOf(app, table)?.singleton ? route : `${route}?open=${encodeURIComponent(id)}`;
}

/** A value as one line of text; empty where there is none. */
export function valueText(app: string, name: string, field: Field | undefined, value: unknown): string {
	if (value === null || value === undefined || value === '') return '';
	return fieldUi(field).text(value, { app, name, field });
}

/** The line under a record's title: what the manifest says, in words. */
export function metaParts(
	app: string,
	table: string,
	data: Data,
	skip: readonly string[] = [],
	atHour = false
): string[] {
	const info = tableOf(app, table);
	const parts: string[] = [];
	const names = info?.list?.meta ?? [];
	for (const name of names) {
		if (skip.includes(name)) continue;
		const field = info?.fields[name];
		const value = data[name];
		if (value === undefined || value === null || value === '' || value === false) continue;
		// A count and its unit belong together: “2 of 7 steps”.
		if (name === 'progress' && names.includes('target')) {
			parts.push(progressText(data));
			continue;
		}
		if ((name === 'target' && typeof data.progress === 'number') || name === 'unit') continue;
		if (name === 'allDay') continue;
		if (name === 'endsAt' && typeof data.startsAt === 'string') continue;
		if (name === 'startsAt' && typeof data.startsAt === 'string') {
			// Beside its hour in a day, an event says how long it takes.
			const length = atHour ? lengthOf(data) : spanOf(data);
			if (length) parts.push(length);
			continue;
		}
		const text = valueText(app, name, field, value);
		if (!text) continue;
		parts.push(fieldUi(field).needsLabel && !isMinutes(name) ? `${fieldLabel(app, table, name)}: ${text}` : text);
	}
	return parts;
}

/** “2 of 7 steps”. */
export function progressText(data: Data): string {
	const done = exactNumber(Number(data.progress ?? 0));
	const unit = data.unit ? ` ${plainText(data.unit)}` : '';
	return typeof data.target === 'number'
		? t('today.progress', { done, total: exactNumber(data.target) }) + unit
		: done + unit;
}

/** How long an event takes: “45 min”. */
export function lengthOf(data: Data): string {
	const minutes =
		typeof data.endsAt === 'string' ? (Date.parse(data.endsAt) - Date.parse(String(data.startsAt))) / 60_000 : 0;
	return !data.allDay && minutes > 0 && minutes < 24 * 60 ? minutesText(minutes) : '';
}

/** When an event is: “Thu 9 Apr, 15:30 to 16:15”. */
export function spanOf(data: Data, withDay = true): string {
	const start = new Date(String(data.startsAt));
	if (Number.isNaN(start.getTime())) return '';
	if (data.allDay) return withDay ? `${dayWord(dayOf(start))}, ${t('time.allDay')}` : t('time.allDay');
	const end = typeof data.endsAt === 'string' ? new Date(data.endsAt) : null;
	const hours =
		end && dayOf(end) === dayOf(start) ? t('time.span', { from: timeOf(start), to: timeOf(end) }) : timeOf(start);
	return withDay ? `${dayWord(dayOf(start))}, ${hours}` : hours;
}
