import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, expect, test, type BrowserContext, type Page } from '@playwright/test';
import { Api, becomeOwner, LENA, makeAccount, signIn, synced } from '../support/person';
import { Server } from '../support/server';
import { addTask, done, taskLine } from '../support/tasks';

let server: Server;

test.beforeEach(async () => {
	server = await Server.start();
});

test.afterEach(async () => {
	await server.dispose();
});

async function titles(): Promise<string[]> {
	const changes = await (await Api.signIn(server)).changes('todo', 'tasks');
	return changes.filter(({ data }) => data).map(({ data }) => data?.title as string);
}

/** A browser on a profile that lies on the disk. */
function open(profile: string): Promise<BrowserContext> {
	const { launchOptions, locale, timezoneId, viewport } = test.info().project.use;
	return chromium.launchPersistentContext(profile, { ...launchOptions, locale, timezoneId, viewport });
}

test('a browser profile that was copied: each copy hears the other, and a new browser has it all', async ({
	browser
}) => {
	const folder = await mkdtemp(join(tmpdir(), 'mana-profiles-'));
	const profile = (name: string) => join(folder, name);
	const contexts: BrowserContext[] = [];
	try {
		const original = await open(profile('one'));
		contexts.push(original);
		const page = await original.newPage();
		await page.goto(server.setupLink);
		await makeAccount(page, server, LENA, 'Make it mine');
		await page.goto(`${server.url}/todo`);
		await addTask(page, 'Before the copy');
		await synced(page);
		await original.close();
		await cp(profile('one'), profile('two'), { recursive: true });

		const copies: Page[] = [];
		for (const name of ['one', 'two']) {
			const context = await open(profile(name));
			contexts.push(context);
			const page = await context.newPage();
			await page.goto(`${server.url}/todo`);
			await expect(done(page, 'Before the copy')).toBeVisible();
			copies.push(page);
		}
		const wanted = ['Before the copy'];
		for (const round of ['first', 'again']) {
			for (const [index, page] of copies.entries()) {
				const title = `${round} on machine ${index + 1}`;
				await addTask(page, title);
				await synced(page);
				wanted.push(title);
			}
		}
		const fresh = await signIn(browser, server);
		contexts.push(fresh.context);
		await fresh.page.goto(`${server.url}/todo`);
		for (const page of [...copies, fresh.page]) {
			for (const title of wanted) await expect(done(page, title)).toBeVisible();
			await synced(page);
		}
		expect((await titles()).sort()).toEqual([...wanted].sort());
	} finally {
		for (const context of contexts) await context.close();
		await rm(folder, { recursive: true, force: true });
	}
});

test('half an emoji is kept as a replacement character, and nothing waits for it', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/todo`);
	await synced(page);
	const field = await taskLine(page);
	// A keyboard, or a program that cuts by UTF-16 units, leaves one half of a pair.
	await field.evaluate((input: HTMLInputElement) => {
		input.value = 'Party \ud83c\udf89 and half \ud83c of one';
		input.dispatchEvent(new Event('input', { bubbles: true }));
	});
	await field.press('Enter');
	const kept = 'Party \ud83c\udf89 and half \ufffd of one';
	await expect(done(page, kept)).toBeVisible();
	await addTask(page, 'The next one');
	await synced(page);
	expect(await titles()).toEqual([kept, 'The next one']);
	const other = await signIn(browser, server);
	await other.page.goto(`${server.url}/todo`);
	await expect(done(other.page, kept)).toBeVisible();
	await expect(page.getByRole('alert')).toHaveCount(0);
});

test('a server that lost everything is set up by the device that still holds the records, and gets them', async ({
	browser
}) => {
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/todo`);
	await synced(page);
	await addTask(page, 'Precious task');
	await synced(page);
	await server.kill();
	await addTask(page, 'Written while it was gone');
	await server.loseEverything();

	// Whoever opens the app reads what happened and what to do; the link then works here, too.
	await page.goto(`${server.url}/todo`);
	await expect(page.getByRole('status').filter({ hasText: 'has no account any more' })).toContainText(LENA.email);
	await page.goto(server.setupLink);
	const bring = page.getByRole('checkbox', { name: `Bring what this device holds of ${LENA.email}: 2 records` });
	await expect(bring).toBeChecked();
	await expect(page.getByLabel('E-mail')).toHaveValue(LENA.email);
	await makeAccount(page, server, { ...LENA, password: 'a new quiet morning' }, 'Make it mine');
	const api = await Api.signIn(server, { ...LENA, password: 'a new quiet morning' });
	// A page that is left while records go back counts them no more.
	const had = async () => new Set((await api.changes('todo', 'tasks')).map(({ id }) => id)).size;
	await expect.poll(had).toBe(2);
	await expect(page.getByRole('alert').filter({ hasText: 'put back to an older state' })).toBeVisible();
	await page.goto(`${server.url}/todo`);
	for (const title of ['Precious task', 'Written while it was gone']) await expect(done(page, title)).toBeVisible();
	// The earlier account's database stays as it is, its outbox too.
	await expect(page.getByRole('link', { name: /^Synced/ }).first()).toBeVisible();
	const told = page.getByRole('alert').filter({ hasText: 'put back to an older state, or set up anew' });
	await told.getByRole('link', { name: 'What happened' }).click();
	const report = page.getByRole('region', { name: 'Read anew' });
	await expect(report).toContainText('1 change that was waiting here is sent as ever');
	await expect(report).toContainText('1 record that the server lacked came back to it from this device');
	await report.getByRole('button', { name: 'I have seen it' }).click();
	await expect(report).toHaveCount(0);

	const other = await browser.newContext();
	const fresh = await other.newPage();
	await fresh.goto(`${server.url}/login`);
	await fresh.getByLabel('E-mail').fill(LENA.email);
	await fresh.getByLabel('Password').fill('a new quiet morning');
	await fresh.getByRole('button', { name: 'Sign in' }).click();
	await expect(fresh).toHaveURL(`${server.url}/`);
	await fresh.goto(`${server.url}/todo`);
	for (const title of ['Precious task', 'Written while it was gone']) await expect(done(fresh, title)).toBeVisible();
});
