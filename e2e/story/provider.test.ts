import { expect, test, type Page } from '@playwright/test';
import { becomeOwner, LENA } from '../support/person';
import { Provider } from '../support/provider';
import { Server } from '../support/server';

/** The provider's own pages: who one is, and that Mana may know it. */
async function confirm(page: Page, provider: Provider, id: string): Promise<void> {
	await expect(page).toHaveURL(new RegExp(`^${provider.issuer}/interaction/`));
	await page.locator('[name=login]').fill(id);
	await page.locator('[name=password]').fill('anything');
	await page.locator('[type=submit]').click();
	await page.getByRole('button', { name: 'Continue' }).click();
}

test('an identity of a provider signs in, joined or invited, and never by its address alone', async ({ browser }) => {
	const callback = { url: '' };
	const provider = await Provider.start(() => callback.url);
	const server = await Server.start({ ...provider.env, MANA_SIGNUP: 'invite' });
	callback.url = `${server.url}/auth/oidc/callback`;
	const { page: owner } = await becomeOwner(browser, server);

	// An address that has an account here does not open it, and makes no second one.
	const stranger = await (await browser.newContext()).newPage();
	await stranger.goto(`${server.url}/login`);
	await stranger.getByRole('link', { name: 'Continue with Homebase' }).click();
	await confirm(stranger, provider, 'lena');
	await expect(stranger.getByRole('alert')).toContainText('does not take new accounts');
	expect(new URL(stranger.url()).pathname).toBe('/login');

	// Joined in the settings, it does.
	await owner.goto(`${server.url}/settings`);
	await owner.getByRole('link', { name: 'Join Homebase' }).click();
	await confirm(owner, provider, 'lena');
	await expect(owner.getByText('Your identity at Homebase lets you in.')).toBeVisible();
	await stranger.goto(`${server.url}/login`);
	await stranger.getByRole('link', { name: 'Continue with Homebase' }).click();
	await expect(stranger).toHaveURL(`${server.url}/`);
	await stranger.goto(`${server.url}/settings`);
	await expect(stranger.getByText(LENA.email)).toBeVisible();

	// An invitation lets a new identity in, with an address that the provider confirmed.
	await owner.goto(`${server.url}/settings/people`);
	await owner.getByRole('button', { name: 'Invite someone' }).click();
	const sheet = owner.getByRole('dialog');
	await sheet.getByRole('button', { name: 'Make a link' }).click();
	const link = new URL(await sheet.getByLabel('Invitation link').inputValue());
	for (const [id, comesIn] of [
		['unconfirmed', false],
		['ola', true]
	] as const) {
		const guest = await (await browser.newContext()).newPage();
		await guest.goto(`${server.url}${link.pathname}${link.hash}`);
		await guest.getByRole('link', { name: 'Continue with Homebase' }).click();
		await confirm(guest, provider, id);
		if (comesIn) await expect(guest).toHaveURL(`${server.url}/`);
		else await expect(guest.getByRole('alert')).toContainText('did not confirm');
	}
	await owner.reload();
	await expect(owner.getByText('Person ola').first()).toBeVisible();

	// An answer that another browser brings back is refused.
	const forged = await (await browser.newContext()).newPage();
	await forged.goto(`${server.url}/auth/oidc/callback?code=x&state=y`);
	await expect(forged.getByRole('alert')).toContainText('did not confirm');
	await server.dispose();
	await provider.dispose();
});
