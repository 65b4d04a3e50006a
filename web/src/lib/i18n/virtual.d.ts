declare module 'virtual:messages' {
	import type { Compiled, Language } from '$lib/i18n/compiled';

	/** Every language that has a message file, ordered by tag. */
	export const languages: readonly Language[];
	type Loader = () => Promise<Readonly<Record<string, Compiled>>>;
	/** Loads the compiled messages of a language, by tag: those that the first page shows, and the rest. */
	export const loaders: Readonly<Record<string, { readonly first: Loader; readonly rest: Loader }>>;
}
