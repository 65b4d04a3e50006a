import type { TokenHolder } from '../api/token';
import { SessionEnded } from '../api/token';
import { Backoff } from './backoff';

/** A message of the server on the socket. */
export type SocketMessage =
	| { type: 'auth-ok' }
	| { type: 'pong' }
	| { type: 'sync-available'; appId?: string; tables?: string[] }
	| { type: 'run'; missionId: string; iterationId: string; slot: string; phase: string; startedAt?: string | null };

export interface SocketOptions {
	/** The name under which this tab pushes: the socket is not told of its own pushes. */
	connectionId: string;
	tokens: TokenHolder;
	onMessage: (message: SocketMessage) => void;
	/** Called when the connection is authenticated. Earlier notices are lost, so the caller syncs. */
	onOpen: () => void;
	onSessionEnded: () => void;
}

const PING_MS = 25_000;
const PONG_WITHIN_MS = 10_000;
/** Authenticate again this long before the token expires. */
const REAUTH_EARLY_MS = 60_000;

/** The socket for the server's notices, which stays open, and reopens, until `close`. */
export class Socket {
	readonly #options: SocketOptions;
	readonly #backoff = new Backoff();
	#socket: WebSocket | null = null;
	#timers = new Set<ReturnType<typeof setTimeout>>();
	#pongTimer: ReturnType<typeof setTimeout> | undefined;
	#retry: ReturnType<typeof setTimeout> | undefined;
	#authenticated = false;
	#closed = false;

	constructor(options: SocketOptions) {
		this.#options = options;
		void this.#open();
	}

	/** Connects at once, for example when the network is back. */
	reconnect(): void {
		if (this.#closed || this.#socket) return;
		clearTimeout(this.#retry);
		this.#backoff.reset();
		void this.#open();
	}

	close(): void {
		this.#closed = true;
		clearTimeout(this.#retry);
		this.#drop();
	}

	async #open(): Promise<void> {
		let token;
		try {
			token = await this.#options.tokens.get();
		} catch (thrown) {
			if (thrown instanceof SessionEnded) this.#options.onSessionEnded();
			else this.#later();
			return;
		}
		if (this.#closed || this.#socket) return;
		const url = new URL('/ws', location.href);
		url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
		const socket = new WebSocket(url);
		this.#socket = socket;
		socket.onopen = () => this.#authenticate(token.token, token.expiresAt);
		socket.onmessage = (event) => this.#receive(String(event.data));
		socket.onclose = () => {
			if (this.#socket !== socket) return;
			this.#drop();
			this.#later();
		};
	}

	#authenticate(token: string, expiresAt: string): void {
		this.#send({ type: 'auth', token, connectionId: this.#options.connectionId });
		const inMs = Date.parse(expiresAt) - this.#options.tokens.now() - REAUTH_EARLY_MS;
		this.#after(Math.max(5_000, inMs), () => void this.#renewToken());
	}

	async #renewToken(): Promise<void> {
		try {
			const renewed = await this.#options.tokens.get(true);
			if (this.#socket) this.#authenticate(renewed.token, renewed.expiresAt);
		} catch (thrown) {
			// Without a network the socket closes by itself, and opening it again asks for a new token.
			if (thrown instanceof SessionEnded) this.#options.onSessionEnded();
		}
	}

	#receive(text: string): void {
		let message: SocketMessage;
		try {
			message = JSON.parse(text) as SocketMessage;
		} catch {
			return; // a newer server may say what this app does not know
		}
		if (message.type === 'pong') clearTimeout(this.#pongTimer);
		else if (message.type === 'auth-ok') {
			if (this.#authenticated) return; // only renewed
			this.#authenticated = true;
			this.#backoff.reset();
			this.#ping();
			this.#options.onOpen();
		} else this.#options.onMessage(message);
	}

	#ping(): void {
		this.#after(PING_MS, () => {
			this.#send({ type: 'ping' });
			// a connection that a sleeping laptop lost says nothing; silence ends it
			this.#pongTimer = setTimeout(() => this.#socket?.close(), PONG_WITHIN_MS);
			this.#ping();
		});
	}

	#send(message: unknown): void {
		if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
	}

	#after(ms: number, run: () => void): void {
		const timer = setTimeout(
			() => {
				this.#timers.delete(timer);
				run();
			},
			Math.min(ms, 2 ** 31 - 1)
		);
		this.#timers.add(timer);
	}

	#later(): void {
		if (this.#closed) return;
		this.#retry = setTimeout(() => void this.#open(), this.#backoff.next());
	}

	#drop(): void {
		for (const timer of this.#timers) clearTimeout(timer);
		this.#timers.clear();
		clearTimeout(this.#pongTimer);
		this.#authenticated = false;
		const socket = this.#socket;
		this.#socket = null;
		socket?.close();
	}
}
