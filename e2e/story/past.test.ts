import { mkdir } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { violations } from '../support/axe';
import { Api, becomeOwner, synced } from '../support/person';
import { Server } from '../support/server';
import { addTask, done } from '../support/tasks';

/** The rows "undo of last action", "trash or restore" and "version history" of the table of capabilities. */
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

let server: Server;

test.beforeEach(async () => {
	server = await Server.start();
});

test.afterEach(async () => {
	await server.dispose();
});

for (const [size, viewport] of Object.entries(SIZES)) {
	test(`on a ${size} the last actions are undone by one key and by one Tab, several deep, across pages`, async ({
		browser
	}) => {
		const { page } = await becomeOwner(browser, server, { viewport });
		await page.goto(`${server.url}/todo`);
		for (const title of ['Milk', 'Bread']) await addTask(page, title);
		await page.getByRole('textbox', { name: 'New task' }).press('Escape');
		await done(page, 'Milk').click();
		const bar = page.getByRole('region', { name: 'Undo' });
		await expect(bar).toContainText('Done: Milk');

		// One press of Tab leads into the bar, and Escape back.
		await page.locator('#main').focus();
		await page.keyboard.press('Tab');
		await expect(bar.getByRole('button', { name: 'Undo' })).toBeFocused();
		await page.keyboard.press('Escape');
		await expect(bar).toBeHidden();

		await page.getByRole('button', { name: 'Edit Bread' }).click();
		await page.getByRole('button', { name: 'Delete', exact: true }).click();
		await expect(bar).toContainText('Deleted: Bread');
		await page.goto(`${server.url}/notes`);
		await page.locator('#main').focus();
		await page.keyboard.press('Control+z');
		await expect(bar).toContainText('Undone: Deleted: Bread');
		await expect(bar).toContainText('Before that: Done: Milk');
		await bar.getByRole('button', { name: 'Undo' }).click();
		await expect(bar).toContainText('Undone: Done: Milk');
		await page.goto(`${server.url}/todo`);
		await expect(done(page, 'Bread')).toBeVisible();
		await expect(page.getByRole('textbox', { name: 'Title' }), 'as a row, not as an open form').toHaveCount(0);
		await expect(done(page, 'Milk')).not.toBeChecked();

		// In a field the key belongs to what is typed.
		await page.getByRole('button', { name: 'Edit Bread' }).click();
		const title = page.getByRole('textbox', { name: 'Title' });
		await title.fill('Bread and');
		await title.press('Control+z');
		await expect(title).toHaveValue('Bread');
		await expect(bar).toBeHidden();
	});

	test(`on a ${size} the trash gives back one and many, and deletes for good only after a question`, async ({
		browser
	}) => {
		const { context, page } = await becomeOwner(browser, server, { viewport });
		await page.goto(`${server.url}/todo`);
		await synced(page);
		const api = await Api.signIn(server);
		const titles = ['Alpha', 'Beta', 'Gamma', 'Delta'];
		await api.push(
			'todo',
			titles.map((title) => ({ table: 'tasks', id: title, op: 'insert', data: { title } }))
		);
		await api.push('notes', [{ table: 'notes', id: 'n', op: 'insert', data: { title: 'A note', body: 'x' } }]);
		await api.push(
			'todo',
			titles.map((id) => ({ table: 'tasks', id, op: 'delete', deletedAt: new Date().toISOString() }))
		);
		await api.push('notes', [{ table: 'notes', id: 'n', op: 'delete', deletedAt: new Date().toISOString() }]);
		await synced(page);
		await page.goto(`${server.url}/companion/workbench`);
		await page.getByRole('link', { name: 'Trash' }).click();
		const main = page.getByRole('main');
		await expect(main.getByText('5 records')).toBeVisible();
		await expect(main.getByRole('listitem').filter({ hasText: 'Alpha' })).toContainText('90 days left');

		await main.getByRole('button', { name: /^Restore ?: Alpha/ }).click();
		await expect(main.getByText('4 records')).toBeVisible();
		await main.getByRole('checkbox', { name: 'Select: Beta' }).click();
		await main.getByRole('checkbox', { name: 'Select: A note' }).click();
		await main.getByRole('button', { name: 'Restore 2' }).click();
		await expect(main.getByText('2 records')).toBeVisible();

		// Without the server nothing goes for good, and the page says so.
		await main.getByRole('checkbox', { name: 'Select: Gamma' }).click();
		await context.setOffline(true);
		await main.getByRole('button', { name: 'Delete it for good' }).click();
		const sheet = page.getByRole('dialog');
		await expect(sheet).toContainText('This cannot be undone');
		await sheet.getByRole('button', { name: 'Delete it for good' }).click();
		await expect(main.getByRole('alert')).toContainText('needs the server', { timeout: 30_000 });
		await expect(main.getByRole('link', { name: 'Gamma' })).toBeVisible();
		await context.setOffline(false);
		await main.getByRole('button', { name: 'Delete it for good' }).click();
		await page.getByRole('dialog').getByRole('button', { name: 'Delete it for good' }).click();
		await expect(main.getByRole('link', { name: 'Gamma' })).toBeHidden();
		await expect(main.getByRole('link', { name: 'Delta' })).toBeVisible();
		await page.reload();
		await expect(main.getByRole('link', { name: 'Delta' })).toBeVisible();
		await expect(main.getByRole('link', { name: 'Gamma' })).toBeHidden();
		await page.goto(`${server.url}/todo`);
		for (const title of ['Alpha', 'Beta']) await expect(done(page, title)).toBeVisible();
	});
}

test('what changed is told by author, with words and values, and goes back line by line', async ({ browser }) => {
	const { context, page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/todo`);
	await addTask(page, 'Call the landlord');
	await synced(page);
	const api = await Api.signIn(server);
	const body = 'The heating is broken since Monday. Ask for a date.';
	await api.push('notes', [{ table: 'notes', id: 'n', op: 'insert', data: { title: 'Boiler', body } }]);
	await api.push('notes', [{ table: 'notes', id: 'n', op: 'update', fields: { title: { value: 'The boiler' } } }]);
	await synced(page);
	await page.goto(`${server.url}/companion/workbench/changes`);
	const main = page.getByRole('main');
	await expect(main.getByRole('heading', { name: /You, on this device/ })).toBeVisible();
	await expect(main.getByRole('heading', { name: /You, on another device/ })).toBeVisible();
	await expect(main.getByRole('listitem').filter({ hasText: 'Call the landlord' })).toContainText('New task');

	await page.goto(`${server.url}/more/history?app=notes&table=notes&id=n`);
	await main.getByRole('button', { name: /^Put the whole record back to here/ }).click();
	await synced(page);
	expect((await api.changes('notes', 'notes')).at(-1)!.fields!.title.value).toBe('Boiler');

	await page.goto(`${server.url}/companion/workbench/changes`);
	await main.getByRole('button', { name: /^Put back ?: Call the landlord/ }).click();
	await synced(page);
	await page.goto(`${server.url}/todo`);
	await expect(done(page, 'Call the landlord')).toBeHidden();

	// Offline the page tells what the device knows, and says that there is more.
	await page.goto(`${server.url}/companion/workbench/changes`);
	await context.setOffline(true);
	await page.reload();
	await expect(main.getByRole('status')).toContainText('what the device itself knows');
	await expect(main.getByRole('link', { name: 'Boiler', exact: true })).toBeVisible();
});

test('the pages of the past pass axe with records in them, in both sizes and themes', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/todo`);
	await addTask(page, 'Draft the talk outline');
	await synced(page);
	const api = await Api.signIn(server);
	const old = 'We stay with the small host until the end of April. Ola asks for a date, Jonas for the price.';
	const body = 'We stay with the small host until July. Ola asks for a date, Jonas for the price. Nothing else moves.';
	const actor = {
		kind: 'ai',
		missionId: 'm',
		iterationId: 'i',
		rationale: 'The receipts are due at the end of the week.'
	};
	await api.push('notes', [
		{ table: 'notes', id: 'n', op: 'insert', data: { title: 'Hosting, what we decided', body: old } }
	]);
	await api.push('notes', [{ table: 'notes', id: 'n', op: 'update', fields: { body: { value: body } } }]);
	await api.push('todo', [
		{ table: 'tasks', id: 'a', op: 'insert', data: { title: 'Order business cards' } },
		{ table: 'tasks', id: 'b', op: 'insert', data: { title: 'Cancel the newspaper' } },
		{
			table: 'tasks',
			id: 'c',
			op: 'insert',
			data: { title: 'Collect receipts for March', dueDate: '2026-12-04' },
			actor
		},
		{ table: 'tasks', id: 'c', op: 'update', fields: { dueDate: { value: '2026-12-11' } }, actor }
	]);
	for (const id of ['a', 'b']) await api.push('todo', [{ table: 'tasks', id, op: 'delete' }]);
	await synced(page);
	await done(page, 'Draft the talk outline').click();
	const shots = process.env.MANA_SHOTS;
	if (shots) await mkdir(shots, { recursive: true });
	const found: string[] = [];
	for (const [name, path] of [
		['changes', '/companion/workbench/changes'],
		['trash', '/companion/workbench/trash'],
		['history', '/more/history?app=notes&table=notes&id=n'],
		['todo', '/todo']
	]) {
		await page.setViewportSize(SIZES.desktop);
		await page.goto(server.url + path);
		await expect(page.getByRole('main').getByRole('listitem').first()).toBeVisible();
		if (name === 'todo') {
			await done(page, 'Collect receipts for March').click();
			await expect(page.getByRole('region', { name: 'Undo' })).toBeVisible();
		}
		for (const [size, colorScheme] of [
			['desktop', 'light'],
			['phone', 'dark']
		] as const) {
			await page.setViewportSize(SIZES[size]);
			await page.emulateMedia({ colorScheme });
			for (const violation of await violations(page)) found.push(`${path} ${size} ${colorScheme}: ${violation}`);
			const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
			if (beyond > 0) found.push(`${path} ${size}: ${beyond} px wider than the screen`);
			if (shots) await page.screenshot({ path: `${shots}/past-${name}-${size}-${colorScheme}.png`, fullPage: true });
		}
	}
	expect(found).toEqual([]);
});
