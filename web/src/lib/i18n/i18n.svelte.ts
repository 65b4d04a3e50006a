import { languages, loaders } from 'virtual:messages';
import { isolated } from '$lib/core';
import type { Compiled, Language } from './compiled';
import { formatNumber, formatParts, formatText, type MessagePart, type Values } from './format';
import type { MessageArguments } from './messages';

export { languages };
export type { Language, MessagePart, Values };

/** The BCP 47 tag of a language that has a message file: `en` for `messages/en.json`. */
export type Locale = string;

/** The language that defines the keys, and stands in where a text has no translation. */
export const BASE_LOCALE: Locale = 'en';

/** The keys of all messages; `messages/en.json` defines them. */
export type MessageKey = keyof MessageArguments;

type Intersection<U> = (U extends unknown ? (value: U) => void : never) extends (value: infer I) => void ? I : never;
/** The arguments that a message needs; of several keys, the arguments that all of them need together. */
export type ArgumentsOf<K extends MessageKey> = Intersection<MessageArguments[K]>;
type Rest<K extends MessageKey> =
	Record<never, never> extends ArgumentsOf<K> ? [values?: Values] : [values: ArgumentsOf<K> & Values];

/** The keys whose messages need no other arguments than these. */
export type KeyFor<A> = { [K in MessageKey]: A extends MessageArguments[K] ? K : never }[MessageKey];
/** The keys whose messages need no arguments. */
export type PlainKey = KeyFor<Record<never, never>>;

/** A message that is stored with its arguments and formatted where it is shown. */
export interface Message {
	key: MessageKey;
	values: Values;
}

const base = languages.find(({ tag }) => tag === BASE_LOCALE)!;

let language = $state.raw<Language>(base);
let messages = $state.raw<Readonly<Record<string, Compiled>>>({});
/** Whether there are no more messages of the language to come; before the first one is shown, there are none. */
let whole = true;
/** The fetch of the rest that is under way. */
let fetching: Promise<void> | undefined;

/** The language of the screen. `setLocale` changes it. */
export const i18n = {
	/** The tag of the message file. */
	get locale(): Locale {
		return language.tag;
	},
	/** The tag that Intl's formats follow. */
	get intl(): string {
		return language.intl;
	},
	get language(): Language {
		return language;
	}
};

/** Changes the language of the screen, now and for the next start. */
export async function setLocale(next: Locale): Promise<void> {
	await showLocale(next);
	localStorage.setItem('mana.locale', next);
}

/**
 * Changes the language of the screen until the next start. With `first`, the messages of the first page are enough to
 * begin with: `loadAllMessages` fetches the rest.
 */
export async function showLocale(next: Locale, extent: 'all' | 'first' = 'all'): Promise<void> {
	const found = languages.find(({ tag }) => tag === next);
	const load = loaders[next];
	if (!found || !load) throw new Error(`There are no messages for "${next}".`);
	const parts = await Promise.all(extent === 'all' ? [load.first(), load.rest()] : [load.first()]);
	showMessages(found, Object.assign({}, ...parts) as Readonly<Record<string, Compiled>>, extent === 'all');
}

/** Fetches the messages that the first page does without. */
export function loadAllMessages(): Promise<void> {
	if (whole) return Promise.resolve();
	const shown = language;
	fetching ??= loaders[shown.tag]!.rest()
		.then((rest) => {
			if (language === shown) showMessages(shown, { ...messages, ...rest });
		})
		.finally(() => (fetching = undefined));
	return fetching;
}

/** Puts a language's messages on the screen. `showLocale` is the way there; tests bring a language of their own. */
export function showMessages(next: Language, compiled: Readonly<Record<string, Compiled>>, all = true): void {
	messages = compiled;
	whole = all;
	language = next;
	if (typeof document === 'undefined') return;
	document.documentElement.lang = next.tag;
	document.documentElement.dir = next.dir;
}

/** The language of the account that signed in, where no other one was chosen on this device. */
export function useAccountLocale(tag: string): void {
	if (localStorage.getItem('mana.locale')) return;
	const known = languages.find((one) => one.tag === tag);
	if (known && known !== language) void showLocale(known.tag).catch(() => undefined);
}

/** The language to start with: the chosen language, else the first of the browser's that has messages. */
export function preferredLocale(): Locale {
	const chosen = localStorage.getItem('mana.locale');
	const wishes = [...(chosen ? [chosen] : []), ...(navigator.languages ?? [navigator.language])];
	return matchLocale(
		wishes,
		languages.map(({ tag }) => tag)
	);
}

/** The first wish that is available: by its whole tag, then by its language alone. */
export function matchLocale(wishes: readonly string[], available: readonly Locale[]): Locale {
	const primary = (tag: string) => tag.toLowerCase().split('-')[0];
	for (const wish of wishes) {
		const exact = available.find((tag) => tag.toLowerCase() === wish.toLowerCase());
		const related = available.find((tag) => primary(tag) === primary(wish));
		if (exact ?? related) return (exact ?? related)!;
	}
	return BASE_LOCALE;
}

/** The text of a message, with its arguments put in. Reactive. */
export function t<K extends MessageKey>(key: K, ...[values]: Rest<K>): string {
	return messageText({ key, values: values ?? {} });
}

/** The text of a message whose key is only known at run time. Reactive. */
export function messageText({ key, values }: Message): string {
	return formatText(compiledOf(key), values, language.intl);
}

/** The pieces of a message, each with the argument that it comes from: a component draws an argument its own way. */
export function messageParts({ key, values }: Message): MessagePart[] {
	return formatParts(compiledOf(key), values, language.intl);
}

/** A message, or its key where there is none. A message that is not here yet is empty, and is fetched. */
function compiledOf(key: MessageKey): Compiled {
	const message = messages[key];
	if (message !== undefined || whole) return message ?? key;
	loadAllMessages().catch(() => {});
	return '';
}

/** A number in the language of the screen. Reactive. */
export function numberText(value: number, options?: Intl.NumberFormatOptions): string {
	return formatNumber(value, language.intl, options);
}

/** The text of an error: its translation by code, else its own message. */
export function errorText(error: unknown): string {
	const code = (error as { code?: unknown } | null)?.code;
	const key = `error.${String(code)}`;
	if (Object.hasOwn(messages, key)) return messageText({ key: key as MessageKey, values: {} });
	return isolated(error instanceof Error ? error.message : String((error as { message?: unknown })?.message ?? error));
}
