import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { TokenHolder } from '../api/token';
import { Backoff } from './backoff';
import { Socket } from './socket';

/** A WebSocket whose other end is the test. */
class FakeSocket {
	static OPEN = 1;
	static all: FakeSocket[] = [];
	readyState = 0;
	readonly sent: { type: string; token?: string; connectionId?: string }[] = [];
	onopen = () => {};
	onclose = () => {};
	onmessage = (_event: { data: string }) => {};

	constructor(readonly url: URL) {
		FakeSocket.all.push(this);
	}
	send(text: string): void {
		this.sent.push(JSON.parse(text) as { type: string });
	}
	close(): void {
		if (this.readyState === 3) return;
		this.readyState = 3;
		this.onclose();
	}
	open(): void {
		this.readyState = 1;
		this.onopen();
	}
	say(message: unknown): void {
		this.onmessage({ data: JSON.stringify(message) });
	}
}

const last = () => FakeSocket.all.at(-1) as FakeSocket;

beforeEach(() => {
	vi.useFakeTimers();
	FakeSocket.all = [];
	vi.stubGlobal('WebSocket', FakeSocket);
	vi.stubGlobal('location', { href: 'https://mana.example/todo' });
});
afterEach(() => {
	vi.useRealTimers();
	vi.unstubAllGlobals();
});

async function connect(expiresInMs = 3_600_000) {
	let renewals = 0;
	vi.stubGlobal('fetch', async () => {
		renewals++;
		const expiresAt = new Date(Date.now() + expiresInMs).toISOString();
		return new Response(JSON.stringify({ userId: 'u1', token: `token ${renewals}`, expiresAt }));
	});
	const heard: unknown[] = [];
	const opened = vi.fn();
	const ended = vi.fn();
	const socket = new Socket({
		connectionId: 'c1',
		tokens: new TokenHolder('u1'),
		onMessage: (message) => heard.push(message),
		onOpen: opened,
		onSessionEnded: ended
	});
	onTestFinished(() => socket.close());
	await vi.advanceTimersByTimeAsync(0);
	return { socket, heard, opened, ended };
}

describe('the notice line', () => {
	it('says who it is, and then hears', async () => {
		const { heard, opened } = await connect();
		expect(String(last().url)).toBe('wss://mana.example/ws');
		last().open();
		expect(last().sent).toEqual([{ type: 'auth', token: 'token 1', connectionId: 'c1' }]);
		expect(opened).not.toHaveBeenCalled();
		last().say({ type: 'auth-ok' });
		expect(opened).toHaveBeenCalledOnce();
		last().say({ type: 'sync-available', appId: 'todo', tables: ['tasks'] });
		last().onmessage({ data: 'not JSON' });
		expect(heard).toEqual([{ type: 'sync-available', appId: 'todo', tables: ['tasks'] }]);
	});

	it('is opened again after a loss, and asks what it missed', async () => {
		const { opened } = await connect();
		last().open();
		last().say({ type: 'auth-ok' });
		last().close();
		await vi.advanceTimersByTimeAsync(1_000);
		expect(FakeSocket.all).toHaveLength(2);
		last().open();
		last().say({ type: 'auth-ok' });
		expect(opened).toHaveBeenCalledTimes(2);
	});

	it('notices a connection that only looks alive', async () => {
		await connect();
		last().open();
		last().say({ type: 'auth-ok' });
		await vi.advanceTimersByTimeAsync(25_000);
		expect(last().sent.at(-1)).toEqual({ type: 'ping' });
		last().say({ type: 'pong' });
		await vi.advanceTimersByTimeAsync(15_000);
		expect(last().readyState).toBe(1);
		await vi.advanceTimersByTimeAsync(10_000); // the second ping, which nobody answers
		expect(last().sent.filter((one) => one.type === 'ping')).toHaveLength(2);
		await vi.advanceTimersByTimeAsync(11_000);
		expect(FakeSocket.all[0]?.readyState).toBe(3);
		expect(FakeSocket.all).toHaveLength(2);
	});

	it('authenticates again before its token expires, on the same line', async () => {
		const { opened } = await connect(300_000);
		last().open();
		last().say({ type: 'auth-ok' });
		for (let second = 0; second < 245; second += 5) {
			await vi.advanceTimersByTimeAsync(5_000);
			last().say({ type: 'pong' });
		}
		last().say({ type: 'auth-ok' });
		expect(
			last()
				.sent.filter((one) => one.type === 'auth')
				.map((one) => one.token)
		).toEqual(['token 1', 'token 2']);
		expect(opened).toHaveBeenCalledOnce();
	});

	it('does not come back after it was closed', async () => {
		const { socket } = await connect();
		last().open();
		socket.close();
		await vi.advanceTimersByTimeAsync(600_000);
		expect(FakeSocket.all).toHaveLength(1);
	});
});

describe('waiting after failures', () => {
	it('doubles up to a minute, is spread out, and keeps a server’s word', () => {
		const waits = (random: number) => {
			const backoff = new Backoff(() => random);
			return Array.from({ length: 8 }, () => backoff.next());
		};
		expect(waits(1)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
		expect(waits(0)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
		const backoff = new Backoff(() => 1);
		expect(backoff.next(90_000)).toBe(90_000);
		backoff.reset();
		expect(backoff.next()).toBe(1_000);
	});
});
