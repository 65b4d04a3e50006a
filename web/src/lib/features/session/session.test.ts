import Dexie from 'dexie';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { collection } from '$lib/replica/collection.svelte';
import { currentReplica } from '$lib/replica/current';
import { createRecord } from '$lib/features/records/records';
import { modules } from '$lib/features/records/modules.svelte';
import { factorChanged, session, signIn, retryStart, signOut, startSession, useBackground } from './session.svelte';
import { manifests, someUser, until } from '$lib/testing/replica';
import { pathOf } from '$lib/testing/requests';

/** The account routes, and whose cookie the browser has. */
class FakeAccounts {
	cookie: string | null = null;
	online = true;
	/** From when on the account needs a second factor. */
	factorFrom: string | undefined;
	readonly calls: string[] = [];

	fetch = async (request: Request): Promise<Response> => {
		const path = pathOf(request);
		this.calls.push(path);
		if (!this.online) throw new TypeError('fetch failed');
		const answer = (value: unknown, status = 200) => new Response(JSON.stringify(value), { status });
		const refused = answer({ error: { code: 'unauthorized', message: 'Sign in.' } }, 401);
		if (path === '/auth/login') {
			const { email } = (await request.json()) as { email: string };
			this.cookie = email;
			return answer(this.#token());
		}
		if (path === '/auth/logout') {
			this.cookie = null;
			return new Response(null, { status: 204 });
		}
		if (!this.cookie) return refused;
		if (path === '/auth/refresh') return answer(this.#token());
		if (path === '/auth/me') {
			return answer({
				userId: this.cookie,
				email: this.cookie,
				name: '',
				timezone: 'UTC',
				locale: 'en',
				role: 'owner',
				secondFactorNeededFrom: this.factorFrom
			});
		}
		if (this.factorFrom && Date.parse(this.factorFrom) <= Date.now())
			return answer({ error: { code: 'second_factor_required', message: 'Add one.' } }, 403);
		if (path === '/modules') return answer(manifests);
		if (path.startsWith('/sync/snapshot?')) {
			return answer({
				records: [],
				after: null,
				hasMore: false,
				syncedUntil: '1',
				serverTime: new Date().toISOString()
			});
		}
		if (path === '/sync') {
			return answer({
				serverChanges: [],
				syncedUntil: '1',
				hasMore: false,
				serverTime: new Date().toISOString(),
				adjusted: []
			});
		}
		return answer({ error: { code: 'not_found', message: path } }, 404);
	};

	#token() {
		return {
			userId: this.cookie,
			token: `token of ${this.cookie}`,
			expiresAt: new Date(Date.now() + 600_000).toISOString()
		};
	}
}

class SilentSocket {
	static OPEN = 1;
	close(): void {}
}

let server: FakeAccounts;
const tasks = collection('todo', 'tasks');

beforeEach(() => {
	useBackground(() => import('$lib/shell/background'));
	server = new FakeAccounts();
	localStorage.removeItem('mana.user');
	localStorage.removeItem('mana.logout-pending');
	const events = new EventTarget();
	vi.stubGlobal('fetch', server.fetch);
	vi.stubGlobal('WebSocket', SilentSocket);
	vi.stubGlobal('location', { href: 'http://127.0.0.1/', host: '127.0.0.1' });
	vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }));
	vi.stubGlobal('addEventListener', events.addEventListener.bind(events));
	vi.stubGlobal('removeEventListener', events.removeEventListener.bind(events));
});
afterEach(async () => {
	server.online = true;
	await signOut();
	vi.unstubAllGlobals();
});

/** The tab is closed and opened again: memory is gone, storage stays. */
async function restart(): Promise<void> {
	const profile = localStorage.getItem('mana.user');
	const { cookie, online } = server;
	const pending = localStorage.getItem('mana.logout-pending');
	await signOut();
	Object.assign(server, { cookie, online });
	if (profile) localStorage.setItem('mana.user', profile);
	if (pending) localStorage.setItem('mana.logout-pending', pending);
	else localStorage.removeItem('mana.logout-pending');
	server.calls.length = 0;
	await startSession();
}

describe('a session', () => {
	it('begins signed out where nobody was here', async () => {
		await startSession();
		expect(session).toMatchObject({ status: 'out', user: null });
	});

	it('opens the person’s own database and modules', async () => {
		const ada = someUser();
		await signIn(ada, 'secret');
		expect(session).toMatchObject({ status: 'in', user: { userId: ada } });
		expect(modules.map((one) => one.id)).toContain('todo');
		expect(modules.map((one) => one.id)).not.toContain('ai');
		expect(await Dexie.getDatabaseNames()).toContain(`mana-${ada}`);
	});

	it('waits for the second factor that everyone needs, and opens nothing before', async () => {
		const ada = someUser();
		server.factorFrom = new Date(Date.now() - 1000).toISOString();
		await signIn(ada, 'secret');
		expect(session).toMatchObject({ status: 'factor', user: { userId: ada } });
		expect(await Dexie.getDatabaseNames()).not.toContain(`mana-${ada}`);
		expect(localStorage.getItem('mana.user')).toBe(null);
		// The tab is opened again before it is added.
		await startSession();
		expect(session.status).toBe('factor');
		server.factorFrom = undefined;
		await factorChanged();
		expect(session).toMatchObject({ status: 'in', user: { userId: ada } });
	});

	it('goes on until the day from which everyone needs a second factor', async () => {
		const ada = someUser();
		server.factorFrom = new Date(Date.now() + 3_600_000).toISOString();
		await signIn(ada, 'secret');
		expect(session).toMatchObject({ status: 'in', user: { secondFactorNeededFrom: server.factorFrom } });
	});

	it('is found again by its cookie', async () => {
		server.cookie = someUser();
		await startSession();
		expect(session.status).toBe('in');
	});

	it('starts without network with whoever was here, and works', async () => {
		const ada = someUser();
		await signIn(ada, 'secret');
		server.online = false;
		await restart();
		expect(session).toMatchObject({ status: 'in', user: { userId: ada } });
		const id = await createRecord('todo', 'tasks', { title: 'Written offline' });
		await until(() => tasks.get(id));
		expect(await currentReplica().db.outbox.count()).toBe(1);
	});

	it('has one database and one sync, however often it is started at once', async () => {
		server.cookie = someUser();
		await Promise.all([startSession(), startSession()]);
		const id = await createRecord('todo', 'tasks', { title: 'Sent' });
		await until(async () => (await currentReplica().db.outbox.count()) === 0);
		expect(tasks.get(id)?.data.title).toBe('Sent');
	});

	it('keeps no token in storage', async () => {
		await signIn(someUser(), 'secret');
		expect(localStorage.getItem('mana.user')).not.toContain('token');
	});

	it('that expired ends when the server says so, and keeps what is on the device', async () => {
		const ada = someUser();
		await signIn(ada, 'secret');
		server.online = false;
		const id = await createRecord('todo', 'tasks', { title: 'Not sent yet' });
		server.cookie = null;
		server.online = true;
		await restart();
		await until(() => session.status === 'out');
		expect(session.expired).toBe(true);
		await signIn(ada, 'secret');
		expect(session.expired).toBe(false);
		await until(() => tasks.get(id)?.data.title === 'Not sent yet');
	});

	it('that ends during work leaves the page as it is, and goes on when the person signs in again', async () => {
		const ada = someUser();
		await signIn(ada, 'secret');
		const replica = currentReplica();
		server.cookie = null;
		const id = await createRecord('todo', 'tasks', { title: 'Typed meanwhile' });
		await until(() => session.expired);
		expect(session).toMatchObject({ status: 'in', user: { userId: ada } });
		expect(tasks.get(id)?.data.title).toBe('Typed meanwhile');
		await signIn(ada, 'secret');
		expect(session).toMatchObject({ status: 'in', expired: false });
		expect(currentReplica()).toBe(replica);
		await until(async () => (await replica.db.outbox.count()) === 0);
	});

	it('that ended is not handed to another person with what was on screen', async () => {
		await signIn(someUser(), 'secret');
		server.cookie = null;
		await createRecord('todo', 'tasks', { title: 'Private' });
		await until(() => session.expired);
		const bob = someUser();
		let whileOpening = '';
		vi.stubGlobal('fetch', (request: Request) => {
			if (pathOf(request) === '/modules') whileOpening ||= session.status;
			return server.fetch(request);
		});
		await signIn(bob, 'secret');
		expect(whileOpening).toBe('out');
		expect(session).toMatchObject({ status: 'in', expired: false, user: { userId: bob } });
		await until(() => tasks.ready);
		expect(tasks.rows).toEqual([]);
	});

	it('signed out leaves nothing to the next person at the same browser', async () => {
		await signIn(someUser(), 'secret');
		await createRecord('todo', 'tasks', { title: 'Private' });
		await until(() => tasks.rows.length === 1);
		await signOut();
		expect(server.cookie).toBeNull();
		expect(localStorage.getItem('mana.user')).toBeNull();
		expect(tasks.rows).toEqual([]);
		await signIn(someUser(), 'secret');
		await until(() => tasks.ready);
		expect(tasks.rows).toEqual([]);
	});

	it('says why a start failed, keeps the profile, and starts at the next try', async () => {
		const ada = someUser();
		await signIn(ada, 'secret');
		const background = await import('$lib/shell/background');
		const openReplica = () => Promise.reject(new DOMException('Internal error opening backing store', 'UnknownError'));
		vi.spyOn(console, 'error').mockImplementation(() => {});
		useBackground(() => Promise.resolve({ ...background, openReplica }));
		await restart();
		expect(session).toMatchObject({ status: 'failed', startError: { code: 'storage_unreadable' } });
		useBackground(() => Promise.resolve(background));
		await retryStart();
		expect(session).toMatchObject({ status: 'in', startError: null, user: { userId: ada } });
	});

	it('tells a failed load of the app from a missing session', async () => {
		server.cookie = someUser();
		vi.spyOn(console, 'error').mockImplementation(() => {});
		useBackground(() => Promise.reject(new TypeError('Failed to fetch dynamically imported module')));
		await startSession();
		expect(session).toMatchObject({ status: 'failed', startError: { code: 'unexpected' } });
	});

	it('signed out without network is ended on the server before anyone is let in again', async () => {
		await signIn(someUser(), 'secret');
		server.online = false;
		await signOut();
		expect(session.status).toBe('out');
		server.online = true;
		server.calls.length = 0;
		await startSession();
		expect(server.calls).toEqual(['/auth/logout', '/auth/refresh']);
		expect(session.status).toBe('out');
	});

	it('a sign-out that empties the device leaves nothing on it, and tells the server when it can', async () => {
		vi.stubGlobal('sessionStorage', { clear: vi.fn() });
		server.cookie = someUser();
		await signIn(server.cookie, 'x');
		localStorage.setItem('mana.theme', 'dark');
		await createRecord('todo', 'tasks', { title: 'Nobody reads this' });
		expect((await indexedDB.databases()).length).toBeGreaterThan(0);
		server.online = false;
		await signOut({ empty: true });
		expect((await indexedDB.databases()).filter(({ name }) => name?.startsWith('mana-'))).toEqual([]);
		expect(localStorage.getItem('mana.theme')).toBeNull();
		expect(localStorage.getItem('mana.user')).toBeNull();
		expect(localStorage.getItem('mana.logout-pending')).toBe('empty');
		server.online = true;
		await retryStart();
		expect(server.cookie).toBeNull();
		expect(localStorage.getItem('mana.logout-pending')).toBeNull();
	});
});
