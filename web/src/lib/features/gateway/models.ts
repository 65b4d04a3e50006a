import { gatewayModels } from './gateway';
import { dataOf } from '$lib/api/client';
import { currentApi } from '$lib/features/session/session.svelte';

/** The aliases and models that the server knows, to choose from; none without network, and a name can be written. */
export async function modelNames(): Promise<string[]> {
	try {
		const [info, models] = await Promise.all([dataOf(currentApi().GET('/app/info')), gatewayModels()]);
		return [...Object.keys(info.model ?? {}).filter((key) => key.includes('/')), ...models.map((model) => model.id)];
	} catch {
		return [];
	}
}
