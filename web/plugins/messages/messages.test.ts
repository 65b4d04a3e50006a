import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatText, type Values } from '../../src/lib/i18n/format';
import { checkCatalogues, readCatalogues, type MessageFile } from './catalogue.ts';
import { compileMessage } from './compile.ts';
import { MESSAGES_FOLDER, TYPES_FILE } from './plugin.ts';
import { messageTypes } from './types.ts';

const header = (intl: string, more = {}) => ({ '@locale': { name: intl, intl, dir: 'ltr', ...more } });
const check = (files: Record<string, MessageFile>) => checkCatalogues(new Map(Object.entries(files)));
const text = (source: string, values: Values, intl = 'en-GB') =>
	formatText(compileMessage(source).compiled, values, intl);

describe('a compiled message', () => {
	it('puts arguments in and writes numbers as the language does', () => {
		expect(text('Hello {name}, {missing}', { name: 'Ada' })).toBe('Hello Ada, {missing}');
		expect(text('{count} tasks', { count: 1200 }, 'de-DE')).toBe('1.200 tasks');
	});

	it('chooses the plural form, the exact number first', () => {
		const source = '{count, plural, =0 {nothing} one {# task} other {# tasks}}';
		expect([0, 1, 1200].map((count) => text(source, { count }))).toEqual(['nothing', '1 task', '1,200 tasks']);
	});

	it('has every plural form of Polish and Arabic', () => {
		const polish = '{n, plural, one {# plik} few {# pliki} many {# plików} other {# pliku}}';
		expect([1, 3, 5, 22, 25].map((n) => text(polish, { n }, 'pl'))).toEqual([
			'1 plik',
			'3 pliki',
			'5 plików',
			'22 pliki',
			'25 plików'
		]);
		const arabic = '{n, plural, zero {zero} one {one} two {two} few {few} many {many} other {other}}';
		expect([0, 1, 2, 3, 11, 100].map((n) => text(arabic, { n }, 'ar'))).toEqual([
			'zero',
			'one',
			'two',
			'few',
			'many',
			'other'
		]);
	});

	it('nests arguments, subtracts an offset, selects and counts ordinals', () => {
		expect(text('{count, plural, one {{n} thing} other {{n} things}}', { count: 2, n: 'two' })).toBe('two things');
		const others = '{n, plural, offset:1 =1 {you} one {you and one more} other {you and # more}}';
		expect([1, 2, 4].map((n) => text(others, { n }))).toEqual(['you', 'you and one more', 'you and 3 more']);
		const select = '{role, select, owner {yours} other {of {n, plural, one {one} other {#}}}}';
		expect([text(select, { role: 'owner', n: 2 }), text(select, { role: 'constructor', n: 2 })]).toEqual([
			'yours',
			'of 2'
		]);
		const place = '{n, selectordinal, one {#st} two {#nd} few {#rd} other {#th}}';
		expect([1, 2, 3, 4, 22].map((n) => text(place, { n }))).toEqual(['1st', '2nd', '3rd', '4th', '22nd']);
	});

	it('keeps markup in a text as it is, and writes control characters out', () => {
		expect(text('<b>{title}</b>', { title: '\u0001<i>{title}' })).toBe('<b>[U+0001]<i>{title}</b>');
	});
});

describe('message files', () => {
	it('are complete, with the same arguments in every language', () => {
		expect(readCatalogues(MESSAGES_FOLDER).size).toBeGreaterThanOrEqual(2);
	});

	it('have types of their keys and arguments; `npm run types` writes them', () => {
		expect(readFileSync(TYPES_FILE, 'utf8')).toBe(messageTypes(readCatalogues(MESSAGES_FOLDER)));
	});

	it('are refused where a key is missing or unknown', () => {
		const en = { ...header('en-GB'), a: 'A', b: 'B' };
		expect(() => check({ en, de: { ...header('de-DE'), a: 'A' } })).toThrow('de.json: b is missing');
		expect(() => check({ en, de: { ...header('de-DE'), a: 'A', b: 'B', c: 'C' } })).toThrow('c is not a key');
	});

	it('are refused where arguments differ', () => {
		const en = { ...header('en-GB'), a: '{count, plural, one {#} other {#}} of {name}' };
		const de = (a: string) => check({ en, de: { ...header('de-DE'), a } });
		expect(() => de('{count} von {nam}')).toThrow(/no argument \{nam\}[^]*\{name\} is not used/);
		expect(() => de('{count} von {name, plural, one {#} other {#}}')).toThrow('{name} is a value, not a number');
		expect(de('{count} von {name}').size).toBe(2);
	});

	it('are refused where the syntax is wrong or a plural form is missing or unknown', () => {
		const en = { ...header('en-GB'), a: '{n, plural, one {#} other {#}}' };
		expect(() => check({ en, pl: { ...header('pl'), a: '{n, plural, one {#} other {#}}' } })).toThrow(/many[^]*few/);
		expect(() => check({ en: { ...header('en-GB'), a: '{n, plural, one {#} few {#} other {#}}' } })).toThrow('few');
		expect(() => check({ en: { ...header('en-GB'), a: '{n, plural, one {#}}' } })).toThrow('en.json: a');
		expect(() => check({ en: { ...header('en-GB'), a: '{day, date}' } })).toThrow('formatted by the caller');
	});

	it('are refused without a header', () => {
		const en = { ...header('en-GB'), a: 'A' };
		expect(() => check({ en, fr: { a: 'A' } })).toThrow('fr.json: the header');
		expect(() => check({ en, fr: { ...header('not a tag'), a: 'A' } })).toThrow('is not a language tag');
	});

	it('take missing texts from the language that their header names', () => {
		const en = { ...header('en-GB'), a: 'A', b: 'B' };
		const fr = check({ en, fr: { ...header('fr-FR', { fallback: 'en' }), a: 'Un' } }).get('fr')!;
		expect([...fr.messages].map(([key, { compiled }]) => [key, compiled])).toEqual([
			['a', 'Un'],
			['b', 'B']
		]);
	});
});
