/** Time in words: what a line says of time, as the fields of a table take it. */
import { readTime } from '$lib/core';
import type { Data, TimeReading } from '$lib/core/types';
import { i18n } from '$lib/i18n';
import { daysBetween, today } from '$lib/primitives/format';
import { tableOf } from './titles';

/** Weeks begin on Monday, as everywhere on the pages; the core counts from Sunday. */
const WEEK_START = 1;

/** A line with the time in it understood. */
export interface Understood {
	/** The line without the words of time. */
	title: string;
	/** The words of time, as they were written, in their order. */
	words: string[];
	/** The values of the record's fields. */
	set: Data;
}

/** Reads a line in the language of the screen, now and here. The words of `kept` stay text. */
export function readWords(text: string, kept: readonly string[] = []): TimeReading {
	return readTime({
		text,
		language: i18n.locale,
		now: new Date().toISOString(),
		timezone: new Intl.DateTimeFormat().resolvedOptions().timeZone,
		weekStart: WEEK_START,
		kept: keptRanges(text, kept)
	});
}

/** The time in a line, for the fields of a table's schedule; what lies in the past stays text, and so does all of it
 * where nothing else would be left. */
export function understand(app: string, table: string, text: string, kept: readonly string[] = []): Understood {
	const untouched = { title: text.trim(), words: [], set: {} };
	const schedule = tableOf(app, table)?.schedule;
	if (!schedule || !text.trim()) return untouched;
	const { title, parts, when } = readWords(text, kept);
	if (!title || !when || when.relation === 'since') return untouched;
	const [start = '', time] = when.start.split('T');
	// Of several days the first that is left, so that “this week” is due with its last day.
	const day = daysBetween(today(), start) < 0 ? (when.end ?? start).slice(0, 10) : start;
	if (daysBetween(today(), day) < 0) return untouched;
	const set: Data = { [schedule.day]: day };
	if (schedule.time && time) set[schedule.time] = time.slice(0, 5);
	const minutes = time && when.end?.includes('T') ? minutesBetween(when.start, when.end) : 0;
	if (schedule.minutes && minutes > 0) set[schedule.minutes] = minutes;
	if (schedule.recurrence && when.recurrence) set[schedule.recurrence] = when.recurrence;
	const words = parts.map(({ utf16Start, utf16End }) => text.slice(utf16Start, utf16End));
	return { title, words, set };
}

/** Minutes by the wall clock. */
function minutesBetween(from: string, to: string): number {
	return (Date.parse(`${to}Z`) - Date.parse(`${from}Z`)) / 60_000;
}

/** The places of words in a text, in bytes of UTF-8. */
function keptRanges(text: string, kept: readonly string[]): [number, number][] {
	const bytes = (part: string) => new TextEncoder().encode(part).length;
	return kept
		.filter((words) => text.includes(words))
		.map((words) => {
			const start = bytes(text.slice(0, text.indexOf(words)));
			return [start, start + bytes(words)];
		});
}
