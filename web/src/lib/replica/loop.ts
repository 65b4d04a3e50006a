import { v7 as uuid } from 'uuid';
import { dataOf } from '../api/client';
import { ApiError, OfflineError } from '../api/errors';
import { SessionEnded, type TokenHolder } from '../api/token';
import { asManaError } from '../core/errors';
import type { Replica } from './replica';
import { Backoff } from './backoff';
import { SyncDriver } from './driver';
import { aborted, asOnly } from './locks';
import { Socket } from './socket';
import { syncStatus, type SharedStatus } from './status.svelte';
import type { SyncAnswer } from '../core/sync';
import type { SyncServer } from './server';

/** The longest time between two syncs, should every notice have been lost. */
const SAFETY_MS = 60_000;

export interface SyncOptions {
	replica: Replica;
	tokens: TokenHolder;
	onSessionEnded: () => void;
}

/**
 * Keeps a replica in step with the server while this tab lives. Only the tab that holds the lock talks to the server;
 * the others send it their wishes and hear its state. Returns how to stop.
 */
export function startSync({ replica, tokens, onSessionEnded }: SyncOptions): () => void {
	const controller = new AbortController();
	const { signal } = controller;
	const stopFollowing = followStatus(replica);
	const timeoutMs = 60_000;
	// No copy of this browser's data has it, which the client id does not say.
	const connectionId = uuid();
	const header = { 'X-Connection-Id': connectionId };
	const server: SyncServer = {
		post: async (body) =>
			(await dataOf(tokens.api.POST('/sync', { params: { header }, body, timeoutMs }))) as SyncAnswer,
		snapshot: (query) => dataOf(tokens.api.GET('/sync/snapshot', { params: { query }, timeoutMs })),
		join: (body) => dataOf(tokens.api.POST('/sync/join', { body, timeoutMs }))
	};
	asOnly(`mana-sync-${replica.userId}`, signal, async () => {
		const loop = new SyncLoop(replica, new SyncDriver(replica, server), onSessionEnded);
		const socket = new Socket({
			connectionId,
			tokens,
			onSessionEnded,
			onOpen: () => loop.request(),
			onMessage: (message) => {
				if (message.type === 'sync-available') loop.request();
				else if (message.type === 'run') replica.bus.publish('run', message);
			}
		});
		const online = () => {
			socket.reconnect();
			loop.request(true);
		};
		const visible = () => document.visibilityState === 'visible' && online();
		addEventListener('online', online);
		document.addEventListener('visibilitychange', visible);
		loop.request();
		await aborted(signal);
		removeEventListener('online', online);
		document.removeEventListener('visibilitychange', visible);
		socket.close();
		loop.stop();
	}).catch((thrown: unknown) => console.error('the sync of this tab has ended', thrown));
	return () => {
		controller.abort();
		stopFollowing();
	};
}

/** Decides when to sync: on request, after a failure with a back-off, and every minute. */
export class SyncLoop {
	#running = false;
	#again = false;
	#stopped = false;
	#timer: ReturnType<typeof setTimeout> | undefined;
	/** Before this time only a person's wish or the network's return asks again. */
	#notBefore = 0;
	#asked = false;
	readonly #backoff = new Backoff();
	readonly #stops: (() => void)[];
	#status: SharedStatus = { state: 'syncing', lastSyncedAt: null, error: null };

	constructor(
		readonly replica: Replica,
		readonly driver: SyncDriver,
		readonly onSessionEnded: () => void
	) {
		const { bus } = replica;
		this.#stops = [
			bus.on('outbox', () => this.request()),
			bus.on('syncNow', () => this.request(true)),
			bus.on('statusWanted', () => bus.publish('status', this.#status))
		];
	}

	/** Syncs soon. `eager`, for a person's wish or the network's return, syncs during a back-off too. */
	request(eager = false): void {
		if (this.#stopped) return;
		this.#asked ||= eager;
		if (this.#running) {
			this.#again = true;
			return;
		}
		const wait = eager ? 0 : Math.max(0, this.#notBefore - Date.now());
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => void this.#run(), wait);
	}

	stop(): void {
		this.#stopped = true;
		clearTimeout(this.#timer);
		for (const stop of this.#stops) stop();
	}

	async #run(): Promise<void> {
		this.#running = true;
		this.#again = false;
		let wait = SAFETY_MS;
		try {
			await this.#tellBusy();
			await this.driver.sync();
			if (this.#stopped) return;
			this.#backoff.reset();
			this.#notBefore = 0;
			this.#tell({ state: 'synced', lastSyncedAt: new Date().toISOString(), error: null });
			this.replica.bus.publish('synced', { ok: true });
		} catch (thrown) {
			if (this.#stopped) return;
			wait = this.#failed(thrown);
		} finally {
			this.#running = false;
		}
		if (this.#stopped) return;
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => void this.#run(), this.#again && !this.#notBefore ? 0 : wait);
	}

	/** Publishes `syncing` where a person waits for it. The regular sync and a retry stay silent. */
	async #tellBusy(): Promise<void> {
		const waits = this.#status.state === 'synced' && (await this.replica.db.outbox.count()) > 0;
		if (waits || this.#asked) this.#tell({ ...this.#status, state: 'syncing' });
		this.#asked = false;
	}

	/** Publishes a failure, and returns how many ms to wait after it. */
	#failed(thrown: unknown): number {
		const error = asManaError(thrown);
		const offline = error instanceof OfflineError;
		const wait = this.#backoff.next(error instanceof ApiError ? error.retryAfterMs : 0);
		this.#notBefore = Date.now() + wait;
		this.#tell({
			state: offline ? 'offline' : 'error',
			lastSyncedAt: this.#status.lastSyncedAt,
			error: offline ? null : { code: error.code, message: error.message }
		});
		this.replica.bus.publish('synced', { ok: false, code: error.code, message: error.message });
		if (error instanceof SessionEnded) this.onSessionEnded();
		return wait;
	}

	#tell(status: SharedStatus): void {
		this.#status = status;
		this.replica.bus.publish('status', status);
	}
}

/** Shows in this tab the state of the syncing tab, and what waits in the database. */
function followStatus(replica: Replica): () => void {
	const { bus, db } = replica;
	const count = () => void db.outbox.count().then((waiting) => (syncStatus.pending = waiting), closed);
	const listSetAside = () => void db.setAside.toArray().then((rows) => (syncStatus.setAside = rows), closed);
	const readResync = () => void db.readMeta('resync').then((one) => (syncStatus.resync = one ?? null), closed);
	const stops = [
		bus.on('resync', readResync),
		bus.on('status', (status) => Object.assign(syncStatus, status)),
		bus.on('outbox', count),
		bus.on('synced', count),
		bus.on('setAside', () => {
			listSetAside();
			count();
		})
	];
	void db.readMeta('lastSyncedAt').then((at) => {
		syncStatus.lastSyncedAt ??= at ?? null;
	}, closed);
	count();
	listSetAside();
	readResync();
	bus.publish('statusWanted', {});
	return () => stops.forEach((stop) => stop());
}

/** The database closed under a read because the session ended. There is nothing to show. */
function closed(): void {}
