declare module 'virtual:messages' {
	import type { Compiled, Language } from '$lib/i18n/compiled';

	/** Every language that has a message file, ordered by tag. */
	export const languages: readonly Language[];
	/** Loads the compiled messages of a language, by tag. */
	export const loaders: Readonly<Record<string, () => Promise<Readonly<Record<string, Compiled>>>>>;
}
