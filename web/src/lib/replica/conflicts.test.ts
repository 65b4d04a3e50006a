import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Actor, Change } from '../core/types';
import { offerAgain } from '../features/proposals/staging';
import { openTab, someUser } from '../testing/replica';
import { FakeServer } from '../testing/server';
import { SyncDriver } from './driver';
import { execute } from './executor';

const user: Actor = { kind: 'user' };
const key = { app: 'notes', table: 'notes', id: 'n1' };

async function device(server: FakeServer) {
	const replica = await openTab(someUser());
	const driver = new SyncDriver(replica, server);
	return {
		replica,
		sync: () => driver.sync(),
		write: (body: string, seen?: Record<string, string>) =>
			execute(replica, { kind: 'write', actor: user, writes: [{ ...key, op: 'update', set: { body }, seen }] }),
		body: async () => (await replica.read(key))?.data.body,
		conflicts: () => replica.db.conflicts.filter(({ ended }) => !ended).toArray()
	};
}

async function twoDevices(body: string) {
	const server = new FakeServer();
	const laptop = await device(server);
	const phone = await device(server);
	await laptop.write(body);
	await laptop.sync();
	await phone.sync();
	return { server, laptop, phone };
}

describe('texts in conflict', () => {
	it('X1 a text says what it replaced', async () => {
		const { server, laptop } = await twoDevices('base');
		await laptop.write('more');
		await laptop.sync();
		const [first, second] = server.log.map(({ change }) => change.fields?.body);
		expect(second?.base).toBe(first?.updatedAt);
	});

	it('X4 X5 keeps both texts on both devices where they touch', async () => {
		const { laptop, phone } = await twoDevices('base');
		await laptop.write('base and two hours');
		await phone.write('one word');
		for (const one of [laptop, phone, laptop, phone]) await one.sync();
		const stands = await laptop.body();
		expect(await phone.body()).toBe(stands);
		for (const one of [laptop, phone]) {
			const conflicts = await one.conflicts();
			expect(conflicts).toHaveLength(1);
			expect([stands, conflicts[0]!.loser.value].sort()).toEqual(['base and two hours', 'one word']);
		}
	});

	it('X5 merges texts that do not touch, once', async () => {
		const { server, laptop, phone } = await twoDevices('One.\n\nTwo.');
		await laptop.write('One, and hours.\n\nTwo.');
		await phone.write('One.\n\nTwo, a word.');
		for (const one of [laptop, phone, laptop, phone]) await one.sync();
		for (const one of [laptop, phone]) {
			expect(await one.body()).toBe('One, and hours.\n\nTwo, a word.');
			expect(await one.conflicts()).toEqual([]);
		}
		expect(server.log).toHaveLength(4);
	});

	it('X1 a form that is older than its record loses no text of others', async () => {
		const { laptop, phone } = await twoDevices('One.\n\nTwo.');
		const opened = (await laptop.replica.read(key))!.meta.body!.at;
		await phone.write('One.\n\nTwo, a paragraph.');
		await phone.sync();
		await laptop.sync();
		await laptop.write('One, mine.\n\nTwo.', { body: opened });
		expect(await laptop.conflicts()).toHaveLength(1);
		for (const one of [laptop, phone, laptop, phone]) await one.sync();
		expect(await laptop.body()).toBe('One, mine.\n\nTwo, a paragraph.');
		expect(await phone.body()).toBe('One, mine.\n\nTwo, a paragraph.');
		expect(await laptop.conflicts()).toEqual([]);
	});

	it('X4 a text that is taken on one device closes the conflict on every device', async () => {
		const { laptop, phone } = await twoDevices('base');
		await laptop.write('base and two hours');
		await phone.write('one word');
		for (const one of [laptop, phone, laptop, phone]) await one.sync();
		const lost = (await phone.conflicts())[0]!.loser.value as string;
		await phone.write(lost);
		expect(await phone.conflicts()).toEqual([]);
		for (const one of [phone, laptop]) await one.sync();
		expect(await laptop.body()).toBe(lost);
		expect(await laptop.conflicts()).toEqual([]);
	});
});

interface Vectors {
	cases: { name: string; rule: string; changes: Change[]; expect: unknown[] }[];
}

describe('spec/vectors/conflicts.json', () => {
	const { cases } = JSON.parse(readFileSync('../spec/vectors/conflicts.json', 'utf8')) as Vectors;
	it.each(cases.map((one) => [`${one.rule} ${one.name}`, one] as const))('%s', async (_name, one) => {
		for (const atOnce of [1, one.changes.length]) {
			const server = new FakeServer();
			server.pageSize = atOnce;
			const { replica, sync } = await device(server);
			await sync();
			for (const change of one.changes) server.add(change);
			await sync();
			const kept = await replica.db.conflicts.toArray();
			const told = kept.map(({ kind, field, winner, loser, ended }) => {
				return { kind, field, winner: winner.updatedAt, loser: loser.updatedAt, ended };
			});
			const order = ({ winner, loser }: (typeof told)[number]) => winner + loser;
			expect(told.sort((a, b) => (order(a) < order(b) ? -1 : 1))).toEqual(one.expect);
		}
	});
});

it('S11 offers a text anew that was approved here and lost', async () => {
	const server = new FakeServer();
	const { replica, write, sync, body, conflicts } = await device(server);
	await write('base');
	await sync();
	const base = (await replica.read(key))!.meta.body!.at;
	const at = '2026-03-02T06:00:00.000000Z';
	const iteration = {
		id: 'i1',
		slot: 'due:1',
		source: 'server',
		startedAt: at,
		finishedAt: new Date().toISOString(),
		updatedAt: at,
		plan: [
			{
				id: 's1',
				index: 0,
				status: 'planned',
				summary: 's',
				rationale: 'r',
				updatedAt: at,
				intent: { kind: 'toolCall', toolName: 'update_note', params: { noteId: 'n1', body: 'AI text' } }
			}
		]
	};
	server.add({
		eventId: 'e1',
		appId: 'ai',
		table: 'aiMissions',
		id: 'm1',
		op: 'insert',
		at,
		actor: user,
		data: { title: 'Week', state: 'active', iterations: [iteration] }
	} as unknown as Change);
	await sync();
	const { stageMission } = await import('../features/proposals/staging');
	await stageMission(replica, 'm1');
	const [proposal] = await replica.db.proposals.toArray();
	const decision = { kind: 'approve' } as const;
	await execute(replica, { kind: 'decide', proposalId: proposal!.id, decision });
	expect(await body()).toBe('AI text');
	const mine = new Date(Date.parse(base) + 1).toISOString();
	server.add({
		eventId: 'e2',
		appId: 'notes',
		table: 'notes',
		id: 'n1',
		op: 'update',
		at: mine,
		actor: user,
		fields: { body: { value: 'Mine', updatedAt: mine, base } }
	});
	await sync();
	expect(await body()).toBe('Mine');
	await offerAgain(replica, await conflicts());
	expect(await conflicts()).toEqual([]);
	const again = await replica.db.proposals.filter((one) => one.status === 'open').toArray();
	expect(again).toHaveLength(1);
	await execute(replica, { kind: 'decide', proposalId: again[0]!.id, decision });
	expect(await body()).toBe('AI text');
});
