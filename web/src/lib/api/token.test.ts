import { beforeEach, describe, expect, it, vi } from 'vitest';
import { pathOf } from '../testing/requests';
import { dataOf, publicApi } from './client';
import { ApiError, OfflineError } from './errors';
import { SessionEnded, TokenHolder } from './token';

const fetched = vi.fn<(request: Request) => Promise<Response>>();
const later = () => new Date(Date.now() + 600_000).toISOString();
const token = (name: string, userId = 'u1') => ({ userId, token: name, expiresAt: later() });
const json = (value: unknown, status = 200, headers: Record<string, string> = {}) =>
	new Response(JSON.stringify(value), { status, headers });
const bearer = (call: number) => fetched.mock.calls[call]?.[0].headers.get('authorization');
const paths = () => fetched.mock.calls.map(([request]) => pathOf(request));
const ask = (tokens: TokenHolder) => dataOf(tokens.api.GET('/modules'));

beforeEach(() => {
	fetched.mockReset();
	vi.stubGlobal('fetch', fetched);
});

describe('a request', () => {
	it('carries the server’s own words in its error', async () => {
		fetched.mockResolvedValue(
			json({ error: { code: 'rate_limited', message: 'Wait a moment.', details: 1 } }, 429, {
				'retry-after': '7'
			})
		);
		await expect(dataOf(publicApi.GET('/app/info'))).rejects.toMatchObject({
			status: 429,
			code: 'rate_limited',
			message: 'Wait a moment.',
			retryAfterMs: 7_000
		});
	});

	it('names an answer that is not ours by its status', async () => {
		fetched.mockResolvedValue(new Response('<html>Bad gateway', { status: 502 }));
		await expect(dataOf(publicApi.GET('/app/info'))).rejects.toBeInstanceOf(ApiError);
	});

	it('has its path, query and body where the schema says', async () => {
		fetched.mockImplementation(async () => json({}));
		const params = { path: { id: 'a/b?c' } };
		await dataOf(publicApi.POST('/ai/missions/{id}/run', { params, body: { slot: 's' } }));
		await dataOf(publicApi.GET('/sync/snapshot', { params: { query: { after: '' } } }));
		expect(paths()).toEqual(['/ai/missions/a%2Fb%3Fc/run', '/sync/snapshot?after=']);
		const [sent] = fetched.mock.calls[0]!;
		expect([sent.method, sent.headers.get('content-type'), await sent.json()]).toEqual([
			'POST',
			'application/json',
			{ slot: 's' }
		]);
		expect([sent.credentials, sent.cache]).toEqual(['same-origin', 'no-store']);
	});

	it('has no data where the answer has none', async () => {
		fetched.mockResolvedValueOnce(new Response(null, { status: 204 }));
		expect(await dataOf(publicApi.POST('/auth/logout'))).toBeUndefined();
		fetched.mockResolvedValueOnce(new Response('', { status: 202 }));
		expect(await dataOf(publicApi.POST('/auth/logout'))).toBeUndefined();
	});

	it('is given up after its own time-out', async () => {
		vi.useFakeTimers();
		fetched.mockImplementation(() => new Promise(() => {}));
		const timeout = vi.spyOn(AbortSignal, 'timeout');
		void dataOf(publicApi.GET('/llm/models', { timeoutMs: 60_000 }));
		void dataOf(publicApi.GET('/llm/models'));
		await vi.waitFor(() => expect(timeout.mock.calls).toEqual([[60_000], [30_000]]));
		vi.useRealTimers();
	});

	it('is offline where nothing, or a captive portal, answers', async () => {
		fetched.mockRejectedValueOnce(new TypeError('fetch failed'));
		await expect(dataOf(publicApi.GET('/app/info'))).rejects.toBeInstanceOf(OfflineError);
		fetched.mockResolvedValueOnce(new Response('<html>Please pay', { status: 200 }));
		await expect(dataOf(publicApi.GET('/app/info'))).rejects.toBeInstanceOf(OfflineError);
	});
});

describe('the token', () => {
	it('is renewed once when the server no longer takes it', async () => {
		const tokens = new TokenHolder('u1', token('old'));
		fetched
			.mockResolvedValueOnce(json({}, 401))
			.mockResolvedValueOnce(json(token('new')))
			.mockResolvedValueOnce(json({ fine: true }));
		expect(await ask(tokens)).toEqual({ fine: true });
		expect(paths()).toEqual(['/modules', '/auth/refresh', '/modules']);
		expect([bearer(0), bearer(2)]).toEqual(['Bearer old', 'Bearer new']);
	});

	it('is renewed without losing the body or the time-out of the request', async () => {
		const tokens = new TokenHolder('u1', token('old'));
		const timeout = vi.spyOn(AbortSignal, 'timeout');
		const bodies: string[] = [];
		fetched.mockImplementation(async (request) => {
			if (pathOf(request) === '/auth/refresh') return json(token('new'));
			bodies.push(await request.text());
			return bodies.length === 1 ? json({}, 401) : json({});
		});
		const body = { clientId: 'c', since: '', changes: [] };
		await dataOf(tokens.api.POST('/sync', { body, timeoutMs: 60_000 }));
		expect(bodies).toEqual([JSON.stringify(body), JSON.stringify(body)]);
		expect(timeout.mock.calls).toEqual([[60_000], [30_000], [60_000]]);
	});

	it('ends the session where the cookie is no longer taken either', async () => {
		const tokens = new TokenHolder('u1', token('old'));
		fetched.mockImplementation(async () => json({}, 401));
		await expect(ask(tokens)).rejects.toBeInstanceOf(SessionEnded);
		expect(fetched).toHaveBeenCalledTimes(2);
	});

	it('is not taken from a cookie that is someone else’s by now', async () => {
		const tokens = new TokenHolder('u1');
		fetched.mockImplementation(async () => json(token('theirs', 'u2')));
		await expect(ask(tokens)).rejects.toBeInstanceOf(SessionEnded);
	});

	it('is renewed by one request however many want it', async () => {
		const tokens = new TokenHolder('u1');
		fetched.mockImplementation(async (request) => json(pathOf(request) === '/auth/refresh' ? token('new') : {}));
		await Promise.all([ask(tokens), ask(tokens), ask(tokens)]);
		expect(paths().filter((path) => path === '/auth/refresh')).toHaveLength(1);
	});

	it('without network is no end of the session', async () => {
		const tokens = new TokenHolder('u1');
		fetched.mockRejectedValue(new TypeError('fetch failed'));
		await expect(ask(tokens)).rejects.toBeInstanceOf(OfflineError);
	});
});
