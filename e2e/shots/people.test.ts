import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { codeOf, earlyInStep } from '../support/codes';
import { becomeOwner, LENA, makeAccount, OLA } from '../support/person';
import { Server } from '../support/server';

/** The pages about people and their proofs, both sizes, light and dark. */
const OUT = process.env.MANA_SHOTS ?? resolve(import.meta.dirname, '../../docs/screenshots');
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

async function shoot(page: Page, name: string, fullPage = false): Promise<void> {
	await mkdir(OUT, { recursive: true });
	for (const [size, viewport] of Object.entries(SIZES)) {
		for (const theme of ['light', 'dark'] as const) {
			await page.setViewportSize(viewport);
			await page.emulateMedia({ colorScheme: theme });
			await page.screenshot({ path: `${OUT}/${name}-${size}-${theme}.png`, fullPage });
		}
	}
	await page.setViewportSize(SIZES.desktop);
}

test('people', async ({ browser }) => {
	test.setTimeout(300_000);
	const server = await Server.start({ MANA_SIGNUP: 'invite' });
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
		await expect(guest.getByLabel('Name')).toBeVisible();
		await shoot(guest, 'join');
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
	await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();

	await page.goto(`${server.url}/settings`);
	await page.getByRole('button', { name: 'Change name, address, time zone' }).click();
	await shoot(page, 'settings', true);
	await page.getByRole('button', { name: 'Deutsch' }).click();
	await expect(page.getByRole('heading', { name: 'Einstellungen' })).toBeVisible();
	await shoot(page, 'settings-de', true);
	await page.goto(`${server.url}/settings/people`);
	await expect(page.getByRole('heading', { level: 1, name: 'Menschen' })).toBeVisible();
	await expect(page.locator('.person')).toHaveCount(3);
	await shoot(page, 'people-de', true);

	for (const locale of ['en', 'de']) {
		const end = locale === 'en' ? '' : `-${locale}`;
		const other = await (await browser.newContext({ locale })).newPage();
		await other.goto(`${server.url}/login`);
		await other.locator('[name=email]').fill(LENA.email);
		await shoot(other, `sign-in${end}`);
		await other.locator('[name=password]').fill(LENA.password);
		await other.locator('form button.btn-tall').click();
		await expect(other.locator('[autocomplete=one-time-code]').first()).toBeVisible();
		await shoot(other, `second-step${end}`);
		await other.goto(`${server.url}/reset#token=none`);
		await expect(other.getByRole('heading', { level: 1 })).toBeVisible();
		await shoot(other, `reset${end}`);
	}
	await server.dispose();
});

/** Fills the form of the setup link, in any language. */
async function setUp(page: Page): Promise<void> {
	await page.locator('[name=name]').fill(LENA.name);
	await page.locator('[name=email]').fill(LENA.email);
	await page.locator('[name=password]').fill(LENA.password);
	await page.locator('form button.btn-tall').click();
	await expect(page.locator('li.done')).toBeVisible();
}

for (const locale of ['en', 'de']) {
	test(`setup in ${locale}`, async ({ browser }) => {
		const end = locale === 'en' ? '' : `-${locale}`;
		const server = await Server.start({});
		const page = await (await browser.newContext({ locale })).newPage();
		await page.goto(server.setupLink);
		await expect(page.locator('[name=name]')).toBeVisible();
		await shoot(page, `setup${end}`);
		await setUp(page);
		await expect(page.locator('.phone .hint').first()).toBeVisible();
		await shoot(page, `setup-next${end}`, true);
		await server.dispose();

		// A server that a phone reaches, without HTTPS and with it.
		for (const [name, deviceUrl] of [
			['lan', 'http://192.168.1.20:3050'],
			['https', 'https://mana.brandt.home']
		]) {
			const reached = await Server.start({});
			const phone = await (await browser.newContext({ locale })).newPage();
			await phone.route('**/app/info', async (route) => {
				const answer = await route.fetch();
				await route.fulfill({ response: answer, json: { ...(await answer.json()), deviceUrl } });
			});
			await phone.goto(reached.setupLink);
			await setUp(phone);
			await expect(phone.locator('.phone .address')).toBeVisible();
			await shoot(phone, `setup-next-${name}${end}`, true);
			await reached.dispose();
		}
	});
}
