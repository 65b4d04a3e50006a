import { expect, test } from '@playwright/test';
import { becomeOwner, LENA } from '../support/person';
import { Server } from '../support/server';

test('the setup link leads to a second factor and to an address that a phone reaches', async ({ browser }) => {
	const server = await Server.start({ MANA_LISTEN: '0.0.0.0:0' });
	const page = await (await browser.newContext()).newPage();
	await page.goto(server.setupLink);
	await page.getByLabel('Name').fill(LENA.name);
	await page.getByLabel('E-mail').fill(LENA.email);
	await page.getByLabel('Password').fill(LENA.password);
	await page.getByRole('button', { name: 'Make it mine' }).click();
	await expect(page.getByText('You are Lena, the owner')).toBeVisible();
	await expect(page.getByRole('button', { name: 'Add a code app' })).toBeVisible();

	// The browser asked by the machine's own name; the phone is given its name in the network.
	const phone = page.getByRole('complementary', { name: 'Bring your phone along' });
	await expect(phone.getByRole('img', { name: 'QR code of this server’s address' })).toBeVisible();
	const address = await phone.getByText(/^http:/).textContent();
	expect(new URL(address!).hostname).not.toBe('127.0.0.1');
	expect(new URL(address!).port).toBe(new URL(server.url).port);
	expect((await fetch(`${address}/health`)).ok).toBe(true);
	await expect(phone.getByText(/This address has no HTTPS/)).toBeVisible();
	await expect(phone.getByText(/sets MANA_PUBLIC_URL/)).toBeVisible();

	await page.getByRole('link', { name: 'Open Mana' }).click();
	await expect(page).toHaveURL(`${server.url}/`);
	// The phone signs in there, and Settings show the address again, without a picture of it for its own camera.
	const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true });
	const small = await context.newPage();
	await small.goto(`${address}/settings`);
	await small.getByLabel('E-mail').fill(LENA.email);
	await small.getByLabel('Password').fill(LENA.password);
	await small.getByRole('button', { name: 'Sign in' }).click();
	await expect(small.getByRole('heading', { level: 1, name: 'Settings' })).toBeVisible();
	await expect(small.getByText('Open this address on another device')).toBeVisible();
	await expect(small.getByRole('img', { name: 'QR code of this server’s address' })).toBeHidden();
	await server.dispose();
});

test('a server that no phone reaches says so, and what to do', async ({ browser }) => {
	const server = await Server.start();
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/settings`);
	await expect(page.getByText(/No phone reaches this server yet/)).toBeVisible();
	await expect(page.getByText(/sets MANA_LISTEN to 0.0.0.0:3050/)).toBeVisible();
	await server.dispose();
});

test('a sign-in page that came without HTTPS names the address where a sign-in is kept', async ({ browser }) => {
	const server = await Server.start();
	await becomeOwner(browser, server);
	const other = await (await browser.newContext()).newPage();
	await other.route('**/app/info', async (route) => {
		const answer = await route.fetch();
		await route.fulfill({
			response: answer,
			json: { ...(await answer.json()), secureUrl: 'https://mana.example.org' }
		});
	});
	await other.goto(`${server.url}/login`);
	await expect(other.getByRole('status').getByRole('link', { name: 'https://mana.example.org' })).toBeVisible();
	await server.dispose();
});
