import type { SyncCommit, SyncEvent, SyncRequest } from '../core/sync';
import type { RecordKey } from '../core/types';
import type { ManaDb, Resync } from './database';
import { keyName, uniqueKeys } from './rows';

/** Run records are the server's to tell, and to forget. */
const RUNS = 'aiRuns';

/** Notes beside a sync what its person has to be told where everything was read anew. It decides nothing. */
export class ResyncWatch {
	#reason: Resync['reason'] | undefined;
	#lost: RecordKey[] = [];

	/**
	 * Counts the records that a request offers to the server, before it is sent: a page that is closed meanwhile does
	 * not learn that they arrived, and does not offer them again.
	 */
	async offer(db: ManaDb, records: RecordKey[]): Promise<void> {
		await edit(db, (known) => ({ ...known, offered: union(known.offered, records) }));
	}

	/** Takes the records out of the count that the server refused. */
	async takeBack(db: ManaDb, records: RecordKey[]): Promise<void> {
		const refused = new Set(records.map(keyName));
		await edit(db, (known) => ({ ...known, offered: known.offered.filter((key) => !refused.has(keyName(key))) }));
	}

	/** Hears the end of a request; `push` is what it sent. */
	hear(event: SyncEvent, push: SyncRequest | undefined): void {
		if ('answered' in event && push) {
			const unchanged = new Set(event.answered.answer.unchanged);
			const lost = push.changes.filter(({ eventId }) => unchanged.has(eventId));
			this.#lost = lost.map(({ appId, table, id }) => ({ app: appId, table, id }));
		}
		if (!('failed' in event) || !('refused' in event.failed.error)) return;
		const { code, details } = event.failed.error.refused;
		if (code !== 'resync_required') return;
		const { reason } = (details ?? {}) as { reason?: string };
		this.#reason = reason === 'epoch' || reason === 'unknown' ? 'restored' : 'compacted';
	}

	/** In the transaction of a commit, before its writes. True where there is news. */
	async note(db: ManaDb, commit: SyncCommit): Promise<boolean> {
		const [reason, lost] = [this.#reason, this.#lost];
		[this.#reason, this.#lost] = [undefined, []];
		const known = await db.readMeta('resync');
		// A device that never heard of an epoch is not refused: its commit begins to give back.
		const rejoins = commit.meta?.rejoin && !(await db.readMeta('rejoin'));
		const begins = reason ?? (rejoins ? 'restored' : undefined);
		if (!begins && !known) return false;
		const next = { ...nothing, ...known, ...(begins && (await beginning(db, begins))) };
		next.kept = union(next.kept, commit.kept ?? []);
		if (await db.readMeta('rejoin')) next.dropped = union(next.dropped, commit.dropped);
		if (commit.dequeue.some((seq) => seq <= next.until)) next.lost = union(next.lost, lost);
		await db.writeMeta('resync', next);
		return true;
	}
}

const nothing: Resync = {
	reason: 'compacted',
	at: '',
	waiting: 0,
	until: 0,
	offered: [],
	kept: [],
	dropped: [],
	lost: []
};

async function edit(db: ManaDb, change: (known: Resync) => Resync): Promise<void> {
	await db.transaction('rw', db.meta, async () => {
		const known = await db.readMeta('resync');
		if (known) await db.writeMeta('resync', change({ ...nothing, ...known }));
	});
}

async function beginning(db: ManaDb, reason: Resync['reason']): Promise<Partial<Resync>> {
	const last = await db.outbox.orderBy('seq').last();
	return { reason, at: new Date().toISOString(), waiting: await db.outbox.count(), until: last?.seq ?? 0 };
}

function union(known: RecordKey[], more: RecordKey[]): RecordKey[] {
	return uniqueKeys([...known, ...more.filter(({ table }) => table !== RUNS)]);
}
