import { gatewayModels } from '$lib/features/gateway';
import { currentTokens } from '$lib/session.svelte';

/** The aliases and models that the server knows, to choose from; none without network, and a name can be written. */
export async function modelNames(): Promise<string[]> {
	try {
		const [info, models] = await Promise.all([
			currentTokens().request<{ model?: Record<string, unknown> }>('/app/info'),
			gatewayModels()
		]);
		return [...Object.keys(info.model ?? {}).filter((key) => key.includes('/')), ...models.map((model) => model.id)];
	} catch {
		return [];
	}
}
