import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ApiError } from '../api/errors';
import { SessionEnded, TokenHolder } from '../api/token';
import type { Replica } from './replica';
import { execute } from './executor';
import { openTab, someUser, until } from '../testing/replica';
import { pathOf } from '../testing/requests';
import { FakeServer } from '../testing/server';
import type { SyncRequest } from '../core/sync';
import { flush, retrySetAside } from './actions';
import { dropSetAside } from '$lib/features/setAside/setAside';
import { SyncDriver } from './driver';
import { startSync, SyncLoop } from './loop';
import { exportSetAside, resetStatus, syncStatus } from './status.svelte';
import { setReplica } from './current';

/** Sockets that never open: what arrives here arrives by asking. */
class SilentSocket {
	static OPEN = 1;
	readyState = 0;
	close(): void {}
}

beforeEach(() => {
	resetStatus();
	const target = new EventTarget();
	vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }));
	vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
	vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target));
	vi.stubGlobal('location', { href: 'http://127.0.0.1/', host: '127.0.0.1' });
	vi.stubGlobal('WebSocket', SilentSocket);
});
afterEach(() => {
	setReplica(null);
	vi.unstubAllGlobals();
	vi.useRealTimers();
});

function tokens(userId: string): TokenHolder {
	return new TokenHolder(userId, {
		userId,
		token: 'token',
		expiresAt: new Date(Date.now() + 3_600_000).toISOString()
	});
}

/** The server behind `fetch`, as the app calls it. */
function serve(server: FakeServer, replica: Replica, onSessionEnded = () => {}): () => void {
	vi.stubGlobal('fetch', async (request: Request) => {
		const path = pathOf(request);
		const snapshot = path.startsWith('/sync/snapshot?') ? new URLSearchParams(path.split('?')[1]) : null;
		if (path !== '/sync' && !snapshot) return new Response('{}', { status: 401 });
		try {
			const answer = snapshot
				? await server.snapshot({ after: snapshot.get('after') ?? '', logEpoch: '', logEnd: '' })
				: await server.post((await request.json()) as SyncRequest);
			return new Response(JSON.stringify(answer));
		} catch (thrown) {
			if (!(thrown instanceof ApiError)) throw thrown;
			const { status, code, message, details } = thrown;
			return new Response(JSON.stringify({ error: { code, message, details } }), { status });
		}
	});
	const stop = startSync({ replica, tokens: tokens(replica.userId), onSessionEnded });
	onTestFinished(stop);
	return stop;
}

function insert(replica: Replica, id: string) {
	return execute(replica, {
		kind: 'write',
		actor: { kind: 'user' },
		writes: [{ app: 'todo', table: 'tasks', id, op: 'insert', set: { title: id } }]
	});
}

describe('the syncing tab', () => {
	it('is one of all, and the next takes over when it closes', async () => {
		const userId = someUser();
		const server = new FakeServer();
		const [here, there] = [await openTab(userId), await openTab(userId)];
		const stopHere = serve(server, here);
		serve(server, there);
		await insert(there, 'a');
		await until(() => server.log.length === 1);
		// one tab alone answers the question who knows how things stand
		let answers = 0;
		here.bus.on('status', () => answers++);
		there.bus.publish('statusWanted', {});
		await until(() => answers > 0);
		stopHere();
		await insert(there, 'b');
		await until(() => server.log.length === 2);
	});

	it('tells how many changes wait, and that all is synced', async () => {
		const replica = await openTab(someUser());
		const server = new FakeServer();
		server.online = false;
		serve(server, replica);
		await insert(replica, 'a');
		await until(() => syncStatus.state === 'offline' && syncStatus.pending === 1);
		server.online = true;
		await flush(replica);
		await until(() => syncStatus.state === 'synced' && syncStatus.pending === 0);
		expect(syncStatus.lastSyncedAt).not.toBeNull();
	});

	it('shows why the server refuses, and keeps the outbox', async () => {
		const replica = await openTab(someUser());
		const server = new FakeServer();
		server.post = async () => {
			throw new ApiError(400, 'invalid_schema', 'This app is newer than the server.');
		};
		serve(server, replica);
		await insert(replica, 'a');
		await until(() => syncStatus.state === 'error');
		expect(syncStatus.error).toMatchObject({ code: 'invalid_schema', message: 'This app is newer than the server.' });
		expect(await replica.db.outbox.count()).toBe(1);
	});

	it('ends the session, and nothing else, where the server no longer knows it', async () => {
		const replica = await openTab(someUser());
		await insert(replica, 'a');
		const server = new FakeServer();
		server.post = async () => {
			throw new ApiError(401, 'unauthorized', 'Sign in.');
		};
		const ended = vi.fn();
		serve(server, replica, ended);
		await until(() => ended.mock.calls.length > 0);
		expect(await replica.db.outbox.count()).toBe(1);
		expect(await replica.db.records.count()).toBe(1);
	});
});

describe('flush', () => {
	it('throws at once where the database closes under it, as at a sign-out', async () => {
		const replica = await openTab(someUser());
		await insert(replica, 'a');
		const asked = new Promise<unknown>((resolve) => replica.bus.on('syncNow', resolve));
		const flushed = flush(replica, 60_000);
		await asked;
		replica.db.close();
		replica.bus.publish('synced', { ok: true });
		await expect(flushed).rejects.toMatchObject({ name: 'DatabaseClosedError' });
	});
});

describe('waiting', () => {
	it('keeps a Retry-After against requests, but not against a person', async () => {
		const replica = await openTab(someUser());
		const server = new FakeServer();
		const loop = new SyncLoop(replica, new SyncDriver(replica, server), () => {});
		onTestFinished(() => loop.stop());
		server.failures.push(new ApiError(503, 'busy', 'Too many at once.', undefined, 3_600_000));
		loop.request();
		await until(() => server.requests.length === 1);
		await insert(replica, 'a');
		await flush(replica); // asks as a person does
		expect(server.requests).toHaveLength(2);
		expect(server.log).toHaveLength(1);
	});

	it('does not hammer a server that says wait', async () => {
		const replica = await openTab(someUser());
		const server = new FakeServer();
		const loop = new SyncLoop(replica, new SyncDriver(replica, server), () => {});
		onTestFinished(() => loop.stop());
		server.failures.push(new ApiError(429, 'slow_down', 'Slower, please.', undefined, 3_600_000));
		const failed = new Promise((resolve) => replica.bus.on('synced', resolve));
		loop.request();
		await failed;
		const timers = vi.spyOn(globalThis, 'setTimeout');
		loop.request();
		const [, wait] = timers.mock.calls.at(-1) ?? [];
		expect(wait).toBeGreaterThan(3_500_000);
	});

	it('ends the session only on its end', async () => {
		const replica = await openTab(someUser());
		const ended = vi.fn();
		const server = new FakeServer();
		server.snapshot = async () => {
			throw new SessionEnded();
		};
		const failing = new SyncDriver(replica, server);
		const loop = new SyncLoop(replica, failing, ended);
		onTestFinished(() => loop.stop());
		loop.request();
		await until(() => ended.mock.calls.length === 1);
	});
});

describe('what is said', () => {
	it('is no more than there is: a look without news and a retry stay silent', async () => {
		const replica = await openTab(someUser());
		const server = new FakeServer();
		const loop = new SyncLoop(replica, new SyncDriver(replica, server), () => {});
		onTestFinished(() => loop.stop());
		const said: string[] = [];
		replica.bus.on('status', ({ state }) => said.push(state));
		const synced = () =>
			new Promise<void>((resolve) => {
				const stop = replica.bus.on('synced', () => {
					stop();
					resolve();
				});
			});
		const round = async (ask: () => unknown) => {
			const ended = synced();
			await ask();
			await ended;
		};
		await round(() => loop.request());
		await round(() => loop.request());
		expect(said).toEqual(['synced', 'synced']);
		await round(() => insert(replica, 'a'));
		expect(said.slice(2)).toEqual(['syncing', 'synced']);
	});
});

describe('changes set aside', () => {
	it('are shown with their reason, sent again, exported and dropped', async () => {
		const replica = await openTab(someUser());
		setReplica(replica);
		const server = new FakeServer();
		let refuses = true;
		server.refuse = (change) => (refuses && change.id !== 'good' ? `${change.id} is not wanted` : null);
		serve(server, replica);
		await insert(replica, 'bad');
		await insert(replica, 'worse');
		await insert(replica, 'good');
		await until(() => syncStatus.setAside.length === 2 && syncStatus.state === 'synced');
		expect(server.log.map((row) => row.change.id)).toEqual(['good']);
		expect(syncStatus.setAside.map((one) => one.reason).sort()).toEqual(['bad is not wanted', 'worse is not wanted']);
		expect(await exportSetAside().text()).toContain('"bad is not wanted"');
		const byId = (id: string) => syncStatus.setAside.find((one) => one.change.id === id)?.eventId ?? '';
		await dropSetAside(byId('worse'), replica, server.pull);
		expect(await replica.db.records.get(['todo', 'tasks', 'worse'])).toBeUndefined();
		refuses = false;
		await retrySetAside(byId('bad'));
		await until(() => server.log.length === 2 && syncStatus.setAside.length === 0);
		expect(server.log.map((row) => row.change.id)).toEqual(['good', 'bad']);
	});
});
