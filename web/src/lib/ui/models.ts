import { currentTokens } from '$lib/session.svelte';

/** The models and aliases that the server knows, to choose from; none without network, and a name can be written. */
export async function modelNames(): Promise<string[]> {
	try {
		const info = await currentTokens().request<{ model?: Record<string, unknown> }>('/app/info');
		return Object.keys(info.model ?? {}).filter((key) => key.includes('/'));
	} catch {
		return [];
	}
}
