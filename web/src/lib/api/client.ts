/**
 * The server's routes, typed by `schema.d.ts`. Paths, parameters, bodies and answers follow spec/openapi.json:
 *
 *     const { models } = await dataOf(api.GET('/llm/models'));
 */
import createClient, { type Client } from 'openapi-fetch';
import { ManaError } from '../core/errors';
import { errorOfResponse, OfflineError } from './errors';
import type { paths } from './schema';

export type Api = Client<paths, 'application/json'>;

/** Sends one request. Throws ApiError for an answer that is no success, OfflineError where none comes. */
export type Send = (request: Request) => Promise<Response>;

const TIMEOUT_MS = 30_000;

/** A client whose requests go out through `send`. */
export function createApi(send: Send): Api {
	return createClient<paths, 'application/json'>({
		// Requests need a whole address where no page gives one, as in tests.
		baseUrl: globalThis.location?.origin ?? 'http://localhost',
		headers: { accept: 'application/json' },
		credentials: 'same-origin',
		cache: 'no-store',
		fetch: send
	});
}

/** Sends a request with the session cookie alone. */
export const send: Send = async (request) => {
	// An option that Request does not know is set on it by openapi-fetch: `api.GET(path, { timeoutMs })`.
	const { timeoutMs = TIMEOUT_MS } = request as Request & { timeoutMs?: number };
	let response: Response;
	try {
		response = await fetch(request, { signal: AbortSignal.timeout(timeoutMs) });
	} catch {
		throw new OfflineError();
	}
	if (!response.ok) throw await errorOfResponse(response);
	return response;
};

/** The routes that need no token: sign-in, sign-up, renewal, facts of the server. */
export const publicApi = createApi(send);

type DataOf<A> = A extends { data: infer D; error?: never } ? D : never;

/** The data of an answer. Throws ApiError, OfflineError or SessionEnded. */
export async function dataOf<A extends { data?: unknown }>(call: Promise<A>): Promise<DataOf<A>> {
	try {
		return (await call).data as DataOf<A>;
	} catch (thrown) {
		if (thrown instanceof ManaError) throw thrown;
		// The body broke off, or is no JSON: a captive portal or a proxy's page, not the server.
		throw new OfflineError();
	}
}

/** All entries of a list that comes in pages. `page` asks for the one behind a place, and returns the next place. */
export async function allPages<T>(
	page: (after: string | undefined) => Promise<[entries: T[], next: string | null | undefined]>
): Promise<T[]> {
	const all: T[] = [];
	let after: string | undefined;
	do {
		const [entries, next] = await page(after);
		all.push(...entries);
		after = next ?? undefined;
	} while (after);
	return all;
}
