import type { en } from './en';

/** The languages of the screen. */
export type Locale = 'en' | 'de';
export const locales: readonly Locale[] = ['en', 'de'];

/** A text, or its forms by number: the parameter `count` chooses. */
export type Message = string | { zero?: string; one: string; other: string };
/** The keys of all texts; English is the original. */
export type MessageKey = keyof typeof en;
/** A whole language: de.ts is `export const de: Messages = { … }`. */
export type Messages = Record<MessageKey, Message>;
export type Params = Record<string, string | number>;

/** Only the language on screen is loaded. */
const loaders: Record<Locale, () => Promise<Messages>> = {
	en: async () => (await import('./en')).en,
	de: async () => (await import('./de')).de
};

let locale = $state<Locale>('en');
let messages = $state.raw<Partial<Messages>>({});

/** The language of the screen; change it with `setLocale`. */
export const i18n = {
	get locale(): Locale {
		return locale;
	}
};

/** Choose the language, now and for the next start. */
export async function setLocale(next: Locale): Promise<void> {
	await showLocale(next);
	localStorage.setItem('mana.locale', next);
}

/** Change the language of the screen for now. */
export async function showLocale(next: Locale): Promise<void> {
	messages = await loaders[next]();
	locale = next;
	if (typeof document !== 'undefined') document.documentElement.lang = next;
}

/** The language to start with: the chosen one, else the browser's. */
export function preferredLocale(): Locale {
	const wish = localStorage.getItem('mana.locale') ?? navigator.language;
	return /^de/i.test(wish) ? 'de' : 'en';
}

/** A text by its key, with `{name}` replaced by the parameter. Reactive. */
export function t(key: MessageKey, params: Params = {}): string {
	return format(messages[key] ?? key, params, locale);
}

/** The text of an error: its translation by code where there is one, else its own plain message. */
export function errorText(error: unknown): string {
	const code = (error as { code?: unknown } | null)?.code;
	const key = `error.${String(code)}`;
	if (key in messages) return t(key as MessageKey);
	return error instanceof Error ? error.message : String((error as { message?: unknown })?.message ?? error);
}

/** Exported for tests. */
export function format(message: Message, params: Params, language: Locale): string {
	const text = typeof message === 'string' ? message : plural(message, Number(params.count), language);
	return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
		const value = params[name];
		if (value === undefined) return whole;
		return typeof value === 'number' ? new Intl.NumberFormat(language).format(value) : value;
	});
}

function plural(forms: Exclude<Message, string>, count: number, language: Locale): string {
	if (count === 0 && forms.zero !== undefined) return forms.zero;
	const rule = new Intl.PluralRules(language).select(count);
	return rule === 'one' ? forms.one : forms.other;
}
