import { expect, test } from '@playwright/test';
import { becomeOwner, LENA, signIn, synced, writeMission, Api } from '../support/person';
import { furnish } from '../support/household';
import { pages } from '../support/pages';
import { Server } from '../support/server';
import { plan, Upstream } from '../support/upstream';

let server: Server;
let upstream: Upstream;

test.beforeEach(async () => {
	upstream = await Upstream.start();
	server = await Server.start({ ...upstream.env, MANA_SIGNUP: 'open' });
});

test.afterEach(async () => {
	await server.dispose();
	await upstream.stop();
});

test('a mission’s life: run now, feedback, edit, pause, resume, complete, delete', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/notes`);
	await synced(page);
	const api = await Api.signIn(server);
	await api.push('notes', [
		{ table: 'notes', id: 'n1', op: 'insert', data: { title: 'Rooms', body: 'The large one goes fast.' } }
	]);
	await writeMission(page, 'Weekly plan');
	await synced(page);

	// Edited: it reads a note now.
	await page.getByRole('link', { name: 'Edit mission' }).click();
	await page.getByLabel('All of Notes').check();
	await page.getByLabel('Objective').fill('Keep this week honest.');
	await page.getByRole('button', { name: 'Save' }).click();
	await expect(page.getByText('Keep this week honest.')).toBeVisible();
	await synced(page);

	// Run now: the plan arrives on the open page by itself.
	upstream.answers = [plan('A quiet week.', [])];
	await page.getByRole('button', { name: 'Run now' }).click();
	await expect(page.getByText('A quiet week.')).toBeVisible();
	expect(upstream.lastPrompt).toContain('The large one goes fast.');

	// Feedback on the run reaches the next prompt.
	await page.getByRole('button', { name: 'Say something to the mission' }).click();
	await page.getByLabel('Your feedback on this run').fill('Quiet is not the same as empty.');
	await page.getByRole('button', { name: 'Save' }).click();
	await synced(page);
	upstream.answers = [plan('Understood.', [])];
	await page.getByRole('button', { name: 'Run now' }).click();
	await expect(page.getByText('Understood.')).toBeVisible();
	expect(upstream.lastPrompt).toContain('Quiet is not the same as empty.');

	// Paused it has no next run; resumed it has one.
	await page.getByRole('button', { name: 'Pause' }).click();
	await expect(page.getByText('It does not run until you resume it')).toBeVisible();
	await synced(page);
	await page.getByRole('button', { name: 'Resume' }).click();
	await expect(page.getByText(/^Next:/).first()).toBeVisible();
	await page.getByRole('button', { name: 'Complete' }).click();
	await expect(page.getByText('It does not run any more')).toBeVisible();

	await page.getByRole('button', { name: 'Delete', exact: true }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Delete mission' }).click();
	await expect(page).toHaveURL(`${server.url}/companion/missions`);
	await synced(page);
	const log = await api.changes('ai', 'aiMissions');
	expect(log.at(-1)!.op).toBe('delete');
});

test('without a model a plain outline stands in, and says that it is no AI', async ({ browser }) => {
	const bare = await Server.start();
	const { page } = await becomeOwner(browser, bare);
	await writeMission(page, 'Packing', '- Passport\n- Chargers');
	await synced(page);
	await page.getByRole('button', { name: 'Run now' }).click();
	await expect(page.getByText('made without AI').first()).toBeVisible();
	await page.goto(`${bare.url}/todo`);
	await expect(page.getByRole('listitem', { name: /^Proposal from/ })).toHaveCount(2);
	await bare.dispose();
});

test('the next person at the same browser inherits nothing', async ({ browser }) => {
	const { context, page } = await becomeOwner(browser, server);
	await furnish(await Api.signIn(server), server, upstream);
	await page.goto(`${server.url}/todo`);
	await expect(page.getByText('Renew the parking permit')).toBeVisible();
	await page.goto(`${server.url}/settings`);
	await synced(page);
	await page.getByRole('button', { name: 'Sign out', exact: true }).click();
	await expect(page).toHaveURL(/\/login/);
	await page.goto(`${server.url}/todo`);
	await expect(page).toHaveURL(/\/login/);

	await page
		.getByRole('button', { name: 'No account yet? Make one' })
		.or(page.getByRole('link', { name: 'No account yet? Make one' }))
		.click();
	await page.getByLabel('Name').fill('Ola');
	await page.getByLabel('E-mail').fill('ola@example.org');
	await page.getByLabel('Password').fill('another quiet morning');
	await page.getByRole('button', { name: 'Create account' }).click();
	// To the page that was asked for before.
	await expect(page).toHaveURL(`${server.url}/todo`);
	await expect(page.getByText('Nothing to do yet')).toBeVisible();
	await expect(page.getByText('Renew the parking permit')).toHaveCount(0);
	await context.close();

	// And the first one finds everything again, elsewhere.
	const again = await signIn(browser, server);
	await again.page.goto(`${server.url}/todo`);
	await expect(again.page.getByText('Renew the parking permit')).toBeVisible();
});

test('a wrong password says so where the person looks, and keeps what was typed', async ({ browser }) => {
	const { context } = await becomeOwner(browser, server);
	await context.close();
	const page = await (await browser.newContext()).newPage();
	await page.goto(`${server.url}/login`);
	await page.getByLabel('E-mail').fill(LENA.email);
	await page.getByLabel('Password').fill('not this one');
	await page.getByRole('button', { name: 'Sign in' }).click();
	await expect(page.getByRole('alert')).toContainText('do not fit together');
	await expect(page.getByLabel('E-mail')).toHaveValue(LENA.email);
});

test('in German no page is wider than the screen, and none falls back to English', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await synced(page);
	const { weekly } = await furnish(await Api.signIn(server), server, upstream);
	await page.goto(`${server.url}/settings`);
	await page
		.getByRole('radio', { name: 'Deutsch' })
		.or(page.getByRole('button', { name: 'Deutsch' }))
		.or(page.getByText('Deutsch', { exact: true }))
		.first()
		.click();
	await expect(page.getByRole('heading', { level: 1, name: 'Einstellungen' })).toBeVisible();
	const wide: string[] = [];
	for (const path of pages(weekly)) {
		await page.setViewportSize({ width: 1440, height: 900 });
		await page.goto(server.url + path);
		await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
		expect(await page.evaluate(() => document.documentElement.lang)).toBe('de');
		expect(await page.getByRole('button', { name: /^(Approve|Reject|Edit|Save|Delete|Pause)/ }).count(), path).toBe(0);
		await page.setViewportSize({ width: 390, height: 844 });
		if (process.env.MANA_SHOTS)
			await page.screenshot({ path: `${process.env.MANA_SHOTS}/de${path.replaceAll('/', '-')}.png` });
		const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
		if (beyond > 0) wide.push(`${path}: ${beyond} px`);
	}
	expect(wide).toEqual([]);
});
