import { ManaError } from '../core/errors';
import type { components } from './schema';
import { ApiError, request, type RequestOptions } from './http';

type Schemas = components['schemas'];

/** What sign-in, sign-up and refresh answer. */
export type TokenAnswer = Schemas['SignedIn'];

/** The session ended on the server, or another person signed in at this browser. */
export class SessionEnded extends ManaError {
	override name = 'SessionEnded';
	constructor() {
		super('unauthorized', 'Your session has ended. Sign in again; your changes are kept on this device.');
	}
}

/** Renew this long before it expires. */
const EARLY_MS = 30_000;

/**
 * The short-lived token, in memory only. The cookie renews it; two renewals at once are one. It belongs to one user:
 * when the cookie has become someone else's, that counts as the end of this session.
 */
export class TokenHolder {
	#answer: TokenAnswer | null = null;
	#renewing: Promise<TokenAnswer> | null = null;
	/** The server's time; the device's own clock may be hours off. */
	now: () => number = Date.now;

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

	/** A request as this user: on 401 the token is renewed once, then the session counts as ended. */
	async request<T>(path: string, options: RequestOptions = {}): Promise<T> {
		const { token } = await this.get();
		try {
			return await request<T>(path, { ...options, token });
		} catch (thrown) {
			if (!isUnauthorised(thrown)) throw thrown;
		}
		const renewed = await this.get(true);
		try {
			return await request<T>(path, { ...options, token: renewed.token });
		} catch (thrown) {
			throw isUnauthorised(thrown) ? new SessionEnded() : thrown;
		}
	}

	async #renew(): Promise<TokenAnswer> {
		let answer: TokenAnswer;
		try {
			answer = await request<TokenAnswer>('/auth/refresh', { method: 'POST' });
		} catch (thrown) {
			throw isUnauthorised(thrown) ? new SessionEnded() : thrown;
		}
		if (answer.userId !== this.userId) throw new SessionEnded();
		this.#answer = answer;
		return answer;
	}
}

function isUnauthorised(thrown: unknown): boolean {
	return thrown instanceof ApiError && thrown.status === 401;
}
