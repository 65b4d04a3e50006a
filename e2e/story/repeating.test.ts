import { expect, test, type Page } from '@playwright/test';
import { violations } from '../support/axe';
import { becomeOwner, signIn, synced } from '../support/person';
import { Server } from '../support/server';
import { done, taskLine, typeTask } from '../support/tasks';

let server: Server;

test.beforeEach(async () => {
	server = await Server.start();
});

test.afterEach(async () => {
	await server.dispose();
});

/** A task's row. */
const row = (page: Page, title: string) => page.getByRole('listitem').filter({ has: done(page, title) });
const words = (page: Page) => page.getByRole('group', { name: 'Understood as time' });
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true };

for (const [device, options] of [
	['a desktop', {}],
	['a phone', PHONE]
] as const) {
	test(`a line says when and how often, is shown as understood before Enter, and taken back, on ${device}`, async ({
		browser
	}) => {
		const { page } = await becomeOwner(browser, server, options);
		await page.goto(`${server.url}/todo`);
		const line = await taskLine(page);
		await line.fill('Call Zoë tomorrow at 3pm');
		await expect(words(page).getByRole('status')).toHaveText('Tomorrow · 15:00');
		expect(await violations(page)).toEqual([]);

		// A part is taken back by keyboard, and is text again.
		const part = words(page).getByRole('button', { name: 'at 3pm' });
		await expect(part).toHaveAttribute('aria-pressed', 'true');
		await part.press('Space');
		await expect(part).toHaveAttribute('aria-pressed', 'false');
		await expect(words(page).getByRole('status')).toHaveText('Tomorrow');
		await part.press('Space');
		await line.press('Enter');
		await expect(row(page, 'Call Zoë')).toContainText('Tomorrow, 15:00');

		// A quoted part stays text.
		await line.fill('Read "Tomorrow" on Friday');
		await expect(words(page).getByRole('button')).toHaveText(['on Friday']);
		await line.press('Enter');
		await expect(done(page, 'Read "Tomorrow"')).toBeVisible();

		await typeTask(page, 'Bins every second Monday');
		await expect(row(page, 'Bins')).toContainText('every second Monday');

		// The form says the same, takes other words, and refuses what it does not understand.
		await page.getByRole('button', { name: 'Edit Bins' }).click();
		const repeats = page.getByLabel('Repeats');
		await expect(repeats).toHaveValue('every second Monday');
		await repeats.fill('now and then');
		await page.getByRole('button', { name: 'Save' }).click();
		await expect(page.getByText('This is not understood.')).toBeVisible();
		await repeats.fill('every Tuesday until 30 June 2099');
		await page.getByRole('button', { name: 'Save' }).click();
		await expect(row(page, 'Bins')).toContainText('every Tuesday until 30 June 2099');
	});
}

test('in German too', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.evaluate(() => localStorage.setItem('mana.locale', 'de'));
	await page.goto(`${server.url}/todo`);
	await page.getByRole('button', { name: 'Aufgabe hinzufügen' }).first().click();
	const line = page.getByRole('textbox', { name: 'Neue Aufgabe' });
	await line.fill('Müll jeden zweiten Montag um 7 Uhr');
	await line.press('Enter');
	const task = page.getByRole('listitem').filter({ hasText: 'Müll' });
	await expect(task).toContainText('07:00');
	await expect(task).toContainText('jeden zweiten Montag');
});

test('two devices tick a repeating task offline and meet in one next task', async ({ browser }) => {
	const desk = await becomeOwner(browser, server);
	await desk.page.goto(`${server.url}/todo`);
	await typeTask(desk.page, 'Water the plants every day');
	await expect(row(desk.page, 'Water the plants')).toContainText('every day');
	await synced(desk.page);
	const phone = await signIn(browser, server, PHONE);
	await phone.page.goto(`${server.url}/todo`);
	await expect(done(phone.page, 'Water the plants')).toBeVisible();
	await synced(phone.page);

	const open = (page: Page) => page.getByRole('checkbox', { name: 'Done: Water the plants', checked: false });
	for (const { context, page } of [desk, phone]) {
		await context.setOffline(true);
		await expect(row(page, 'Water the plants')).toContainText('Today');
		await open(page).check();
		await expect(row(page, 'Water the plants')).toContainText('Tomorrow');
	}
	for (const { context, page } of [desk, phone]) {
		await context.setOffline(false);
		await synced(page);
	}
	for (const { page } of [desk, phone]) {
		await expect(open(page)).toHaveCount(1);
		await expect(page.getByRole('button', { name: /^Done 1$/ })).toBeVisible();
	}

	// The tick is taken back on one of them, and the next task with it, on both.
	await phone.page.getByRole('button', { name: /^Done 1$/ }).click();
	await phone.page.getByRole('checkbox', { name: 'Done: Water the plants', checked: true }).uncheck();
	for (const { page } of [phone, desk]) {
		await expect(open(page)).toHaveCount(1);
		await expect(row(page, 'Water the plants')).toContainText('Today');
	}

	// An occurrence is left out without being done.
	await desk.page.getByRole('button', { name: 'Edit Water the plants' }).click();
	await desk.page.getByRole('button', { name: 'Skip this time' }).click();
	await expect(row(desk.page, 'Water the plants')).toContainText('Tomorrow');
});
