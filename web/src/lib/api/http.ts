import { ManaError } from '../core/errors';

/** An answer of the server that is no success, from its envelope `{"error": {code, message, details}}`. */
export class ApiError extends ManaError {
	override name = 'ApiError';
	constructor(
		readonly status: number,
		code: string,
		message: string,
		details?: unknown,
		/** After how many ms to ask again, where the server says so. */
		readonly retryAfterMs?: number
	) {
		super(code, message, details);
	}
}

/** The server was not reached: no network, or it is down. Nothing was lost; the outbox keeps what waits. */
export class OfflineError extends ManaError {
	override name = 'OfflineError';
	constructor() {
		super('offline', 'The server cannot be reached. Your changes stay on this device and are sent later.');
	}
}

export interface RequestOptions {
	method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
	body?: unknown;
	token?: string;
	timeoutMs?: number;
}

/** One request, with the session cookie, JSON both ways. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
	const { method = 'GET', body, token, timeoutMs = 30_000 } = options;
	const headers: Record<string, string> = { accept: 'application/json' };
	if (body !== undefined) headers['content-type'] = 'application/json';
	if (token) headers.authorization = `Bearer ${token}`;
	let response: Response;
	let text: string;
	try {
		response = await fetch(path, {
			method,
			headers,
			body: body === undefined ? undefined : JSON.stringify(body),
			credentials: 'same-origin',
			cache: 'no-store',
			signal: AbortSignal.timeout(timeoutMs)
		});
		text = await response.text();
	} catch {
		throw new OfflineError();
	}
	if (!response.ok) throw apiError(response, text);
	if (text === '') return undefined as T;
	try {
		return JSON.parse(text) as T;
	} catch {
		// a captive portal or a proxy's page: not our server
		throw new OfflineError();
	}
}

function apiError(response: Response, text: string): ApiError {
	const { status } = response;
	let code = `http_${status}`;
	let message = `The server answered ${status}.`;
	let details: unknown;
	try {
		const { error } = JSON.parse(text) as {
			error?: { code?: string; message?: string; details?: unknown };
		};
		code = error?.code ?? code;
		message = error?.message ?? message;
		details = error?.details;
	} catch {
		// not our envelope: the status has to say it
	}
	return new ApiError(status, code, message, details, retryAfter(response.headers.get('retry-after')));
}

/** Retry-After: seconds or an HTTP date. */
function retryAfter(value: string | null): number | undefined {
	if (!value) return undefined;
	const seconds = Number(value);
	if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
	const at = Date.parse(value);
	return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
