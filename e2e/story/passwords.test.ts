import { expect, test } from '@playwright/test';
import { becomeOwner, LENA, signIn } from '../support/person';
import { Server } from '../support/server';

const OTHER = 'another quiet evening';
const LAST = 'a third quiet evening';

test('a password is changed, a lost one is replaced by a link, and other sessions end', async ({ browser }) => {
	const server = await Server.start();
	const { page } = await becomeOwner(browser, server);
	const phone = await signIn(browser, server);
	await page.goto(`${server.url}/settings`);
	const access = page.getByRole('region', { name: 'Password and sessions' });
	await expect(access.getByRole('listitem')).toHaveCount(2);
	await access.getByRole('button', { name: 'Change the password' }).click();
	await access.getByLabel('Present password').fill('not this one');
	await access.getByLabel('New password').fill(OTHER);
	await access.getByRole('button', { name: 'Set the new password' }).click();
	await expect(access.getByLabel('Present password')).toHaveAccessibleDescription('This is not your present password.');
	await access.getByLabel('Present password').fill(LENA.password);
	await access.getByRole('button', { name: 'Set the new password' }).click();
	await expect(access.getByRole('listitem')).toHaveCount(1);
	await phone.page.goto(`${server.url}/todo`);
	await expect(phone.page.getByText('Your session has ended')).toBeVisible();

	const link = new URL((await server.run('user', 'reset', LENA.email)).trim());
	const fresh = await (await browser.newContext()).newPage();
	await fresh.goto(`${server.url}${link.pathname}${link.hash}`);
	await fresh.getByLabel('New password').fill(LAST);
	await fresh.getByRole('button', { name: 'Set the new password' }).click();
	await expect(fresh.getByRole('status').filter({ hasText: 'The new password is set' })).toBeVisible();
	expect(new URL(fresh.url()).hash).toBe('');
	await fresh.getByRole('link', { name: 'To sign-in' }).click();
	await fresh.getByLabel('E-mail').fill(LENA.email);
	await fresh.getByLabel('Password').fill(LAST);
	await fresh.getByRole('button', { name: 'Sign in' }).click();
	await expect(fresh).toHaveURL(`${server.url}/`);
	// The link opens where somebody is signed in, too, and is good no more.
	await fresh.goto(`${server.url}${link.pathname}${link.hash}`);
	await fresh.getByLabel('New password').fill(OTHER);
	await fresh.getByRole('button', { name: 'Set the new password' }).click();
	await expect(fresh.getByRole('alert')).toContainText('has been used or has ended');
	await server.dispose();
});
