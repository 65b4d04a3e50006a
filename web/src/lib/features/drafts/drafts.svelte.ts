/** The drafts of this device: what was written in forms and not saved. They lie in the person's own database. */
import { SvelteSet } from 'svelte/reactivity';
import { currentReplica, onReplica } from '$lib/replica/current';
import type { DraftRow } from '$lib/replica/database';
import type { Replica } from '$lib/replica/replica';

export type { DraftRow };

/** The number of drafts that a device keeps; the oldest go first. */
export const DRAFTS_KEPT = 100;
/** The days that a draft is kept for. */
export const DRAFT_DAYS = 30;
/** The characters that one draft may have, as JSON. */
export const DRAFT_CHARACTERS = 2_000_000;

let rows = $state.raw<readonly DraftRow[]>([]);
let dropped = $state(0);
/** Drafts whose form is open in this tab. */
const open = new SvelteSet<string>();
/** Drafts whose form is open in another tab. */
let elsewhere = $state.raw<ReadonlySet<string>>(new Set());
/** Drafts of other tabs whose end this tab waits for. */
const awaited = new Map<string, Promise<void>>();
/** Each open form's way to write what it still holds back, before the database closes. */
const closing = new Set<() => void>();

/** The lock that an open form holds on its draft: a killed tab lets go of it. */
const lockName = (id: string) => `mana-draft-${id}`;
const locks = (): LockManager | undefined => globalThis.navigator?.locks;

/** The drafts of this device that no form shows. */
export const drafts = {
	/** The drafts at places with this beginning, the newest first. */
	at(place: string): DraftRow[] {
		return rows
			.filter((row) => row.place.startsWith(place) && !open.has(row.id) && !elsewhere.has(row.id))
			.toSorted((a, b) => b.at.localeCompare(a.at));
	},
	/** The number of drafts that the bounds let go of, until the person has seen it. */
	get dropped(): number {
		return dropped;
	},
	sawDropped(): void {
		dropped = 0;
	}
};

let reading: Promise<void> | undefined;
/** Counts what this tab wrote. */
let writes = 0;

/** Reads the drafts of this device anew: other tabs write some too. Rejects without a replica. */
export function readDrafts(): Promise<void> {
	reading ??= read().finally(() => (reading = undefined));
	return reading;
}

async function read(): Promise<void> {
	const replica = currentReplica();
	const began = writes;
	const [stored, held] = await Promise.all([replica.db.drafts.toArray(), heldLocks()]);
	// A draft that was written or dropped here meanwhile is newer than what was read.
	if (began !== writes) return read();
	const others = stored.map(({ id }) => id).filter((id) => held.has(lockName(id)) && !open.has(id));
	elsewhere = new Set(others);
	rows = withinBounds(replica, stored);
	others.forEach(awaitEnd);
}

async function heldLocks(): Promise<Set<string>> {
	const { held = [] } = (await locks()?.query?.()) ?? {};
	return new Set(held.map(({ name }) => name ?? ''));
}

/** A form in another tab holds the draft; when it closes, or its tab is killed, the draft is anybody's. */
function awaitEnd(id: string): void {
	if (awaited.has(id)) return;
	const ended = () => void awaited.delete(id);
	// The lock is let go of before the drafts are read, or it would seem to be held still.
	const freed: Promise<void> | undefined = locks()
		?.request(lockName(id), ended)
		.then(() => readDrafts())
		.catch(ended);
	if (freed) awaited.set(id, freed);
}

/** The time in which a page that is loaded again, or was killed, lets go of its drafts, in ms. */
const FREED_WITHIN_MS = 2000;

/**
 * Reads the drafts and looks for one at a place. Where another page still holds one there, as the page before this one
 * does for a moment, looks again once it is let go of. Rejects without a replica.
 */
export async function lookForDraft(place: string, look: () => boolean): Promise<void> {
	await readDrafts();
	if (look()) return;
	const held = rows.filter((row) => row.place === place).flatMap(({ id }) => awaited.get(id) ?? []);
	if (held.length === 0) return;
	const late = new Promise((resolve) => setTimeout(resolve, FREED_WITHIN_MS, 'late'));
	if ((await Promise.race([late, ...held])) !== 'late') look();
}

/** Drops the drafts beyond the bounds. */
function withinBounds(replica: Replica, all: readonly DraftRow[]): DraftRow[] {
	const oldest = new Date(Date.now() - DRAFT_DAYS * 86_400_000).toISOString();
	const newestFirst = all.toSorted((a, b) => b.at.localeCompare(a.at));
	const kept = newestFirst.filter(
		({ id, at }, index) => open.has(id) || elsewhere.has(id) || (index < DRAFTS_KEPT && at >= oldest)
	);
	if (kept.length < all.length) {
		dropped += all.length - kept.length;
		const ids = all.filter((row) => !kept.includes(row)).map(({ id }) => id);
		replica.db.drafts.bulkDelete(ids).catch(() => {});
	}
	return kept;
}

/**
 * Keeps a draft; false where it is too long or the device has no room. The write is asked for and committed before this
 * returns its promise: IndexedDB finishes it where the form, its tab or the database closes right after.
 */
export function keepDraft(replica: Replica, row: DraftRow): Promise<boolean> {
	if (JSON.stringify(row).length > DRAFT_CHARACTERS) return Promise.resolve(false);
	writes++;
	rows = withinBounds(replica, [...rows.filter(({ id }) => id !== row.id), row]);
	return committed(replica, row).then(
		() => true,
		() => {
			// The draft before this one stays.
			void readDrafts().catch(() => {});
			return false;
		}
	);
}

/** Writes a draft in a transaction of its own; rejects where the database is closed or has no room. */
function committed(replica: Replica, row: DraftRow): Promise<void> {
	return new Promise((resolve, reject) => {
		const transaction = replica.db.backendDB().transaction('drafts', 'readwrite');
		const refused = () => reject(transaction.error ?? new Error('the draft was not written'));
		transaction.oncomplete = () => resolve();
		transaction.onabort = refused;
		transaction.onerror = refused;
		transaction.objectStore('drafts').put(row);
		// A tab that goes away has no later moment in which the transaction could commit by itself.
		transaction.commit();
	});
}

/** Drops a draft: it was saved or discarded. */
export async function dropDraft(id: string): Promise<void> {
	writes++;
	rows = rows.filter((row) => row.id !== id);
	await currentReplica().db.drafts.delete(id);
}

/** Marks a draft as shown by a form of this tab, which `close` writes last. Returns how to end that. */
export function holdDraft(id: string, close: () => void): () => void {
	let held = true;
	let release = () => {};
	open.add(id);
	closing.add(close);
	const until = () => (held ? new Promise<void>((resolve) => (release = resolve)) : undefined);
	locks()
		?.request(lockName(id), until)
		.catch(() => {});
	return () => {
		held = false;
		open.delete(id);
		closing.delete(close);
		release();
	};
}

onReplica((replica) => {
	if (!replica) return;
	const leave = () => closing.forEach((close) => close());
	const shown = () => (document.hidden ? leave() : void readDrafts().catch(() => {}));
	globalThis.addEventListener?.('pagehide', leave);
	globalThis.document?.addEventListener('visibilitychange', shown);
	return () => {
		leave();
		globalThis.removeEventListener?.('pagehide', leave);
		globalThis.document?.removeEventListener('visibilitychange', shown);
		rows = [];
		elsewhere = new Set();
		dropped = 0;
	};
});
