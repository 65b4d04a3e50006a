/** Reads the message files of a folder and checks them against each other. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Compiled, LanguageHeader } from '../../src/lib/i18n/compiled';
import { compileMessage, type CompiledMessage } from './compile.ts';

/** The language whose file defines the keys and their arguments. */
export const BASE = 'en';

export interface Catalogue {
	tag: string;
	header: LanguageHeader;
	messages: Map<string, CompiledMessage>;
}

/** The text of a message file: the header below `@locale`, then one ICU message a key. */
export type MessageFile = Record<string, unknown>;

/** Reads every `TAG.json` of a folder. Throws with all problems of all files. */
export function readCatalogues(folder: string): Map<string, Catalogue> {
	const files = new Map<string, MessageFile>();
	for (const name of readdirSync(folder).sort()) {
		if (!name.endsWith('.json')) continue;
		files.set(basename(name, '.json'), JSON.parse(readFileSync(join(folder, name), 'utf8')) as MessageFile);
	}
	return checkCatalogues(files);
}

/** Compiles and checks message files by their tags. Throws with all problems of all files. */
export function checkCatalogues(files: ReadonlyMap<string, MessageFile>): Map<string, Catalogue> {
	const problems: string[] = [];
	const catalogues = new Map<string, Catalogue>();
	for (const [tag, file] of files) {
		const report = (problem: string) => problems.push(`${tag}.json: ${problem}`);
		const catalogue = compileFile(tag, file, report);
		if (catalogue) catalogues.set(tag, catalogue);
	}
	const base = catalogues.get(BASE);
	if (!base) problems.push(`${BASE}.json is missing or has no header`);
	for (const catalogue of catalogues.values()) {
		const report = (problem: string) => problems.push(`${catalogue.tag}.json: ${problem}`);
		if (base && catalogue !== base) checkAgainst(base, catalogue, report);
		checkPlurals(catalogue, report);
	}
	if (problems.length) throw new Error(`Messages are not complete:\n${problems.join('\n')}`);
	for (const catalogue of catalogues.values()) fillIn(catalogue, catalogues);
	return catalogues;
}

/**
 * The areas of the messages that today's page and the frame around every page show: the part of a key before its first
 * dot. They are fetched at the start, the rest after it, or with the first message of it that a page asks for: a failed
 * or skipped run, for example.
 */
const FIRST_AREAS: ReadonlySet<string> = new Set(
	(
		'again app broken by card crash error held last module nav number phase prop start ' +
		'sync time today todo unfit update word'
	).split(' ')
);

/** The parts that a language's messages are fetched in. */
export const PARTS = ['first', 'rest'] as const;
export type MessagesPart = (typeof PARTS)[number];

/** The export of a chunk: every key of one part of a language with its compiled message. */
export function compiledMessages(catalogue: Catalogue, part: MessagesPart): Record<string, Compiled> {
	const isFirst = (key: string) => FIRST_AREAS.has(key.split('.', 1)[0]!);
	return Object.fromEntries(
		[...catalogue.messages]
			.filter(([key]) => isFirst(key) === (part === 'first'))
			.map(([key, { compiled }]) => [key, compiled])
	);
}

function compileFile(tag: string, file: MessageFile, report: (problem: string) => void): Catalogue | undefined {
	const header = file['@locale'] as Partial<LanguageHeader> | undefined;
	if (!header?.name || !header.intl || (header.dir !== 'ltr' && header.dir !== 'rtl')) {
		report('the header "@locale" needs "name", "intl" and "dir" ("ltr" or "rtl")');
		return undefined;
	}
	if (!isTag(header.intl)) {
		report(`"${header.intl}" is not a language tag`);
		return undefined;
	}
	const messages = new Map<string, CompiledMessage>();
	for (const [key, source] of Object.entries(file)) {
		if (key === '@locale') continue;
		try {
			if (typeof source !== 'string') throw new Error('the message is not a text');
			messages.set(key, compileMessage(source));
		} catch (error) {
			report(`${key}: ${error instanceof Error ? error.message : String(error)}`);
		}
	}
	return { tag, header: header as LanguageHeader, messages };
}

function checkAgainst(base: Catalogue, catalogue: Catalogue, report: (problem: string) => void): void {
	for (const [key, original] of base.messages) {
		const translated = catalogue.messages.get(key);
		if (!translated) {
			if (!catalogue.header.fallback) report(`${key} is missing`);
			continue;
		}
		for (const [name, kind] of translated.arguments) {
			const expected = original.arguments.get(name);
			if (!expected) report(`${key}: there is no argument {${name}}`);
			else if (kind !== 'value' && kind !== expected) report(`${key}: {${name}} is a ${expected}, not a ${kind}`);
		}
		for (const name of original.arguments.keys()) {
			if (!translated.arguments.has(name)) report(`${key}: the argument {${name}} is not used`);
		}
	}
	for (const key of catalogue.messages.keys()) {
		if (!base.messages.has(key)) report(`${key} is not a key of ${base.tag}.json`);
	}
}

/** Every plural spells out the categories that whole numbers reach in its language, and no others. */
function checkPlurals(catalogue: Catalogue, report: (problem: string) => void): void {
	const expected = {
		plural: reachableCategories(catalogue.header.intl, 'cardinal'),
		ordinal: reachableCategories(catalogue.header.intl, 'ordinal')
	};
	for (const [key, { plurals }] of catalogue.messages) {
		for (const { kind, categories } of plurals) {
			const { common, all } = expected[kind];
			for (const name of common) if (!categories.includes(name)) report(`${key}: the plural form "${name}" is missing`);
			for (const name of categories) {
				if (name !== 'other' && !all.has(name)) report(`${key}: "${name}" is no plural form of this language`);
			}
		}
	}
}

/** `common` are the categories of the numbers up to 1000; French `many` starts at a million and stays optional. */
function reachableCategories(intl: string, type: Intl.PluralRuleType): { common: Set<string>; all: Set<string> } {
	const rules = new Intl.PluralRules(intl, { type });
	const common = new Set<string>();
	for (let number = 0; number <= 1000; number++) common.add(rules.select(number));
	return { common, all: new Set(rules.resolvedOptions().pluralCategories) };
}

function fillIn(catalogue: Catalogue, catalogues: ReadonlyMap<string, Catalogue>): void {
	const fallback = catalogue.header.fallback;
	if (!fallback) return;
	for (const [key, message] of catalogues.get(fallback)?.messages ?? []) {
		if (!catalogue.messages.has(key)) catalogue.messages.set(key, message);
	}
}

function isTag(tag: string): boolean {
	try {
		return Intl.getCanonicalLocales(tag).length === 1;
	} catch {
		return false;
	}
}
