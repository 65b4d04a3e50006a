import { ApiError, OfflineError } from '../api/errors';
import type { Adjusted, Change } from '../core/types';
import type { SnapshotPage, SyncAnswer, SyncRequest } from '../core/sync';
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

	snapshot: SyncServer['snapshot'] = async (after) => {
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
			serverTime: this.serverTime()
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
			if (!this.log.some((row) => row.change.eventId === change.eventId)) this.log.push({ clientId, change });
		}
		const from = Number(since || 0);
		const page = this.log.slice(from, from + this.pageSize);
		return {
			serverChanges: page.filter((row) => row.clientId !== clientId).map((row) => row.change),
			syncedUntil: String(from + page.length),
			hasMore: from + page.length < this.log.length,
			serverTime: this.serverTime(),
			conflicts: [],
			adjusted: changes.flatMap((change) => this.adjust(change))
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
			adjusted: []
		};
	};

	/** Something another client did. */
	add(change: Change): void {
		this.log.push({ clientId: 'elsewhere', change });
	}
}
