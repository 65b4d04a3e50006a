import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { showLocale } from '$lib/i18n';
import { addDays, daysBetween, endOfWeek, minutesText, numberWord, spanText } from './format';

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
