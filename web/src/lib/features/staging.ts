import { liveQuery } from 'dexie';
import type { RecordState } from '../core/types';
import type { Replica } from '../db/replica';
import { primaryKey, stateOf, type RecordRow } from '../db/rows';
import { oneAtATime } from '../sync/locks';

/**
 * Turn arriving plans into proposals on this device, and close those that were decided elsewhere. A proposal's id is
 * derived from its step, and one tab at a time stages, so tabs, devices and restarts never make a second one.
 * Plans of an in-browser model (`source: "browser"`) were staged by their own tab and are left alone by the core.
 */
export function startServerIterationStaging(replica: Replica): () => void {
	const missions = liveQuery(() =>
		replica.db.records.where('[app+table]').equals(['ai', 'aiMissions']).toArray()
	);
	let stopped = false;
	let running = false;
	let latest: RecordRow[] | null = null;
	const subscription = missions.subscribe({
		next: (rows) => {
			latest = rows;
			void work();
		},
		error: (thrown: unknown) => console.error('staging stopped', thrown)
	});
	async function work(): Promise<void> {
		if (running) return;
		running = true;
		try {
			while (latest && !stopped) {
				const ids = latest.map((row) => row.id);
				latest = null;
				for (const id of ids) await stageMission(replica, id);
			}
		} catch (thrown) {
			if (!stopped) console.error('staging failed', thrown);
		} finally {
			running = false;
		}
	}
	return () => {
		stopped = true;
		subscription.unsubscribe();
	};
}

/** Bring a mission's proposals in line with its record, as it is now. */
export async function stageMission(replica: Replica, missionId: string): Promise<void> {
	await oneAtATime(`mana-staging-${replica.userId}`, async () => {
		const { db, core } = replica;
		await db.transaction('rw', [db.records, db.proposals], async () => {
			const row = await db.records.get(primaryKey({ app: 'ai', table: 'aiMissions', id: missionId }));
			if (!row) return;
			const mission: RecordState = { data: row.data, meta: row.meta };
			const known = await db.proposals.where('missionId').equals(missionId).toArray();
			const have = known.map((proposal) => proposal.id);
			const keys = core.touched(missionId, mission, have);
			const records = await db.records.bulkGet(keys.map(primaryKey));
			const { proposals, closed } = core.stage({
				missionId,
				mission,
				have,
				records: keys.map((key, index) => ({ ...key, state: stateOf(records[index]) }))
			});
			await db.proposals.bulkAdd(proposals);
			for (const { id } of closed) {
				await db.proposals
					.where('id')
					.equals(id)
					.and(({ status }) => status === 'open' || status === 'failed')
					.modify({ status: 'closed' });
			}
		});
	});
}
