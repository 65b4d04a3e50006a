import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { Api, becomeOwner, signIn, synced, writeMission } from '../support/person';
import { Server } from '../support/server';
import { plan, Upstream } from '../support/upstream';
import { addTask } from '../support/tasks';

let server: Server;
let upstream: Upstream;

test.beforeEach(async () => {
	upstream = await Upstream.start();
	server = await Server.start(upstream.env);
});

test.afterEach(async () => {
	await server.dispose();
	await upstream.stop();
});

test('a change that the server refuses is set aside with its reason, and the rest goes on', async ({ browser }) => {
	const { context, page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/todo`);
	await synced(page);
	await context.setOffline(true);
	// A broken version of the app might have left this in the outbox: a change with a wrong op, before a good one.
	await page.evaluate(async () => {
		const [{ name }] = (await indexedDB.databases()).filter((db) => db.name?.startsWith('mana-')) as [{ name: string }];
		const db = await new Promise<IDBDatabase>(
			(done) => (indexedDB.open(name).onsuccess = (event) => done((event.target as IDBOpenDBRequest).result))
		);
		const change = {
			eventId: 'bad-1',
			appId: 'todo',
			table: 'tasks',
			id: 'x',
			op: 'explode',
			data: { title: 'Half a thought' }
		};
		const put = db.transaction('outbox', 'readwrite').objectStore('outbox').add({ eventId: 'bad-1', change });
		await new Promise((done) => (put.onsuccess = done));
		db.close();
	});
	await addTask(page, 'Water the plants');
	await context.setOffline(false);
	await synced(page);
	const api = await Api.signIn(server);
	await expect
		.poll(async () => (await api.changes('todo', 'tasks')).map((change) => change.data?.title))
		.toEqual(['Water the plants']);

	await page.goto(`${server.url}/settings`);
	const aside = page.getByRole('listitem').filter({ has: page.getByRole('button', { name: 'Send again' }) });
	await expect(aside).toHaveCount(1);
	await expect(aside).toContainText('op');
	await expect(page.getByRole('button', { name: /Export/ }).first()).toBeVisible();
	await aside.getByRole('button', { name: 'Discard' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
	await expect(aside).toHaveCount(0);
	await page.goto(`${server.url}/todo`);
	await expect(page.getByRole('checkbox', { name: 'Done: Water the plants' })).toBeVisible();
});

test('a failed run says in plain words what happened, on the mission, and can be tried again', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	upstream.answers = ['I would rather talk about the weather.'];
	const api = await Api.signIn(server);
	await api.makeDue(mission);
	expect(await server.tick()).toMatchObject({ parseFailures: 1, plansProduced: 0 });
	await expect(page.getByText('Nothing in your workspace was changed.').first()).toBeVisible();
	await expect(page.getByText('Failed', { exact: true }).first()).toBeVisible();

	// The same slot again, from the button: one iteration, now with a plan.
	upstream.answers = [
		plan('All quiet.', [
			{ summary: 'Rest', toolName: 'create_task', params: { title: 'Rest' }, rationale: 'You asked for it.' }
		])
	];
	await page.getByRole('button', { name: 'Retry this run' }).click();
	await server.tick();
	await expect(page.getByText('All quiet.')).toBeVisible();
	await expect(page.getByText('Failed', { exact: true })).toHaveCount(0);
});

test('the server is killed between a write and its answer: nothing is lost, nothing is double', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/todo`);
	await synced(page);
	for (let round = 0; round < 5; round++) {
		const writing = addTask(page, `Thought ${round}`);
		await server.kill();
		await writing;
		await server.up();
	}
	await page.evaluate(() => dispatchEvent(new Event('online')));
	const api = await Api.signIn(server);
	await expect
		.poll(async () => (await api.changes('todo', 'tasks')).map((change) => change.data?.title).sort(), {
			timeout: 60_000
		})
		.toEqual([0, 1, 2, 3, 4].map((round) => `Thought ${round}`));
	const second = await signIn(browser, server);
	await second.page.goto(`${server.url}/todo`);
	await expect(second.page.getByRole('checkbox', { name: /^Done: Thought/ })).toHaveCount(5);
});

test('a proposal whose record changed meanwhile stays with the seen, the present and the proposed values', async ({
	browser
}) => {
	const { page } = await becomeOwner(browser, server);
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	const api = await Api.signIn(server);
	await api.push('todo', [{ table: 'tasks', id: 't1', op: 'insert', data: { title: 'Talk outline', done: false } }]);
	upstream.answers = [
		plan('Sharper.', [
			{
				summary: 'Rename',
				toolName: 'update_task',
				params: { taskId: 't1', title: 'Talk outline, ten slides' },
				rationale: 'It says what is meant.'
			}
		])
	];
	await api.makeDue(mission);
	await server.tick();
	await page.goto(`${server.url}/todo`);
	const ghost = page.getByRole('listitem', { name: /^Proposal from/ });
	await expect(ghost).toBeVisible();
	await api.push('todo', [
		{ table: 'tasks', id: 't1', op: 'update', fields: { title: { value: 'Talk outline, by Friday' } } }
	]);
	await synced(page);
	await expect.poll(() => page.evaluate(() => document.body.innerText)).toContain('by Friday');
	await ghost.getByRole('button', { name: 'Approve' }).click();
	await expect(ghost).toContainText('has changed since');
	await expect(ghost).toContainText('by now: Talk outline, by Friday');
	const onTop = ghost.getByRole('alert');
	await expect(onTop.getByRole('deletion')).toContainText('by Friday');
	await expect(onTop.getByRole('insertion')).toContainText('ten slides');
	expect((await api.changes('todo', 'tasks')).some((change) => change.actor.kind === 'ai')).toBe(false);
});

test('a module is one file: its page, its form and its proposals are there after a restart', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	const mission = await writeMission(page, 'Reading list');
	await synced(page);
	await mkdir(join(server.dataDir, 'modules'), { recursive: true });
	const manifest = {
		id: 'books',
		version: 1,
		route: '/books',
		icon: 'notes',
		order: 60,
		name: { en: 'Books', de: 'Bücher' },
		description: { en: 'What to read.', de: 'Was zu lesen ist.' },
		empty: {
			title: { en: 'No books yet', de: 'Noch keine Bücher' },
			body: { en: 'Write down one.', de: 'Schreib eines auf.' },
			action: { en: 'Add book', de: 'Buch hinzufügen' }
		},
		tables: {
			books: {
				name: { en: 'Book', de: 'Buch' },
				plural: { en: 'Books', de: 'Bücher' },
				fields: { title: { type: 'text', label: { en: 'Title', de: 'Titel' }, required: true } },
				list: { title: 'title' }
			}
		},
		tools: [
			{
				name: 'add_book',
				label: { en: 'New book', de: 'Neues Buch' },
				description: 'Adds a book to the reading list.',
				policy: 'propose',
				params: { title: { type: 'text', required: true, description: 'The title.' } },
				effect: { op: 'insert', table: 'books', set: { title: '$title' } }
			}
		]
	};
	await writeFile(join(server.dataDir, 'modules', 'books.json'), JSON.stringify(manifest));
	await writeFile(join(server.dataDir, 'modules', 'broken.json'), '{\n  "id": "broken",\n  oops\n}');
	await server.stop();
	await server.up();
	expect(server.output).toMatch(/broken\.json.*3/);

	upstream.answers = [
		plan('One for the train.', [
			{
				summary: 'Read it',
				toolName: 'add_book',
				params: { title: 'The Dispossessed' },
				rationale: 'You liked her other one.'
			}
		])
	];
	const api = await Api.signIn(server);
	await api.makeDue(mission);
	expect(await server.tick()).toMatchObject({ plansProduced: 1 });
	await page.goto(`${server.url}/books`);
	await page
		.getByRole('listitem', { name: /^Proposal from/ })
		.getByRole('button', { name: 'Approve' })
		.click();
	await expect(page.getByRole('main')).toContainText('The Dispossessed');
	await expect(page.getByRole('listitem', { name: /^Proposal from/ })).toHaveCount(0);
});
