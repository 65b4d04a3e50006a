import type { ClientInit } from '@sveltejs/kit';
import { preferredLocale, showLocale } from '$lib/i18n';
import { watchForUpdates } from '$lib/shell/update.svelte';

/** The language before the first paint; the root layout starts the session. */
export const init: ClientInit = async () => {
	const extent = location.pathname === '/' ? 'first' : 'all';
	await showLocale(preferredLocale(), extent).catch(() => showLocale('en', extent));
	void watchForUpdates();
};
