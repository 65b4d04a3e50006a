import type { ClientInit } from '@sveltejs/kit';
import { preferredLocale, showLocale } from '$lib/i18n';
import { startSession } from '$lib/session.svelte';
import { watchForUpdates } from '$lib/update.svelte';

/** The language before the first paint; the session goes on in the background. */
export const init: ClientInit = async () => {
	await showLocale(preferredLocale()).catch(() => showLocale('en'));
	void startSession();
	void watchForUpdates();
};
