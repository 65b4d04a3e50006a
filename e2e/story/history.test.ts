import { expect, test } from '@playwright/test';
import { Api, becomeOwner, synced } from '../support/person';
import { Server } from '../support/server';

let server: Server;

test.beforeEach(async () => {
	server = await Server.start();
});

test.afterEach(async () => {
	await server.dispose();
});

test('a record’s history says who wrote what, puts an older text back, and needs the network', async ({ browser }) => {
	const { context, page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/notes`);
	await synced(page);
	const api = await Api.signIn(server);
	const texts = ['The large one.', 'The small one.', 'No room at all.'];
	await api.push('notes', [{ table: 'notes', id: 'n1', op: 'insert', data: { title: 'Rooms', body: texts[0] } }]);
	for (const body of texts.slice(1))
		await api.push('notes', [{ table: 'notes', id: 'n1', op: 'update', fields: { body: { value: body } } }]);
	await page.getByRole('button', { name: 'Open Rooms' }).click();
	await expect(page.getByRole('main')).toContainText(texts[2]);
	await page.getByRole('link', { name: 'History' }).click();
	await expect(page).toHaveURL(/\/more\/history\?/);
	await expect(page.getByRole('heading', { level: 1, name: 'History' })).toBeVisible();

	// The newest first, each with its words and its author; only what no longer stands can be put back.
	const entries = page.getByRole('main').getByRole('listitem');
	await expect(entries).toHaveCount(3);
	await expect(entries.first()).toContainText('stands now');
	await expect(entries.first()).toContainText('by you');
	await expect(entries.first().getByRole('button')).toHaveCount(0);
	await entries
		.last()
		.getByRole('button', { name: /^Put this back ?: Text/ })
		.click();
	await synced(page);
	// The way back opens the record in its list.
	await page.getByRole('link', { name: 'Back to the list' }).click();
	await expect(page.getByRole('link', { name: 'History' })).toBeVisible();
	await expect(page.getByRole('main')).toContainText(texts[0]);
	expect((await api.changes('notes', 'notes')).at(-1)!.fields!.body.value).toBe(texts[0]);

	await page.getByRole('link', { name: 'History' }).click();
	await expect(entries.first()).toContainText(texts[0]);
	await context.setOffline(true);
	await page.reload();
	await expect(page.getByText('what the device itself knows')).toBeVisible();
	await expect(entries.first()).toContainText(texts[0]);
	await context.setOffline(false);
	await page.getByRole('button', { name: 'Try again' }).click();
	await expect(entries).toHaveCount(4);
});
