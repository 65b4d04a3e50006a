import { loadAllMessages } from '$lib/i18n';

export const ssr = false;
export const prerender = false;

/** Pages other than today's wait for the messages that today's does without. */
export async function load({ url }: { url: URL }): Promise<void> {
	if (url.pathname !== '/') await loadAllMessages();
}
