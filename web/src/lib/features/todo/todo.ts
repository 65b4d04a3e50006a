/** Order, groups and ticks of tasks, for the tasks and today pages. */
import { deleteRecord, updateRecord } from '$lib/features/records/records';
import { skipOccurrence } from '$lib/core';
import { ManaError } from '$lib/core/errors';
import { t } from '$lib/i18n';
import type { Data, Row } from '$lib/core/types';
import {
	dateOfDay,
	dayWord,
	daysBetween,
	endOfWeek,
	minutesText,
	shortDate,
	today,
	weekday
} from '$lib/primitives/format';
import { recordAt, valueText } from '$lib/features/records/fields';
import { tableOf, titleOf } from '$lib/features/records/titles';
import { announce } from '$lib/primitives/live.svelte';
import { plainText } from '$lib/primitives/text';

export type TaskGroup = 'today' | 'week' | 'later';

const due = (data: Data) => (typeof data.dueDate === 'string' && data.dueDate ? data.dueDate : '9999-12-31');
/** What has no time comes after what has one. */
const time = (data: Data) => (typeof data.dueTime === 'string' && data.dueTime ? data.dueTime : '~');
const RANK: Record<string, number> = { high: 0, normal: 1, low: 2 };

/** A row is a new object when it changes, so what it sorts by is made once; ten thousand stay quick. */
const keys = new WeakMap<Data, string>();

function keyOf(data: Data): string {
	let key = keys.get(data);
	if (key === undefined)
		keys.set(
			data,
			(key = `${due(data)}\0${time(data)}\0${RANK[String(data.priority)] ?? 1}\0${plainText(data.title)}`)
		);
	return key;
}

/** By day, then by time of day, then by weight, then by name. */
export function compareTasks(a: Data, b: Data): number {
	const x = keyOf(a);
	const y = keyOf(b);
	return x < y ? -1 : x > y ? 1 : 0;
}

/** Where a task stands on the page. */
export function groupOf(data: Data, now = today(), week = endOfWeek(now)): TaskGroup {
	const day = due(data);
	return day <= now ? 'today' : day <= week ? 'week' : 'later';
}

/** The line under a task's title: when, how long, which list, which goal. */
export function taskMeta(data: Data): { text: string; late?: boolean }[] {
	const parts: { text: string; late?: boolean }[] = [];
	if (typeof data.dueDate === 'string' && data.dueDate) parts.push(dueText(data.dueDate, plainText(data.dueTime)));
	else parts.push({ text: t('todo.noDate') });
	if (data.recurrence) parts.push({ text: fieldText('recurrence', data) });
	if (typeof data.estimateMinutes === 'number') parts.push({ text: minutesText(data.estimateMinutes) });
	if (typeof data.list === 'string' && data.list) parts.push({ text: data.list });
	if (typeof data.goalId === 'string' && data.goalId) {
		const goal = recordAt('goals', 'goals', data.goalId);
		if (goal) parts.push({ text: t('todo.goal', { title: titleOf('goals', 'goals', goal.data) }) });
	}
	return parts;
}

/** A field's value in words, as every page says it. */
function fieldText(name: string, data: Data): string {
	return valueText('todo', name, tableOf('todo', 'tasks')?.fields[name], data[name]);
}

function dueText(day: string, time: string): { text: string; late?: boolean } {
	const late = daysBetween(day, today());
	if (late <= 0) return { text: time ? t('time.dayAt', { day: dayWord(day), time }) : dayWord(day) };
	const since =
		late === 1
			? t('time.yesterday').toLocaleLowerCase()
			: late < 7
				? weekday(dateOfDay(day))
				: shortDate(dateOfDay(day));
	return { text: t('time.overdue', { day: since }), late: true };
}

/** Tick or take the tick back. The task that goes on after one that repeats is announced. */
export async function tick(row: Row, done: boolean): Promise<void> {
	const set = { done, completedAt: done ? new Date().toISOString() : null };
	const written = await updateRecord(row.app, row.table, row.id, set);
	const next = written.find(({ id, deleted }) => id !== row.id && !deleted);
	if (next) announce(t('todo.next', { day: dayWord(plainText(next.data.dueDate)) }));
}

/** Leaves out the occurrence of a task that repeats: the task is due with the next one. */
export async function skip(row: Row): Promise<void> {
	const next = skipOccurrence(row.data.recurrence, plainText(row.data.dueDate) || null, today());
	if (!next) throw new ManaError('noNext', t('todo.noNext'));
	await updateRecord(row.app, row.table, row.id, { dueDate: next.day, recurrence: next.recurrence });
	announce(t('todo.skipped', { day: dayWord(next.day) }));
}

/** Delete; the bar offers the way back. */
export function remove({ app, table, id }: Row): Promise<void> {
	return deleteRecord(app, table, id);
}
