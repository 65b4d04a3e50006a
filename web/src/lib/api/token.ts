import { ManaError } from '../core/errors';
import { createApi, dataOf, publicApi, send, type Api } from './client';
import { isUnauthorized } from './errors';
import type { components } from './schema';

/** The answer of sign-in, sign-up and renewal. */
export type TokenAnswer = components['schemas']['SignedIn'];

/** The session ended on the server, or another person signed in at this browser. */
export class SessionEnded extends ManaError {
	override name = 'SessionEnded';
	constructor() {
		super('unauthorized', 'Your session has ended. Sign in again; your changes are kept on this device.');
	}
}

/** A token is renewed this long before it expires. */
const EARLY_MS = 30_000;

/**
 * The short-lived token of a user, in memory only. The cookie renews it; two renewals at once are one. A cookie that
 * has become someone else's counts as the end of this session.
 */
export class TokenHolder {
	#answer: TokenAnswer | null = null;
	#renewing: Promise<TokenAnswer> | null = null;
	/** The server's time; the device's own clock may be hours off. */
	now: () => number = Date.now;
	/** The server's routes, as this user. */
	readonly api: Api = createApi((request) => this.#send(request));

	constructor(
		readonly userId: string,
		first: TokenAnswer | null = null
	) {
		this.#answer = first;
	}

	/** A valid token; `fresh` does not trust the one that is there. */
	async get(fresh = false): Promise<TokenAnswer> {
		const answer = this.#answer;
		if (!fresh && answer && Date.parse(answer.expiresAt) - EARLY_MS > this.now()) return answer;
		this.#renewing ??= this.#renew().finally(() => (this.#renewing = null));
		return this.#renewing;
	}

	/** Sends a request as this user. On 401 the token is renewed once, then the session counts as ended. */
	async #send(request: Request): Promise<Response> {
		const again = withOptions(request.clone(), request);
		try {
			return await this.#sendWith((await this.get()).token, request);
		} catch (thrown) {
			if (!isUnauthorized(thrown)) throw thrown;
		}
		const renewed = await this.get(true);
		try {
			return await this.#sendWith(renewed.token, again);
		} catch (thrown) {
			throw isUnauthorized(thrown) ? new SessionEnded() : thrown;
		}
	}

	#sendWith(token: string, request: Request): Promise<Response> {
		request.headers.set('authorization', `Bearer ${token}`);
		return send(request);
	}

	async #renew(): Promise<TokenAnswer> {
		let answer: TokenAnswer;
		try {
			answer = await dataOf(publicApi.POST('/auth/refresh'));
		} catch (thrown) {
			throw isUnauthorized(thrown) ? new SessionEnded() : thrown;
		}
		if (answer.userId !== this.userId) throw new SessionEnded();
		this.#answer = answer;
		return answer;
	}
}

/** `Request.clone` forgets options that are not its own. */
function withOptions(clone: Request, original: Request): Request {
	return Object.assign(clone, { timeoutMs: (original as { timeoutMs?: number }).timeoutMs });
}
