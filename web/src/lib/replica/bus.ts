import type { RecordKey, Row } from '../core/types';
import type { SharedStatus } from './status.svelte';

/** The events between the tabs of one user. */
export interface BusEvents {
	/** Records changed: with their rows in the tab that wrote, by key in the others. */
	records: { keys: RecordKey[] };
	/** The outbox has something to send. */
	outbox: Record<never, never>;
	/** A person wants a sync now. */
	syncNow: Record<never, never>;
	/** A round of sync ended. */
	synced: { ok: boolean; code?: string; message?: string };
	/** The syncing tab's state. */
	status: SharedStatus;
	/** A new tab asks for the syncing tab's state. */
	statusWanted: Record<never, never>;
	/** A change was set aside, sent again or dropped. */
	setAside: Record<never, never>;
	/** Everything was read anew, or the person has seen that it was. */
	resync: Record<never, never>;
	/** The person did something that can be taken back, or took it back. */
	lastActions: Record<never, never>;
	/** A session that had ended goes on: someone signed in again. */
	signedIn: Record<never, never>;
	/** A run on the server began or ended. */
	run: { missionId: string; iterationId: string; slot: string; phase: string; startedAt?: string | null };
}

type Name = keyof BusEvents;
type Listener<K extends Name> = (event: BusEvents[K], rows?: Row[]) => void;
interface Envelope<K extends Name = Name> {
	name: K;
	event: BusEvents[K];
}

/** Publishes one user's events, in this tab and the user's other tabs. */
export class Bus {
	readonly #listeners = new Map<Name, Set<Listener<Name>>>();
	#channel: BroadcastChannel | null;

	constructor(userId: string) {
		this.#channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(`mana-${userId}`);
		if (this.#channel) {
			this.#channel.onmessage = (message: MessageEvent<Envelope>) =>
				this.#deliver(message.data.name, message.data.event);
		}
	}

	/** Listens. Returns how to stop. */
	on<K extends Name>(name: K, listener: Listener<K>): () => void {
		const set = this.#listeners.get(name) ?? new Set();
		this.#listeners.set(name, set);
		set.add(listener as Listener<Name>);
		return () => set.delete(listener as Listener<Name>);
	}

	/** Publishes to every tab, this one included. `rows` stay in this tab: the others read what they need. */
	publish<K extends Name>(name: K, event: BusEvents[K], rows?: Row[]): void {
		this.#deliver(name, event, rows);
		this.#channel?.postMessage({ name, event } satisfies Envelope<K>);
	}

	close(): void {
		this.#channel?.close();
		this.#channel = null; // what is still under way has no one left to tell
		this.#listeners.clear();
	}

	#deliver<K extends Name>(name: K, event: BusEvents[K], rows?: Row[]): void {
		for (const listener of this.#listeners.get(name) ?? []) {
			(listener as Listener<K>)(event, rows);
		}
	}
}
