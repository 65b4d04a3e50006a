import { beforeAll, describe, expect, it } from 'vitest';
import { wasmModule } from '$lib/core';
import { i18n, showLocale } from '$lib/i18n';
import { addDays, today } from '$lib/primitives/format';
import { manifests } from '$lib/testing/replica';
import { showModules } from './modules.svelte';
import { understand } from './timeWords';

const read = (text: string, kept: string[] = []) => understand('todo', 'tasks', text, kept);

describe('time in words', () => {
	beforeAll(async () => {
		await wasmModule();
		showModules(manifests);
	});

	it('goes into the fields of the schedule, and what is left is the title', () => {
		expect(read('Call Zoë tomorrow 3pm for 2 hours')).toEqual({
			title: 'Call Zoë',
			words: ['tomorrow', '3pm', 'for 2 hours'],
			set: { dueDate: addDays(today(), 1), dueTime: '15:00', estimateMinutes: 120 }
		});
		const { set } = read('Bins every second Monday until June');
		expect(set.recurrence).toMatchObject({ start: set.dueDate, rule: expect.stringContaining('INTERVAL=2;BYDAY=MO') });
	});

	it('W2 leaves as text what a person takes back, also behind letters of two bytes', () => {
		const line = 'Zoë tomorrow at 3pm';
		expect(read(line, ['tomorrow'])).toMatchObject({ title: 'Zoë tomorrow', words: ['at 3pm'] });
		expect(read(line, ['tomorrow', 'at 3pm'])).toEqual({ title: line, words: [], set: {} });
		expect(read('Read "tomorrow"').words).toEqual([]);
	});

	it.each(['tomorrow', 'What I ate yesterday', 'Away since Monday', ''])('W6 leaves “%s” as it is', (line) => {
		expect(read(line)).toEqual({ title: line, words: [], set: {} });
	});

	it('is due with the last day of a span that has begun', () => {
		expect(read('Plan the sprint this week').set.dueDate! >= today()).toBe(true);
	});

	it('understands nothing for a table without a schedule', () => {
		expect(understand('notes', 'notes', 'Call tomorrow').words).toEqual([]);
	});

	it('reads the language of the screen', async () => {
		const before = i18n.locale;
		await showLocale('de');
		expect(read('Anruf morgen 15 Uhr').set).toEqual({ dueDate: addDays(today(), 1), dueTime: '15:00' });
		await showLocale(before);
	});
});
