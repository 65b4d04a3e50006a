import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { codeOf, earlyInStep } from '../support/codes';
import { becomeOwner, LENA, makeAccount, OLA } from '../support/person';
import { Server } from '../support/server';

/** The pages about people and their proofs, both sizes, light and dark. */
const OUT = process.env.MANA_SHOTS ?? resolve(import.meta.dirname, '../../docs/screenshots');
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

test('people', async ({ browser }) => {
	test.setTimeout(300_000);
	await mkdir(OUT, { recursive: true });
	const server = await Server.start({ MANA_SIGNUP: 'invite' });
	const shoot = async (page: Page, name: string, fullPage = false) => {
		for (const [size, viewport] of Object.entries(SIZES)) {
			for (const theme of ['light', 'dark'] as const) {
				await page.setViewportSize(viewport);
				await page.emulateMedia({ colorScheme: theme });
				await page.screenshot({ path: `${OUT}/${name}-${size}-${theme}.png`, fullPage });
			}
		}
		await page.setViewportSize(SIZES.desktop);
	};
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/settings/people`);
	for (const name of ['Ola Nyberg', 'Jonas Weber']) {
		await page.getByRole('button', { name: 'Invite someone' }).click();
		const sheet = page.getByRole('dialog');
		await sheet.getByLabel('For whom, for your list').fill(name);
		if (name.startsWith('Jonas')) await shoot(page, 'people-invite');
		await sheet.getByRole('button', { name: 'Make a link' }).click();
		const link = new URL(await sheet.getByLabel('Invitation link').inputValue());
		await sheet.getByRole('button', { name: 'Done' }).click();
		if (name.startsWith('Jonas')) continue;
		const guest = await (await browser.newContext()).newPage();
		await guest.goto(`${server.url}${link.pathname}${link.hash}`);
		await makeAccount(guest, server, OLA);
	}
	await earlyInStep();
	await page.reload();
	await page.getByRole('button', { name: 'Add a code app' }).click();
	await page.getByLabel('Present password').fill(LENA.password);
	await page.getByRole('button', { name: 'Next' }).click();
	await page.getByRole('img', { name: 'QR code for a code app' }).scrollIntoViewIfNeeded();
	await shoot(page, 'second-factor-new');
	const letters = await page.getByLabel('The same as letters').textContent();
	await page.getByLabel('Six digits').fill(codeOf(letters!, -1));
	await page.getByRole('button', { name: 'Check' }).click();
	await expect(page.getByRole('group', { name: 'Recovery codes' })).toBeVisible();
	await shoot(page, 'recovery-codes');
	await page.getByRole('button', { name: 'I have kept them' }).click();
	await page.reload();
	await expect(page.getByText('10 left')).toBeVisible();
	await shoot(page, 'people', true);
	await page.getByRole('button', { name: 'Change Ola' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Their own' }).click();
	await shoot(page, 'person-change');

	const other = await (await browser.newContext()).newPage();
	await other.goto(`${server.url}/login`);
	await other.getByLabel('E-mail').fill(LENA.email);
	await other.getByLabel('Password').fill(LENA.password);
	await other.getByRole('button', { name: 'Sign in' }).click();
	await expect(other.getByRole('heading', { name: 'Six digits, please' })).toBeVisible();
	await shoot(other, 'second-step');
	await server.dispose();
});
