/** Dates, spans and numbers in the language of the screen. Days are `YYYY-MM-DD` in local time. */
import { i18n, numberText, t } from '$lib/i18n';
import { clock } from './clock.svelte';

const formats = new Map<string, Intl.DateTimeFormat>();

function dateFormat(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
	const key = i18n.intl + JSON.stringify(options);
	let format = formats.get(key);
	if (!format) formats.set(key, (format = new Intl.DateTimeFormat(i18n.intl, options)));
	return format;
}

/** A record may hold a text that is no time; a page says so, and goes on. */
function isUnreadable(date: Date): boolean {
	return Number.isNaN(date.getTime());
}

function intl(options: Intl.DateTimeFormatOptions, date: Date): string {
	return isUnreadable(date) ? t('time.unreadable') : dateFormat(options).format(date);
}

/** A date that begins with its weekday, with the language's own text between the two where it names one. */
function weekdayDate(length: 'short' | 'long', date: Date, withYear = !sameYear(date)): string {
	if (isUnreadable(date)) return t('time.unreadable');
	const year = withYear ? 'numeric' : undefined;
	const parts = dateFormat({ weekday: length, day: 'numeric', month: length, year }).formatToParts(date);
	const between = i18n.language.afterWeekday?.[length];
	if (between !== undefined && parts[0]?.type === 'weekday' && parts[1]?.type === 'literal') parts[1].value = between;
	return parts.map((part) => (part.type === 'year' ? yearText(date) : part.value)).join('');
}

const pad = (n: number, digits = 2) => String(n).padStart(digits, '0');

/** A year with four digits at least: 26 would be read as 2026, and Intl writes the year 0 as 1. */
function yearText(date: Date): string {
	const year = date.getFullYear();
	return year < 0 ? `−${pad(-year, 4)}` : pad(year, 4);
}

/** The local day of a time. */
export function dayOf(date: Date): string {
	return `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** Today's local day. */
export function today(): string {
	return dayOf(clock.now);
}

/** A day as local midnight. */
export function dateOfDay(day: string): Date {
	const [y, m, d] = day.split('-').map(Number);
	const date = new Date(y!, m! - 1, d);
	// JavaScript takes the years 0 to 99 for those of the twentieth century.
	date.setFullYear(y!, m! - 1, d);
	return date;
}

/** A day moved by some days. */
export function addDays(day: string, days: number): string {
	const date = dateOfDay(day);
	date.setDate(date.getDate() + days);
	return dayOf(date);
}

/** Whole days between two days. */
export function daysBetween(from: string, to: string): number {
	return Math.round((dateOfDay(to).getTime() - dateOfDay(from).getTime()) / 86_400_000);
}

/** The last day of the week that a day lies in; weeks end on Sunday. */
export function endOfWeek(day: string): string {
	return addDays(day, (7 - dateOfDay(day).getDay()) % 7);
}

function sameYear(date: Date): boolean {
	return date.getFullYear() === clock.now.getFullYear();
}

/** “Thu 9 Apr”, with the year where it is another. */
export function shortDate(date: Date): string {
	return weekdayDate('short', date);
}

/** “Wednesday, 8 April”, the head of a page. */
export function longDate(date: Date): string {
	return weekdayDate('long', date);
}

/** A day with its month, and with the year where it is another. */
function monthDate(length: 'short' | 'long', date: Date): string {
	if (isUnreadable(date)) return t('time.unreadable');
	const year = sameYear(date) ? undefined : 'numeric';
	const parts = dateFormat({ day: 'numeric', month: length, year }).formatToParts(date);
	return parts.map((part) => (part.type === 'year' ? yearText(date) : part.value)).join('');
}

/** “8 April”. */
export function dayMonth(date: Date): string {
	return monthDate('long', date);
}

/** “3 Apr”. */
export function shortDayMonth(date: Date): string {
	return monthDate('short', date);
}

/** “Monday”. */
export function weekday(date: Date): string {
	return intl({ weekday: 'long' }, date);
}

/** “Mo”, the head of a narrow column. */
export function weekdayTiny(date: Date): string {
	return intl({ weekday: 'short' }, date).slice(0, 2);
}

/** The name of a day of the week, 0 = Sunday. */
export function weekdayName(index: number): string {
	return weekday(new Date(2023, 0, 1 + index));
}

/** “08:02”. */
export function timeOf(date: Date): string {
	return intl({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }, date);
}

/** A day with its weekday and year: “Thu 9 Apr 2026”; consent is to a day, not to a word for it. */
export function dayAndYear(day: string): string {
	return weekdayDate('short', dateOfDay(day), true);
}

/**
 * An instant with its weekday, year and hour: “Thu 9 Apr 2026, 15:30”; with its seconds and their fraction where they
 * are not zero.
 */
export function instantAndYear(at: string): string {
	const date = new Date(at);
	const fraction = /\.(\d*[1-9])0*(?:\D|$)/.exec(at)?.[1];
	const seconds = fraction || date.getSeconds() ? `:${pad(date.getSeconds())}` : '';
	const time = timeOf(date) + (isUnreadable(date) ? '' : seconds + (fraction ? `.${fraction}` : ''));
	return t('time.dayAt', { day: weekdayDate('short', date, true), time });
}

/** A number with every digit: Intl alone cuts it to three decimals, and writes a long one out in zeros. */
export function exactNumber(value: number): string {
	const written = Object.is(value, -0) ? '-0' : String(value);
	const decimals = written.split('.')[1]?.length ?? 0;
	// Beyond these, browsers refuse to write decimals, and numbers have gaps between them.
	if (!/^-?\d+(\.\d+)?$/.test(written) || decimals > 20) return written;
	if (decimals === 0 && !Number.isSafeInteger(value)) return written;
	return numberText(value, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** A day as people say it: today, tomorrow, yesterday, else “Thu 9 Apr”. */
export function dayWord(day: string): string {
	const distance = daysBetween(today(), day);
	if (distance === 0) return t('time.today');
	if (distance === 1) return t('time.tomorrow');
	if (distance === -1) return t('time.yesterday');
	return shortDate(dateOfDay(day));
}

/** A time in running text: “today 08:02”, “yesterday 18:04”, “Wed 8 Apr, 08:00”. */
export function when(at: string | Date): string {
	const date = typeof at === 'string' ? new Date(at) : at;
	const time = timeOf(date);
	const distance = daysBetween(today(), dayOf(date));
	if (distance === 0) return t('time.todayAt', { time });
	if (distance === 1) return t('time.tomorrowAt', { time });
	if (distance === -1) return t('time.yesterdayAt', { time });
	return t('time.dayAt', { day: shortDate(date), time });
}

/** A time beside a name: the hour alone if it is today's. */
export function whenShort(at: string): string {
	const date = new Date(at);
	return dayOf(date) === today() ? timeOf(date) : when(date);
}

/** Whole days since a time, by the calendar. */
export function daysSince(at: string): number {
	return Math.max(0, daysBetween(dayOf(new Date(at)), today()));
}

/** The head of a run: “Today at 08:00”, “Monday 6 April at 08:00”. */
export function headAt(at: string): string {
	const date = new Date(at);
	const distance = daysBetween(today(), dayOf(date));
	const day = distance === 0 ? t('time.today') : distance === -1 ? t('time.yesterday') : longDate(date);
	return t('time.headAt', { day, time: timeOf(date) });
}

/** The head of a day in a list: “Today”, “Yesterday, 7 April”, “Friday, 3 April”. */
export function dayHead(day: string): string {
	const date = dateOfDay(day);
	const distance = daysBetween(today(), day);
	if (distance === 0) return t('time.today');
	if (distance === 1) return t('time.tomorrow');
	if (distance === -1) return t('time.yesterdayDay', { day: dayMonth(date) });
	return longDate(date);
}

/** How long ago: “just now”, “2 min ago”, then the time itself. */
export function relativeTime(at: string): string {
	const minutes = Math.floor((clock.now.getTime() - new Date(at).getTime()) / 60_000);
	if (minutes < 1) return t('time.now');
	if (minutes < 60) return t('time.minutesAgo', { count: minutes });
	if (minutes < 6 * 60) return t('time.hoursAgo', { count: Math.floor(minutes / 60) });
	return when(at);
}

/** “45 min”, “2 h”, “1 h 30 min”. */
export function minutesText(minutes: number): string {
	const hours = Math.floor(minutes / 60);
	const rest = Math.round(minutes % 60);
	if (!hours) return t('time.minutes', { count: rest });
	return rest ? t('time.hoursMinutes', { hours, minutes: rest }) : t('time.hours', { count: hours });
}

/** How long something took: “48 s”, “1 min 48 s”. */
export function spanText(from: string, to: string): string {
	const seconds = Math.max(1, Math.round((new Date(to).getTime() - new Date(from).getTime()) / 1000));
	if (seconds < 60) return t('time.seconds', { count: seconds });
	const minutes = Math.floor(seconds / 60);
	if (minutes >= 60) return minutesText(minutes);
	return seconds % 60
		? t('time.minutesSeconds', { minutes, seconds: seconds % 60 })
		: t('time.minutes', { count: minutes });
}

const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** A number of bytes with its unit: “1.2 MB”. */
export function bytesText(bytes: number): string {
	let value = bytes;
	let unit = 0;
	while (value >= 1000 && unit < BYTE_UNITS.length - 1) {
		value /= 1000;
		unit++;
	}
	const maximumFractionDigits = value < 10 && unit ? 1 : 0;
	return numberText(value, { style: 'unit', unit: BYTE_UNITS[unit], unitDisplay: 'short', maximumFractionDigits });
}

/** A small number in words, as the language's `number.words` has them; a larger one in digits. */
export function numberWord(count: number, capital = false): string {
	const words = t('number.words').split(' ');
	const word = words[count] ?? numberText(count);
	return capital ? word.charAt(0).toUpperCase() + word.slice(1) : word;
}
