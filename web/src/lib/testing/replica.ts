import { readdirSync, readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import type { Change, Manifest, RecordKey, Row } from '../core/types';
import { Replica } from '../replica/replica';
import { asRow } from '../replica/rows';

const modulesDir = '../modules';

/** The modules that Mana comes with. */
export const manifests: Manifest[] = readdirSync(modulesDir)
	.filter((name) => name.endsWith('.json'))
	.map((name) => JSON.parse(readFileSync(`${modulesDir}/${name}`, 'utf8')) as Manifest);

let users = 0;

/** A user nobody else in the tests is. */
export function someUser(): string {
	return `user-${process.pid}-${++users}`;
}

/** A replica as one tab holds it; a second one of the same user is a second tab. Closed after the test. */
export async function openTab(userId: string, modules: Manifest[] = manifests): Promise<Replica> {
	const replica = await Replica.open(userId, async () => modules);
	onTestFinished(() => replica.close());
	return replica;
}

/** Changes that come from elsewhere, merged as a sync would do. */
export async function arrive(replica: Replica, changes: Change[]): Promise<Row[]> {
	const { db, core } = replica;
	const rows: Row[] = [];
	await db.transaction('rw', db.records, async () => {
		for (const change of changes) {
			const key: RecordKey = { app: change.appId, table: change.table, id: change.id };
			const before = await db.records.get([key.app, key.table, key.id]);
			const state = before ? { data: before.data, meta: before.meta } : null;
			for (const merged of core.apply([{ ...key, state }], [change]).records) {
				await db.records.put({ ...key, ...merged.state });
				rows.push(asRow({ ...key, ...merged.state }));
			}
		}
	});
	replica.committed(rows);
	return rows;
}

/** Wait until something holds, however the events happen to come. */
export async function until<T>(what: () => T | Promise<T>): Promise<Exclude<NonNullable<T>, false>> {
	for (;;) {
		const value = await what();
		if (value) return value as Exclude<NonNullable<T>, false>;
		await new Promise((resolve) => setTimeout(resolve, 1));
	}
}
