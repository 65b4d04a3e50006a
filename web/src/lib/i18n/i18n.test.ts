import { isolated, visible } from '$lib/core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { errorText, i18n, languages, loadAllMessages, matchLocale, messageParts, showLocale, t } from './index';

beforeAll(() => showLocale('en'));
afterEach(() => showLocale('en'));

describe('the language of the screen', () => {
	it('is any language that has a message file', async () => {
		expect(languages.map(({ tag }) => tag)).toEqual(expect.arrayContaining(['de', 'en']));
		for (const { tag, intl } of languages) {
			await showLocale(tag);
			expect(i18n).toMatchObject({ locale: tag, intl });
			expect(t('nav.settings')).not.toBe('nav.settings');
		}
		await expect(showLocale('tlh')).rejects.toThrow('no messages');
	});

	it('is the first wish that has messages, by the whole tag before the language', () => {
		const available = ['de', 'en', 'pt', 'pt-BR'];
		expect(matchLocale(['pt-br'], available)).toBe('pt-BR');
		expect(matchLocale(['de-AT', 'en'], available)).toBe('de');
		expect(matchLocale(['fr', 'de'], available)).toBe('de');
		expect(matchLocale(['deu-x-unknown', 'fr'], available)).toBe('en');
		expect(matchLocale(['den'], available)).toBe('en');
	});
});

describe('the messages of the first page', () => {
	it('come first, and any other message fetches the rest', async () => {
		await showLocale('de', 'first');
		expect(t('nav.settings')).toBe('Einstellungen');
		expect(t('settings.title')).toBe('');
		await loadAllMessages();
		expect(t('settings.title')).toBe('Einstellungen');
		expect(t('nav.settings')).toBe('Einstellungen');
	});

	it('are left when another language was chosen meanwhile', async () => {
		await showLocale('de', 'first');
		const rest = loadAllMessages();
		await showLocale('en');
		await rest;
		expect(t('settings.title')).toBe('Settings');
	});
});

describe('a message', () => {
	it('gives its parts with the argument that each comes from', () => {
		const values = { count: 3, mission: 'Weekly \u0001\u0002 plan' };
		expect(messageParts({ key: 'bench.ran', values })).toEqual([
			{ text: 'Weekly [U+0001][U+0002] plan', argument: 'mission' },
			{ text: ' ran and left ' },
			{ text: '3', argument: 'count' },
			{ text: ' proposals.' }
		]);
	});

	it('isolates what is read from right to left, and writes hidden characters out (X1)', () => {
		const settled = (title: string) => t('inbox.settledApproved', { title });
		expect(settled('Call Ada')).toBe('Approved a moment ago: Call Ada');
		expect(settled('שלום')).toBe('Approved a moment ago: \u2068שלום\u2069');
		expect(settled('a\u202eb')).toBe('Approved a moment ago: a[U+202E]b');
		expect(settled('ש\u2069b')).toBe('Approved a moment ago: \u2068ש[U+2069]b\u2069');
		expect(settled('\u2068b\u2069')).toBe('Approved a moment ago: [U+2068]b[U+2069]');
	});

	it('within a message is isolated once', () => {
		const inner = t('inbox.settledApproved', { title: 'שלום' });
		expect(t('lesson.never', { name: inner })).toBe(`Never again: ${inner}`);
		expect(visible(inner)).toBe(inner);
		expect(isolated(`ש ${inner}`)).toBe('\u2068ש Approved a moment ago: שלום\u2069');
	});

	it('stands for an error by its code, else the error speaks for itself', () => {
		expect(errorText({ code: 'busy', message: 'x' })).toBe('The server is busy. Please try again in a moment.');
		expect(errorText({ code: 'toString', message: 'x' })).toBe('x');
	});
});
