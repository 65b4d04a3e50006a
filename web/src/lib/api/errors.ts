import { ManaError } from '../core/errors';

/** An answer of the server that is no success, from its envelope `{"error": {code, message, details}}`. */
export class ApiError extends ManaError {
	override name = 'ApiError';
	constructor(
		readonly status: number,
		code: string,
		message: string,
		details?: unknown,
		/** The wait that the server asks for before the next try, in milliseconds. */
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

/** Whether the server did not accept the token or the cookie of a request. */
export function isUnauthorized(thrown: unknown): boolean {
	return thrown instanceof ApiError && thrown.status === 401;
}

/** The error of an answer that is no success. An answer without the server's envelope is named by its status. */
export async function errorOfResponse(response: Response): Promise<ApiError> {
	const { status } = response;
	const text = await response.text();
	let envelope: { error?: { code?: string; message?: string; details?: unknown } } | undefined;
	try {
		envelope = JSON.parse(text) as typeof envelope;
	} catch {
		// A proxy's page: the status has to say it.
	}
	const { code = `http_${status}`, message = `The server answered ${status}.`, details } = envelope?.error ?? {};
	return new ApiError(status, code, message, details, retryAfter(response.headers.get('retry-after')));
}

/** Milliseconds of a `Retry-After` header, which holds seconds or an HTTP date. */
function retryAfter(value: string | null): number | undefined {
	if (!value) return undefined;
	const seconds = Number(value);
	if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
	const at = Date.parse(value);
	return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
