import { expect, test } from '@playwright/test';
import { Api, becomeOwner, LENA, synced, writeMission } from '../support/person';
import { Server } from '../support/server';
import { plan, Upstream } from '../support/upstream';

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

test('a session that ends while a form is open loses nothing that is typed', async ({ browser }) => {
	const { context, page } = await becomeOwner(browser, server);
	await synced(page);
	await page.goto(`${server.url}/companion/missions/new`);
	await page.getByLabel('Title').fill('Half a thought');
	// The server no longer knows the session: neither its token nor its cookie.
	await context.clearCookies();
	const refused = (url: URL) => url.pathname === '/sync';
	await page.route(refused, (route) =>
		route.fulfill({ status: 401, json: { error: { code: 'unauthorized', message: 'Sign in.' } } })
	);
	await page.evaluate(() => dispatchEvent(new Event('online')));
	await expect(page.getByText('Your session has ended.')).toBeVisible();
	await expect(page.getByLabel('Title')).toHaveValue('Half a thought');
	await page.unroute(refused);

	await page.getByRole('alert').getByRole('button', { name: 'Sign in' }).click();
	const again = page.getByRole('dialog', { name: 'Sign in again' });
	await expect(again.getByLabel('E-mail')).toHaveValue(LENA.email);
	await again.getByLabel('Password').fill(LENA.password);
	await again.getByRole('button', { name: 'Sign in' }).click();
	await expect(page.getByText('Your session has ended.')).toHaveCount(0);
	await expect(page.getByLabel('Title')).toHaveValue('Half a thought');
	await page.getByRole('button', { name: 'Create mission' }).click();
	await expect(page.getByRole('heading', { level: 1, name: 'Half a thought' })).toBeVisible();
	await synced(page);
	expect(await (await Api.signIn(server)).changes('ai', 'aiMissions')).toHaveLength(1);
});

test('a form that one has written in may be left: its draft waits, and says that nothing is saved', async ({
	browser
}) => {
	const { page } = await becomeOwner(browser, server);
	await synced(page);
	await page.getByRole('link', { name: 'Missions' }).first().click();
	await page.getByRole('link', { name: 'New mission' }).first().click();
	await page.getByLabel('Title').fill('Half a thought');
	await page.goBack();
	await expect(page).toHaveURL(/missions$/);
	await page.getByRole('button', { name: /^Go on writing ?: Half a thought$/ }).click();
	await expect(page).toHaveURL(/missions\/new/);
	await expect(page.getByLabel('Title')).toHaveValue('Half a thought');
	// Cancelling discards it, and asks first.
	page.once('dialog', (dialog) => dialog.dismiss());
	await page.getByRole('link', { name: 'Cancel' }).click();
	await expect(page.getByLabel('Title')).toHaveValue('Half a thought');
	page.once('dialog', (dialog) => dialog.accept());
	await page.getByRole('link', { name: 'Cancel' }).click();
	await expect(page).toHaveURL(/missions$/);
	await expect(page.getByRole('region', { name: 'Not saved yet' })).toHaveCount(0);
});

test('a double click approves one proposal, not its neighbour too', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	const step = (title: string) => ({
		summary: title,
		toolName: 'create_task',
		params: { title },
		rationale: 'It is on the list.'
	});
	upstream.answers = [plan('Three things.', [step('First'), step('Second'), step('Third')])];
	const api = await Api.signIn(server);
	await api.makeDue(mission);
	await server.tick();
	await page.setViewportSize({ width: 800, height: 900 });
	await page.goto(`${server.url}/companion/inbox`);
	const button = page.getByRole('button', { name: 'Approve', exact: true }).first();
	await expect(button).toBeEnabled();
	const box = (await button.boundingBox())!;
	const [x, y] = [box.x + box.width / 2, box.y + box.height / 2] as const;
	await page.mouse.click(x, y);
	const two = page.getByRole('heading', { level: 1, name: '2 proposals wait' });
	await expect(two).toBeVisible();
	// The neighbour's button has moved under the pointer when the second press of the double click comes.
	expect(
		await page.evaluate(([x, y]) => document.elementFromPoint(x, y)?.textContent?.trim(), [x, y] as const)
	).toMatch(/^Approve/);
	await page.mouse.down({ clickCount: 2 });
	await page.mouse.up({ clickCount: 2 });
	await expect(two).toBeVisible();
	await synced(page);
	expect((await api.changes('todo', 'tasks')).map((change) => change.data?.title)).toEqual(['First']);
});
