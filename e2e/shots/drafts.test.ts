import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { violations } from '../support/axe';
import { Api, becomeOwner, synced } from '../support/person';
import { Server } from '../support/server';

/** Pictures of open work: drafts that wait, and forms whose record changed or was deleted elsewhere. */
const OUT = process.env.MANA_SHOTS ?? resolve(import.meta.dirname, '../../docs/screenshots/drafts');
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

async function shoot(page: Page, name: string): Promise<void> {
	expect(await violations(page), name).toEqual([]);
	for (const [size, viewport] of Object.entries(SIZES)) {
		await page.setViewportSize(viewport);
		expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), name).toBe(0);
		for (const colorScheme of ['light', 'dark'] as const) {
			await page.emulateMedia({ colorScheme });
			await page.screenshot({ path: `${OUT}/${name}-${size}-${colorScheme}.png`, fullPage: true });
		}
	}
	await page.setViewportSize(SIZES.desktop);
}

test('drafts', async ({ browser }) => {
	test.setTimeout(300_000);
	await mkdir(OUT, { recursive: true });
	const server = await Server.start();
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/notes`);
	await synced(page);
	const api = await Api.signIn(server);
	const change = (fields: object) => api.push('notes', [{ table: 'notes', id: 'n1', op: 'update', fields }]);
	const body = 'The large room goes fast after Wednesday.\n\nBook it by Tuesday.';
	await api.push('notes', [
		{ table: 'notes', id: 'n1', op: 'insert', data: { title: 'Rooms', body } },
		{ table: 'notes', id: 'n2', op: 'insert', data: { title: 'Call with Marta', body: 'She wants the quote.' } }
	]);
	const form = page.getByRole('main').locator('form');
	await page.getByRole('button', { name: 'Open Rooms' }).click();
	await page.getByRole('button', { name: 'Edit' }).click();
	await form.getByLabel('Text').fill(`${body}\n\nThe small one is free on Friday.`);
	await form.getByLabel('Title').fill('Rooms in the studio');
	await page.getByRole('button', { name: 'Open Call with Marta' }).click();
	await expect(page.getByRole('region', { name: 'Not saved yet' })).toBeVisible();
	await shoot(page, 'waiting');
	await page.getByRole('button', { name: /^Go on writing/ }).click();
	await expect(form).toContainText('Nothing of it is saved yet.');
	await change({ body: { value: 'All rooms are gone until Friday.' }, title: { value: 'Rooms, all of them' } });
	await expect(form).toContainText('Changed elsewhere while you wrote');
	await shoot(page, 'changed');
	await page.emulateMedia({ colorScheme: 'light' });
	await page.goto(`${server.url}/settings`);
	await page.getByText('Deutsch', { exact: true }).first().click();
	await page.goto(`${server.url}/notes`);
	await page.getByRole('button', { name: /^Weiterschreiben/ }).click();
	await expect(form).toContainText('Anderswo geändert, während du geschrieben hast');
	await shoot(page, 'changed-de');
	await api.push('notes', [{ table: 'notes', id: 'n1', op: 'delete' }]);
	await expect(form).toContainText('Anderswo gelöscht');
	await shoot(page, 'deleted-de');
	await page.goto(`${server.url}/todo`);
	await page.goto(`${server.url}/notes`);
	await shoot(page, 'waiting-deleted-de');
	await server.dispose();
});
