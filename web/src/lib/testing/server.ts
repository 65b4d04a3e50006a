import { ApiError, OfflineError } from '../api/errors';
import type { Adjusted, Change } from '../core/types';
import type { JoinRequest, SnapshotPage, SyncAnswer, SyncRequest } from '../core/sync';
import type { PostSync, SyncServer } from '../replica/server';

/** A server as the sync engine sees it: a log with a cursor that repeats are no-ops in. No merge, no rules. */
export class FakeServer implements SyncServer {
	readonly log: { clientId: string; change: Change }[] = [];
	readonly requests: SyncRequest[] = [];
	pageSize = 1000;
	online = true;
	/** Answers the next request with an error instead, once each. */
	readonly failures: ApiError[] = [];
	/** Refuses a change for good. */
	refuse: (change: Change) => string | null = () => null;
	adjust: (change: Change) => Adjusted[] = () => [];
	serverTime = () => new Date().toISOString();

	/** The pages of a snapshot, and what was asked for. Without any, none of the log is in it. */
	snapshots: Pick<SnapshotPage, 'records' | 'syncedUntil'>[] = [{ records: [], syncedUntil: '0' }];
	readonly asked: string[] = [];

	/** The log's epoch, and whether it takes back what devices hold, or has them drop it. */
	logEpoch = 'first';
	giveBack = false;
	discardNewer = false;
	readonly given: JoinRequest[] = [];

	/** The log is put back to so many of its rows. */
	restore(rows: number, { discardNewer = false } = {}): void {
		this.log.splice(rows);
		this.logEpoch += ', restored';
		this.giveBack = !discardNewer;
		this.discardNewer = discardNewer;
	}

	join: SyncServer['join'] = async (body) => {
		if (!this.online) throw new OfflineError();
		const failure = this.failures.shift();
		if (failure) throw failure;
		this.given.push(structuredClone(body));
		return { logEnd: '' };
	};

	snapshot: SyncServer['snapshot'] = async ({ after }) => {
		this.asked.push(after);
		if (!this.online) throw new OfflineError();
		const index = Number(after || 0);
		const page = this.snapshots[index];
		if (!page) throw new ApiError(400, 'invalid_after', 'There is no such page.');
		const hasMore = index + 1 < this.snapshots.length;
		return structuredClone({
			...page,
			hasMore,
			after: hasMore ? String(index + 1) : null,
			serverTime: this.serverTime(),
			logEpoch: this.logEpoch,
			logEnd: '',
			giveBack: this.giveBack,
			discardNewer: this.discardNewer
		});
	};

	post: PostSync = async (body) => {
		const { clientId, since, changes } = structuredClone(body);
		this.requests.push(body);
		if (!this.online) throw new OfflineError();
		const failure = this.failures.shift();
		if (failure) throw failure;
		changes.forEach((change, index) => {
			const reason = this.refuse(change);
			if (reason) throw new ApiError(400, 'invalid_change', reason, { index, reason });
		});
		for (const change of changes) {
			if (this.log.some((row) => row.change.eventId === change.eventId)) continue;
			this.log.push({ clientId, change: withStamps(change, this.adjust(change)) });
		}
		const sent = new Set(changes.map((change) => change.eventId));
		const from = Number(since || 0);
		if (body.logEpoch && body.logEpoch !== this.logEpoch) {
			throw new ApiError(410, 'resync_required', 'The log is another one.', { reason: 'epoch' });
		}
		if (body.logEpoch !== undefined && from > this.log.length) {
			this.giveBack = true;
			throw new ApiError(410, 'resync_required', 'The log has no such row.', { reason: 'unknown' });
		}
		const page = this.log.slice(from, from + this.pageSize);
		return {
			serverChanges: page.map((row) => row.change).filter((change) => !sent.has(change.eventId)),
			syncedUntil: String(from + page.length),
			hasMore: from + page.length < this.log.length,
			serverTime: this.serverTime(),
			conflicts: [],
			adjusted: changes.flatMap((change) => this.adjust(change)),
			unchanged: [],
			logEpoch: this.logEpoch,
			logEnd: '',
			giveBack: this.giveBack
		} satisfies SyncAnswer;
	};

	/** The log by itself, page after page, as a reader without a client id sees it. */
	pull = async (_app: string, query: { collection: string; since: string }): Promise<SyncAnswer> => {
		if (!this.online) throw new OfflineError();
		const from = Number(query.since || 0);
		const page = this.log.slice(from, from + this.pageSize);
		return {
			serverChanges: page.map((row) => row.change).filter((change) => change.table === query.collection),
			syncedUntil: String(from + page.length),
			hasMore: from + page.length < this.log.length,
			serverTime: this.serverTime(),
			conflicts: [],
			adjusted: [],
			unchanged: [],
			logEpoch: this.logEpoch,
			logEnd: '',
			giveBack: this.giveBack
		};
	};

	/** Something another client did. */
	add(change: Change): void {
		this.log.push({ clientId: 'elsewhere', change });
	}
}

/** A change as a log holds it: with the stamps that were set back. */
function withStamps(change: Change, adjusted: Adjusted[]): Change {
	const stored = structuredClone(change);
	for (const { field, at } of adjusted) {
		const names = field.split('/').slice(1);
		const last = names.pop();
		let place: unknown = stored;
		for (const name of names) place = (place as Record<string, unknown> | undefined)?.[name];
		if (place && last) (place as Record<string, unknown>)[last] = at;
	}
	return stored;
}
