import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { errorText, i18n, languages, matchLocale, messageParts, showLocale, t } from './index';

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

describe('a message', () => {
	it('gives its parts with the argument that each comes from', () => {
		const values = { count: 3, mission: 'Weekly \u0001\u0002 plan' };
		expect(messageParts({ key: 'bench.ran', values })).toEqual([
			{ text: 'Weekly \u0001\u0002 plan', argument: 'mission' },
			{ text: ' ran and left ' },
			{ text: '3', argument: 'count' },
			{ text: ' proposals.' }
		]);
	});

	it('stands for an error by its code, else the error speaks for itself', () => {
		expect(errorText({ code: 'busy', message: 'x' })).toBe('The server is busy. Please try again in a moment.');
		expect(errorText({ code: 'toString', message: 'x' })).toBe('x');
	});
});
