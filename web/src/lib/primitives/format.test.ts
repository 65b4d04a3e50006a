import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { showLocale } from '$lib/i18n';
import {
	addDays,
	dateOfDay,
	dayAndYear,
	dayOf,
	daysBetween,
	endOfWeek,
	exactNumber,
	instantAndYear,
	longDate,
	minutesText,
	numberWord,
	shortDayMonth,
	spanText
} from './format';

beforeAll(() => showLocale('en'));

describe('days', () => {
	beforeEach(() => void vi.useFakeTimers({ now: new Date('2026-04-08T09:41:00') }));
	afterEach(() => void vi.useRealTimers());

	it('are counted by the calendar, also over the change of the clocks', () => {
		expect(addDays('2026-03-28', 2)).toBe('2026-03-30');
		expect(daysBetween('2026-03-28', '2026-03-30')).toBe(2);
		expect(daysBetween('2026-10-24', '2026-10-26')).toBe(2);
	});

	it('a week ends on Sunday, and Sunday ends its own', () => {
		expect(endOfWeek('2026-04-08')).toBe('2026-04-12');
		expect(endOfWeek('2026-04-12')).toBe('2026-04-12');
	});
});

describe('lengths and numbers', () => {
	it('read as one says them', () => {
		expect(minutesText(45)).toBe('45 min');
		expect(minutesText(60)).toBe('1 h');
		expect(minutesText(90)).toBe('1 h 30 min');
		expect(spanText('2026-04-08T08:00:00Z', '2026-04-08T08:01:48Z')).toBe('1 min 48 s');
		expect(numberWord(4, true)).toBe('Four');
		expect(numberWord(13)).toBe('13');
	});
});

describe('days of any year', () => {
	it.each([
		['0000-02-29', 'Tue 29 Feb 0000'],
		['0026-11-23', 'Mon 23 Nov 0026'],
		['0099-12-31', 'Thu 31 Dec 0099'],
		['0999-01-01', 'Tue 1 Jan 0999'],
		['2026-11-23', 'Mon 23 Nov 2026'],
		['9999-12-31', 'Fri 31 Dec 9999'],
		['12026-11-23', 'Mon 23 Nov 12026']
	])('%s is told with its whole year', (day, told) => {
		expect(dayAndYear(day)).toBe(told);
		expect(dayOf(dateOfDay(day))).toBe(day);
	});

	it('an instant before our era and one of the year 26 are told with it too', () => {
		expect(instantAndYear('-000044-03-15T12:00:00.000Z')).toMatch(/ −0044, /);
		expect(instantAndYear('0026-11-23T12:00:00.000000Z')).toMatch(/^\w{3} 2[34] Nov 0026, /);
		expect(longDate(dateOfDay('0026-11-23'))).toContain('0026');
		expect(shortDayMonth(dateOfDay('0026-11-23'))).toContain('0026');
	});
});

describe('an instant in full', () => {
	it.each([
		['2026-04-09T15:30:00.000000Z', /:30$/],
		['2026-04-09T15:30:59.000000Z', /:30:59$/],
		['2026-04-09T15:30:05Z', /:30:05$/],
		['2026-04-09T15:30:00.000001Z', /:30:00\.000001$/],
		['2026-04-09T15:30:07.250000Z', /:30:07\.25$/],
		['tomorrow', /no readable time$/]
	])('%s says its seconds where they are not zero', (at, told) => expect(instantAndYear(at)).toMatch(told));
});

describe('a number in full', () => {
	it.each([
		[0, '0'],
		[-0, '-0'],
		[0.0004, '0.0004'],
		[1e-7, '1e-7'],
		[0.1 + 0.2, '0.30000000000000004'],
		[1237, '1,237'],
		[1237.5, '1,237.5'],
		[-12.3456789, '-12.3456789'],
		[Number.MAX_SAFE_INTEGER, '9,007,199,254,740,991'],
		[1e16, '10000000000000000'],
		[1e21, '1e+21'],
		[NaN, 'NaN']
	])('%s', (value, told) => expect(exactNumber(value)).toBe(told));
});
