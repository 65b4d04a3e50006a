import { describe, expect, it, vi } from 'vitest';
import { ValidationError } from '../core/errors';
import type { Actor, Change } from '../core/types';
import { syncStatus } from './status.svelte';
import { arrive, openTab, someUser } from '../testing/replica';
import { ManaDb } from './database';
import { execute } from './executor';

const user: Actor = { kind: 'user' };
const task = { app: 'todo', table: 'tasks', id: 't1' };

describe('the write path', () => {
	it('S6 commits the record and its outbox row together, with one stamp', async () => {
		const replica = await openTab(someUser());
		await execute(replica, {
			kind: 'write',
			actor: user,
			writes: [{ ...task, op: 'insert', set: { title: 'Milk' } }]
		});
		const record = await replica.read(task);
		const [waiting] = await replica.db.outbox.toArray();
		expect(record?.data).toEqual({ title: 'Milk' });
		expect(record?.meta.title?.actor).toEqual(user);
		expect(waiting?.change).toMatchObject({ appId: 'todo', table: 'tasks', id: 't1', op: 'insert' });
		expect(waiting?.eventId).toBe(waiting?.change.eventId);
		expect((waiting?.change.fields as Record<string, { updatedAt: string }>).title?.updatedAt).toBe(
			record?.meta.title?.at
		);
	});

	it('T2 T5 stamps each write later than the one before, whatever the wall clock does', async () => {
		const replica = await openTab(someUser());
		const write = (title: string) =>
			execute(replica, { kind: 'write', actor: user, writes: [{ ...task, op: 'update', set: { title } }] });
		await write('one');
		const first = (await replica.read(task))?.meta.title?.at ?? '';
		replica.clockOffset = -3_600_000; // the clock is set back by an hour
		await write('two');
		const row = await replica.read(task);
		expect(row?.data.title).toBe('two');
		expect((row?.meta.title?.at ?? '') > first).toBe(true);
	});

	it('refuses what does not fit the table, and stores nothing of the command', async () => {
		const replica = await openTab(someUser());
		const refused = execute(replica, {
			kind: 'write',
			actor: user,
			writes: [
				{ ...task, op: 'insert', set: { title: 'Milk' } },
				{ ...task, id: 't2', op: 'insert', set: { title: 'Eggs', dueDate: 'soon' } }
			]
		});
		await expect(refused).rejects.toBeInstanceOf(ValidationError);
		await expect(refused).rejects.toMatchObject({ errors: [{ field: 'dueDate' }] });
		expect(await replica.db.records.count()).toBe(0);
		expect(await replica.db.outbox.count()).toBe(0);
	});

	it('stores plain data where a form hands over reactive proxies', async () => {
		const replica = await openTab(someUser());
		const form = $state({ title: 'Plan', inputs: [{ module: 'notes', table: 'notes' }], state: 'active' });
		expect(() => structuredClone(form)).toThrow(); // what IndexedDB would do with it
		const key = { app: 'ai', table: 'aiMissions', id: 'm1' };
		await execute(replica, { kind: 'write', actor: user, writes: [{ ...key, op: 'insert', set: form }] });
		const row = await replica.read(key);
		expect(row?.data.inputs).toEqual([{ module: 'notes', table: 'notes' }]);
	});

	it('says that the device is full, changes nothing, and takes it back when there is space', async () => {
		const replica = await openTab(someUser());
		const write = () =>
			execute(replica, { kind: 'write', actor: user, writes: [{ ...task, op: 'insert', set: { title: 'Milk' } }] });
		const full = vi.spyOn(replica.db.outbox, 'bulkAdd').mockImplementation(() => {
			throw new DOMException('no space', 'QuotaExceededError');
		});
		await expect(write()).rejects.toMatchObject({ code: 'storage_full' });
		expect(syncStatus.storage?.code).toBe('storage_full');
		expect(await replica.db.records.count()).toBe(0);
		full.mockRestore();
		await write();
		expect(syncStatus.storage).toBeNull();
	});

	it('says that the device is full already when somebody signs in for the first time', async () => {
		const full = vi
			.spyOn(ManaDb.prototype, 'writeMeta')
			.mockRejectedValue(new DOMException('no space', 'QuotaExceededError'));
		await expect(openTab(someUser())).rejects.toMatchObject({ code: 'storage_full' });
		full.mockRestore();
		syncStatus.storage = null;
		await openTab(someUser());
	});

	it('lets no AI write past the policy', async () => {
		const replica = await openTab(someUser());
		const ai: Actor = { kind: 'ai', missionId: 'm', iterationId: 'i', rationale: 'because' };
		await expect(
			execute(replica, { kind: 'write', actor: ai, writes: [{ ...task, op: 'insert', set: { title: 'Sneak' } }] })
		).rejects.toThrow();
		expect(await replica.db.outbox.count()).toBe(0);
	});

	it('M5 keeps a deleted record deleted until it is restored', async () => {
		const replica = await openTab(someUser());
		const write = (op: 'insert' | 'update' | 'delete', set?: Record<string, unknown>) =>
			execute(replica, { kind: 'write', actor: user, writes: [{ ...task, op, set }] });
		await write('insert', { title: 'Milk' });
		await write('delete');
		await write('update', { title: 'Oat milk' });
		expect((await replica.read(task))?.deleted).toBe(true);
		await write('update', { deletedAt: null });
		expect(await replica.read(task)).toMatchObject({ deleted: false, data: { title: 'Oat milk' } });
	});

	describe('of a task that repeats', () => {
		const update = async (replica: Awaited<ReturnType<typeof openTab>>, set: Record<string, unknown>) => {
			const writes = [{ ...task, op: 'update' as const, set }];
			return (await execute(replica, { kind: 'write', actor: user, writes })).rows;
		};
		const daily = { title: 'Water', dueDate: '2099-12-07', recurrence: { rule: 'FREQ=DAILY', start: '2099-12-07' } };

		it('T1 commits the task that goes on with the tick, and T5 takes it back with the tick', async () => {
			const replica = await openTab(someUser());
			await execute(replica, { kind: 'write', actor: user, writes: [{ ...task, op: 'insert', set: daily }] });
			const [ticked, next] = await update(replica, { done: true });
			expect(ticked?.data.done).toBe(true);
			expect(next?.data).toEqual({
				title: 'Water',
				dueDate: '2099-12-08',
				recurrence: { rule: 'FREQ=DAILY', start: '2099-12-08' }
			});
			expect(await replica.read(next!)).toEqual(next);
			expect((await replica.db.outbox.toArray()).map(({ change }) => change.id)).toEqual(['t1', 't1', next!.id]);
			const [, takenBack] = await update(replica, { done: false });
			expect([takenBack?.id, takenBack?.deleted]).toEqual([next!.id, true]);
			const [, again] = await update(replica, { done: true });
			expect([again?.id, again?.deleted]).toEqual([next!.id, false]);
		});

		it('T3 T4 two devices write the same task, and an edit of it wins', async () => {
			const [here, there] = [await openTab(someUser()), await openTab(someUser())];
			const made = await execute(here, { kind: 'write', actor: user, writes: [{ ...task, op: 'insert', set: daily }] });
			expect(made.rows).toHaveLength(1);
			await arrive(there, await sent(here));
			const [, next] = await update(here, { done: true });
			await execute(here, {
				kind: 'write',
				actor: user,
				writes: [{ app: 'todo', table: 'tasks', id: next!.id, op: 'update', set: { title: 'Water a lot' } }]
			});
			await update(there, { done: true });
			const [ofHere, ofThere] = [await sent(here), await sent(there)];
			await arrive(there, ofHere);
			await arrive(here, ofThere);
			const both = await Promise.all([here, there].map((replica) => replica.read(next!)));
			expect(both[0]).toEqual(both[1]);
			expect(both[0]?.data).toMatchObject({ title: 'Water a lot', dueDate: '2099-12-08' });
		});
	});
});

/** The changes that a replica would push. */
async function sent(replica: Awaited<ReturnType<typeof openTab>>): Promise<Change[]> {
	return (await replica.db.outbox.toArray()).map(({ change }) => change);
}
