import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { connect } from '../support/household';
import { pages } from '../support/pages';
import { Api, becomeOwner, synced } from '../support/person';
import { Server } from '../support/server';
import { Upstream } from '../support/upstream';

const ROOT = resolve(import.meta.dirname, '../..');

interface Manifest {
	id: string;
	tables: Record<string, { fields: Record<string, { type: string }>; list: { title: string }; singleton?: boolean }>;
}

/** Values that fit some kind of field, and others that fit none. */
const POISON: unknown[] = [
	7,
	-1e308,
	true,
	null,
	['x', null, ['y']],
	{ a: 1 },
	{ kind: 7, id: null, length: 3 },
	[{ id: 7 }, { id: 'x', plan: 5 }, 'x'],
	'\u202e',
	'2026-99-99',
	'2026-11-28T00:00:00Z',
	'+275760-09-13T00:00:00.001Z',
	'tomorrow',
	'',
	'javascript:alert(1)',
	'x'.repeat(20_000)
];

/** Fields that a record of a table needs beside its title, so that its page shows it. */
const BESIDE: Record<string, object> = {
	'calendar/events': { startsAt: new Date().toISOString() },
	'goals/goals': { status: 'active' },
	'ai/aiMissions': { state: 'active', cadence: { kind: 'manual' } }
};

/** The ids of records of which a page shows just this one. */
const ONE_OF: Record<string, string> = { 'ai/aiAgents': 'default', 'ai/aiSettings': 'settings' };

/** Changes that make a record for every field and value, for every value one that has it everywhere, and a good one. */
function poisoned({ id: app, tables }: Manifest): object[] {
	return Object.entries(tables).flatMap(([table, { fields, list, singleton }]) => {
		const good = { [list.title]: 'A good one', ...BESIDE[`${app}/${table}`] };
		const insert = (id: string, data: object) => ({ table, id, op: 'insert', data });
		// The server refuses a keyed list that is none.
		const plain = Object.keys(fields).filter((name) => fields[name].type !== 'keyedList');
		const bad = POISON.flatMap((value, n) => [
			insert(`all-${n}`, Object.fromEntries(plain.map((name) => [name, value]))),
			...Object.keys(fields).map((name) =>
				insert(`${name.toLowerCase()}-${n}`, { ...good, [list.title]: `Bad ${name} ${n}`, [name]: value })
			)
		]);
		const one = singleton ? app : ONE_OF[`${app}/${table}`];
		const single = Object.keys(fields).map((name, n) => insert(one ?? '', { [name]: POISON[n % POISON.length] }));
		return [...bad, ...(one ? single : []), insert(`good-${app}`, good)];
	});
}

/** Pushes changes, but for those that the server refuses: they never reach a page. */
async function pushAll(api: Api, app: string, changes: object[]): Promise<void> {
	if (changes.length > 0)
		await api.push(app, changes).catch(async () => {
			const half = Math.floor(changes.length / 2);
			if (half > 0) for (const some of [changes.slice(0, half), changes.slice(half)]) await pushAll(api, app, some);
		});
}

/** The pages that the app has, as patterns. */
async function routes(): Promise<RegExp[]> {
	const files = await readdir(join(ROOT, 'web/src/routes/(app)'), { recursive: true });
	const paths = files.filter((file) => file.endsWith('+page.svelte')).map((file) => file.split('/').slice(0, -1));
	return paths.map((path) => new RegExp(`^/${path.join('/').replaceAll(/\[\w+\]/g, '[^/?]+')}(\\?|$)`));
}

test('records whose values do not fit take no page and no other record with them', async ({ browser }) => {
	test.setTimeout(600_000);
	const upstream = await Upstream.start();
	const server = await Server.start(upstream.env);
	const { page } = await becomeOwner(browser, server);
	await synced(page);
	const api = await Api.signIn(server);
	await connect(api, server, upstream);
	for (const file of await readdir(join(ROOT, 'modules'))) {
		const manifest = JSON.parse(await readFile(join(ROOT, 'modules', file), 'utf8')) as Manifest;
		await pushAll(api, manifest.id, poisoned(manifest));
	}
	// Steps that a client left half written.
	const at = '2026-11-01T00:00:00Z';
	const step = (id: string, more: object) => ({ id, status: 'planned', updatedAt: at, ...more });
	const plan = [
		step('s1', {}),
		step('s2', { intent: 5 }),
		step('s3', { intent: { kind: 'other' } }),
		step('s4', { summary: 7, intent: { kind: 'toolCall', toolName: 'create_task', params: 'none' } })
	];
	const iterations = [
		{ id: 'i1', startedAt: at, updatedAt: at, source: 'browser', summary: 'A half written plan', plan }
	];
	const half = { title: 'A half written mission', state: 'active', cadence: { kind: 'manual' }, iterations };
	await api.push('ai', [{ table: 'aiMissions', id: 'half', op: 'insert', data: half }]);

	const errors: string[] = [];
	page.on('pageerror', (error) => errors.push(error.stack ?? error.message));
	const all = (await api.changes('ai', 'aiMissions')).map(({ id }) => id).filter((id) => id.startsWith('all-'));
	expect(all.length).toBeGreaterThan(POISON.length / 2);
	const whole = all.flatMap((id) => [`/companion/missions/${id}`, `/companion/agents/${id}`]);
	const paths = [
		...pages('half'),
		'/companion/missions/half/plan',
		'/companion/missions/half/runs/i1',
		...['half', ...all].map((id) => `/companion/missions/${id}/edit`),
		...whole,
		...['title-3', 'all-6', 'good-todo'].map((id) => `/more/history?app=todo&table=tasks&id=${id}`)
	];
	const titled = ['/todo', '/calendar', '/notes', '/goals', '/places', '/companion/missions', '/companion/agents'];
	for (const path of paths) {
		await page.goto(server.url + path);
		await synced(page);
		await expect(page.getByRole('heading').first(), path).toBeVisible();
		await page.waitForTimeout(200);
		expect(errors, path).toEqual([]);
		if (titled.includes(path)) await expect(page.getByText('A good one').first(), path).toBeAttached();
		if (path.startsWith('/companion/missions/half') && !path.endsWith('/edit'))
			await expect(page.getByText('A half written mission').first(), path).toBeVisible();
		// The records that a mission may read stand in its form.
		const inputs = page.getByRole('button', { name: 'Add a record' });
		if (await inputs.isVisible()) {
			await inputs.click();
			await page.getByRole('searchbox').fill('good one');
			await expect(page.getByRole('button', { name: 'A good one' }).first(), path).toBeVisible();
			expect(errors, path).toEqual([]);
		}
	}
	const unseen = (await routes()).filter((route) => !paths.some((path) => route.test(path)));
	expect(unseen, 'pages that were not opened').toEqual([]);

	await page.keyboard.press('Control+k');
	await page.getByRole('combobox').fill('good one');
	await expect(page.getByRole('option', { name: /A good one/ }).first()).toBeVisible();
	await page.getByRole('combobox').fill('bad');
	await expect(page.getByRole('option', { name: /Bad/ }).first()).toBeVisible();
	expect(errors, 'search').toEqual([]);
	await server.dispose();
	await upstream.stop();
});
