import { liveQuery } from 'dexie';
import type { Conflict, Core } from '$lib/core';
import type { Iteration, Proposal, RecordState } from '$lib/core/types';
import type { ManaDb } from '$lib/replica/database';
import { execute, offeredAgain } from '$lib/replica/executor';
import type { Replica } from '$lib/replica/replica';
import { primaryKey, stateOf, type RecordRow } from '$lib/replica/rows';
import { storageError, storageUnreadable } from '$lib/replica/storage';
import { overridesOf } from '$lib/replica/overrides';
import { Backoff } from '$lib/replica/backoff';
import { oneAtATime } from '$lib/replica/locks';
import { waits } from './proposalStatus';

/** How often this device looks whether something has expired. */
const EXPIRY_MS = 60_000;

/**
 * Turn arriving plans into proposals on this device, and close those that were decided elsewhere. A proposal's id is
 * derived from its step, and one tab at a time stages, so tabs, devices and restarts never make a second one.
 * A mission that could not be staged is tried again after a pause; `backoff` says how long.
 * Plans of an in-browser model (`source: "browser"`) were staged by their own tab and are left alone by the core.
 */
export function startServerIterationStaging(
	replica: Replica,
	backoff = new Backoff(Math.random, 5_000, 300_000)
): () => void {
	const missions = liveQuery(async () => {
		// A plan may arrive before its module does: new manifests stage it anew.
		await replica.db.meta.get('manifests');
		return replica.db.records.where('[app+table]').equals(['ai', 'aiMissions']).toArray();
	});
	let stopped = false;
	let running = false;
	let latest: RecordRow[] | null = null;
	let retry: ReturnType<typeof setTimeout> | undefined;
	const done = new Map<string, string>();
	/** The core, with its modules, that `done` holds for. */
	let core = replica.core;
	const subscription = missions.subscribe({
		next: (rows) => {
			latest = rows;
			void work();
		},
		error: storageUnreadable
	});
	async function work(): Promise<void> {
		if (running) return;
		running = true;
		try {
			while (latest && !stopped) {
				const rows = latest;
				if (core !== replica.core) done.clear();
				core = replica.core;
				const changed = rows.filter((row) => done.get(row.id) !== openWork(row));
				latest = null;
				let failed = false;
				for (const row of changed) {
					if (!(await stageOne(row))) failed = true;
					if (stopped) return;
				}
				clearTimeout(retry);
				if (failed) retry = setTimeout(() => again(rows), backoff.next());
				else backoff.reset();
				if (changed.length) await expireLate(replica);
			}
		} finally {
			running = false;
		}
	}
	function again(rows: RecordRow[]): void {
		latest ??= rows;
		void work();
	}
	/** Whether a mission was staged. The failure of one must not keep the others from being staged. */
	async function stageOne(row: RecordRow): Promise<boolean> {
		try {
			await stageMission(replica, row.id);
			done.set(row.id, openWork(row));
			return true;
		} catch (thrown) {
			if (!stopped) console.error(`mission ${row.id} could not be staged`, storageError(thrown));
			return false;
		}
	}
	const lost = liveQuery(() => replica.db.conflicts.filter(isLostText).toArray()).subscribe({
		next: (conflicts) => void offerAgain(replica, conflicts),
		error: storageUnreadable
	});
	const clock = setInterval(() => void expireLate(replica), EXPIRY_MS);
	return () => {
		stopped = true;
		clearInterval(clock);
		clearTimeout(retry);
		subscription.unsubscribe();
		lost.unsubscribe();
	};
}

/** Whether a text of a mission lost, and nobody has dealt with it yet. */
function isLostText({ kind, ended, loser }: Conflict): boolean {
	return kind === 'text' && !ended && loser.actor.kind === 'ai';
}

/** Offer the texts anew that were approved here and lost: each is a proposal from then on, and no conflict. */
export async function offerAgain(replica: Replica, conflicts: Conflict[]): Promise<void> {
	const { db } = replica;
	try {
		for (const { conflictId, loser } of conflicts) {
			const { stepId } = loser.actor as { stepId?: string };
			await db.transaction('rw', [db.records, db.proposals, db.conflicts], async () => {
				const approved = await db.proposals
					.filter((one) => one.stepId === stepId && one.status === 'approved' && one.deadline > replica.now())
					.first();
				if (!approved) return;
				const row = await db.records.get(primaryKey({ app: 'ai', table: 'aiMissions', id: approved.missionId }));
				if (!row) return;
				const again = await offeredAgain(replica, approved, loser.updatedAt);
				if (!(await db.proposals.get(again.id))) await db.proposals.add(again);
				await db.conflicts.update(conflictId, { ended: true });
			});
		}
	} catch (thrown) {
		// the database is closing, or has no space: the next change of the conflicts asks again
		console.debug('offer again', thrown);
	}
}

/** Let those expire whose time has passed. The core decides on it; here stands only when it is asked. */
export async function expireLate(replica: Replica): Promise<void> {
	try {
		const now = replica.now();
		const late = await replica.db.proposals.filter((one) => waits(one) && one.deadline <= now).primaryKeys();
		for (const proposalId of late) await execute(replica, { kind: 'decide', proposalId, decision: { kind: 'expire' } });
	} catch (thrown) {
		// decided in another tab meanwhile, or the database is closing; the next minute asks again
		console.debug('expiry', thrown);
	}
}

/**
 * Bring a mission's proposals in line with its record, as it is now. `again`: one that waits is made anew, from the
 * records as they are; where that fails the old one stays.
 */
export async function stageMission(replica: Replica, missionId: string, again?: string): Promise<void> {
	await oneAtATime(`mana-staging-${replica.userId}`, async () => {
		const { db, core } = replica;
		await db.transaction('rw', [db.records, db.proposals], async () => {
			const row = await db.records.get(primaryKey({ app: 'ai', table: 'aiMissions', id: missionId }));
			if (!row) return;
			const mission: RecordState = { data: row.data, meta: row.meta };
			if (again) await db.proposals.where('id').equals(again).and(waits).delete();
			const staged = await db.proposals.where('missionId').equals(missionId).toArray();
			const outdated = staged.filter((one) => isOutdated(one, core));
			await db.proposals.bulkDelete(outdated.map(({ id }) => id));
			const known = staged.filter((one) => !outdated.includes(one));
			const have = Object.fromEntries(known.map(({ id, status }) => [id, status]));
			const overrides = await overridesOf(db, core, row.data);
			const keys = core.touched({ missionId, mission, have, overrides });
			const records = await db.records.bulkGet(keys.map(primaryKey));
			const { proposals, closed } = core.stage({
				missionId,
				mission,
				have,
				overrides,
				records: keys.map((key, index) => ({ ...key, state: stateOf(records[index]) }))
			});
			await db.proposals.bulkAdd(proposals);
			for (const { id, status } of closed) await db.proposals.update(id, { status });
			await prune(db, missionId, mission);
		});
	});
}

/** Whether a proposal failed for a tool that was not known here and is by now: its module came later than the plan. */
function isOutdated({ status, error, tool }: Proposal, core: Core): boolean {
	return status === 'failed' && error?.code === 'unknownTool' && core.tools().some(({ name }) => name === tool);
}

/** Deletes decided proposals of iterations that the mission no longer holds. */
async function prune(db: ManaDb, missionId: string, { data }: RecordState): Promise<void> {
	const kept = new Set(((data.iterations ?? []) as Iteration[]).map(({ id }) => id));
	await db.proposals
		.where('missionId')
		.equals(missionId)
		.and((proposal) => !waits(proposal) && !kept.has(proposal.iterationId))
		.delete();
}

/** A key of everything that staging depends on: an equal key means that there is nothing to do. */
function openWork({ data }: RecordRow): string {
	const iterations = ((data.iterations ?? []) as Iteration[]).map(({ id, updatedAt, plan }) => [
		id,
		updatedAt,
		(plan ?? []).map((step) => [step.id, step.status, step.updatedAt])
	]);
	return JSON.stringify([data.deletedAt, iterations]);
}
