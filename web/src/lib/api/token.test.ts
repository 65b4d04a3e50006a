import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError, OfflineError, request } from './http';
import { SessionEnded, TokenHolder } from './token';

const fetched = vi.fn<(path: string, init: RequestInit) => Promise<Response>>();
const later = () => new Date(Date.now() + 600_000).toISOString();
const token = (name: string, userId = 'u1') => ({ userId, token: name, expiresAt: later() });
const json = (value: unknown, status = 200, headers: Record<string, string> = {}) =>
	new Response(JSON.stringify(value), { status, headers });
const bearer = (call: number) => (fetched.mock.calls[call]?.[1].headers as Record<string, string>).authorization;

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
		await expect(request('/auth/login')).rejects.toMatchObject({
			status: 429,
			code: 'rate_limited',
			message: 'Wait a moment.',
			retryAfterMs: 7_000
		});
	});

	it('names an answer that is not ours by its status', async () => {
		fetched.mockResolvedValue(new Response('<html>Bad gateway', { status: 502 }));
		await expect(request('/sync')).rejects.toBeInstanceOf(ApiError);
	});

	it('is offline where nothing, or a captive portal, answers', async () => {
		fetched.mockRejectedValueOnce(new TypeError('fetch failed'));
		await expect(request('/sync')).rejects.toBeInstanceOf(OfflineError);
		fetched.mockResolvedValueOnce(new Response('<html>Please pay', { status: 200 }));
		await expect(request('/sync')).rejects.toBeInstanceOf(OfflineError);
	});
});

describe('the token', () => {
	it('is renewed once when the server no longer takes it', async () => {
		const tokens = new TokenHolder('u1', token('old'));
		fetched
			.mockResolvedValueOnce(json({}, 401))
			.mockResolvedValueOnce(json(token('new')))
			.mockResolvedValueOnce(json({ fine: true }));
		expect(await tokens.request('/sync')).toEqual({ fine: true });
		expect(fetched.mock.calls.map(([path]) => path)).toEqual(['/sync', '/auth/refresh', '/sync']);
		expect([bearer(0), bearer(2)]).toEqual(['Bearer old', 'Bearer new']);
	});

	it('ends the session where the cookie is no longer taken either', async () => {
		const tokens = new TokenHolder('u1', token('old'));
		fetched.mockImplementation(async () => json({}, 401));
		await expect(tokens.request('/sync')).rejects.toBeInstanceOf(SessionEnded);
		expect(fetched).toHaveBeenCalledTimes(2);
	});

	it('is not taken from a cookie that is someone else’s by now', async () => {
		const tokens = new TokenHolder('u1');
		fetched.mockImplementation(async () => json(token('theirs', 'u2')));
		await expect(tokens.request('/sync')).rejects.toBeInstanceOf(SessionEnded);
	});

	it('is renewed by one request however many want it', async () => {
		const tokens = new TokenHolder('u1');
		fetched.mockImplementation(async (path) => json(path === '/auth/refresh' ? token('new') : {}));
		await Promise.all([tokens.request('/a'), tokens.request('/b'), tokens.request('/c')]);
		expect(fetched.mock.calls.filter(([path]) => path === '/auth/refresh')).toHaveLength(1);
	});

	it('without network is no end of the session', async () => {
		const tokens = new TokenHolder('u1');
		fetched.mockRejectedValue(new TypeError('fetch failed'));
		await expect(tokens.request('/sync')).rejects.toBeInstanceOf(OfflineError);
	});
});
