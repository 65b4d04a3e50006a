import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { codeOf, earlyInStep } from '../support/codes';
import { becomeOwner, makeAccount, OLA, stored, synced } from '../support/person';
import { Server } from '../support/server';
import { addTask } from '../support/tasks';

const NEXT = 'a kite over the harbour';

/** The sign-in form, filled in and sent. */
async function enter(page: Page, server: Server, email: string, password: string): Promise<void> {
	await page.goto(`${server.url}/login`);
	await page.getByLabel('E-mail').fill(email);
	await page.getByLabel('Password').fill(password);
	await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Names of the local databases, and everything that is kept beside them. */
function kept(page: Page): Promise<{ databases: string[]; storage: string[]; caches: string[] }> {
	return page.evaluate(async () => ({
		databases: (await indexedDB.databases()).map(({ name }) => name!),
		storage: Object.keys(localStorage),
		caches: await caches.keys()
	}));
}

test('a person’s whole life: invited, second factor, lost phone, new password, export, nothing left', async ({
	browser
}) => {
	test.setTimeout(240_000);
	const server = await Server.start({ MANA_SIGNUP: 'invite' });
	const { page: owner } = await becomeOwner(browser, server);

	// Invited.
	await owner.goto(`${server.url}/settings/people`);
	await owner.getByRole('button', { name: 'Invite someone' }).click();
	const sheet = owner.getByRole('dialog');
	await sheet.getByLabel('For whom, for your list').fill('Ola Nyberg');
	await sheet.getByRole('button', { name: 'Make a link' }).click();
	const link = new URL(await sheet.getByLabel('Invitation link').inputValue());
	await sheet.getByRole('button', { name: 'Done' }).click();
	await expect(owner.getByRole('listitem').filter({ hasText: 'Ola Nyberg' })).toContainText('Not yet');
	const laptop = await browser.newContext();
	const page = await laptop.newPage();
	await page.goto(`${server.url}${link.pathname}${link.hash}`);
	// A password that is guessed soon is refused, and why stands there.
	await page.getByLabel('Name').fill(OLA.name);
	await page.getByLabel('E-mail').fill(OLA.email);
	await page.getByLabel('Password').fill('password12');
	await page.getByRole('button', { name: 'Create account' }).click();
	await expect(page.getByRole('alert')).toContainText('one of the most used passwords');
	await makeAccount(page, server, OLA);

	// Something of their own, which must be gone at the end.
	const secret = 'a note that nobody else has';
	await page.goto(`${server.url}/todo`);
	await addTask(page, secret);
	await synced(page);

	// A second factor.
	await earlyInStep();
	await page.goto(`${server.url}/settings/people`);
	await page.getByRole('button', { name: 'Add a code app' }).click();
	await page.getByLabel('Present password').fill(OLA.password);
	await page.getByRole('button', { name: 'Next' }).click();
	await expect(page.getByRole('img', { name: 'QR code for a code app' })).toBeVisible();
	const letters = await page.getByLabel('The same as letters').textContent();
	await page.getByLabel('Six digits').fill(codeOf(letters!, -1));
	await page.getByRole('button', { name: 'Check' }).click();
	const shown = page.getByRole('group', { name: 'Recovery codes' }).getByRole('listitem');
	await expect(shown).toHaveCount(10);
	const codes = await shown.allTextContents();
	await page.getByRole('button', { name: 'I have kept them' }).click();
	await expect(page.getByText('10 left')).toBeVisible();

	// The password alone does not come in; the phone is lost, and a recovery code lets in once.
	const phone = await browser.newContext({ viewport: { width: 390, height: 844 } });
	const other = await phone.newPage();
	await enter(other, server, OLA.email, OLA.password);
	await expect(other.getByRole('heading', { name: 'Six digits, please' })).toBeVisible();
	await other.getByLabel('Six digits').fill('000000');
	await other.getByRole('button', { name: 'Come in' }).click();
	await expect(other.getByRole('alert')).toContainText('This code is wrong');
	await other.getByRole('button', { name: 'Use a recovery code' }).click();
	await other.getByLabel('Recovery code').fill(codes[0].toUpperCase());
	await other.getByRole('button', { name: 'Come in' }).click();
	await expect(other).toHaveURL(`${server.url}/`);

	// The first browser sees the other session, and ends it.
	await page.reload();
	await expect(page.getByText('9 left')).toBeVisible();
	const elsewhere = page.getByRole('listitem').filter({ hasText: 'password and recovery code' });
	await expect(elsewhere).toContainText('Chromium on Linux');
	await elsewhere.getByRole('button', { name: 'End' }).click();
	await expect(elsewhere).toHaveCount(0);
	await other.goto(`${server.url}/todo`);
	await expect(other.getByText('Your session has ended')).toBeVisible();

	// A new password by the operator's link ends every session.
	const reset = new URL((await server.run('user', 'reset', OLA.email)).trim());
	const fresh = await (await browser.newContext()).newPage();
	await fresh.goto(`${server.url}${reset.pathname}${reset.hash}`);
	await fresh.getByLabel('New password').fill(NEXT);
	await fresh.getByRole('button', { name: 'Set the new password' }).click();
	await expect(fresh.getByRole('status').filter({ hasText: 'The new password is set' })).toBeVisible();
	await page.goto(`${server.url}/todo`);
	await expect(page.getByText('Your session has ended')).toBeVisible();
	await earlyInStep();
	await enter(page, server, OLA.email, NEXT);
	await page.getByLabel('Six digits').fill(codeOf(letters!));
	await page.getByRole('button', { name: 'Come in' }).click();
	await expect(page).toHaveURL(`${server.url}/`);
	await synced(page);

	// The owner sees what happened at the door, and nothing of what was written.
	await owner.reload();
	const door = owner.getByRole('region', { name: 'What happened at the door' });
	await expect(door).toContainText('A recovery code was used');
	await expect(door).toContainText('Password set by a link');
	await expect(owner.getByRole('main')).not.toContainText(secret);

	// Everything is saved, and then deleted.
	await page.goto(`${server.url}/settings`);
	await page.getByRole('button', { name: 'Delete my account' }).click();
	const leaving = page.getByRole('dialog');
	const download = page.waitForEvent('download');
	await leaving.getByRole('button', { name: 'Save everything as a file' }).click();
	expect(await readFile(await (await download).path(), 'utf8')).toContain(secret);
	await leaving.getByLabel('Present password').fill(OLA.password);
	await leaving.getByRole('button', { name: 'Delete everything' }).click();
	await expect(leaving.getByLabel('Present password')).toHaveAccessibleDescription(
		'This is not your present password.'
	);
	await leaving.getByLabel('Present password').fill(NEXT);
	await leaving.getByRole('button', { name: 'Delete everything' }).click();
	await expect(page.getByRole('status').filter({ hasText: 'Your account is deleted' })).toBeVisible();
	await expect.poll(() => kept(page)).toEqual({ databases: [], storage: [], caches: [] });
	await enter(page, server, OLA.email, NEXT);
	await expect(page.getByRole('alert')).toBeVisible();

	// Nothing is left on the server: not in its files, not in a copy that is made now.
	await owner.reload();
	await expect(owner.getByText(OLA.email)).toHaveCount(0);
	const copy = join(server.dataDir, 'copy.jsonl');
	await server.run('export', copy);
	for (const name of await readdir(server.dataDir)) {
		const bytes = await readFile(join(server.dataDir, name)).catch(() => Buffer.alloc(0));
		for (const left of [secret, OLA.email]) expect(bytes.includes(left), `${name} has ${left}`).toBe(false);
	}
	await server.dispose();
});

test('a sign-out keeps the device’s copy, or empties the device', async ({ browser }) => {
	const server = await Server.start();
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/todo`);
	await addTask(page, 'Buy stamps');
	await synced(page);
	await page.goto(`${server.url}/settings`);
	await page.getByRole('button', { name: 'Sign out', exact: true }).click();
	await expect(page).toHaveURL(`${server.url}/login`);
	expect(JSON.stringify(await stored(page, 'records'))).toContain('Buy stamps');

	await enter(page, server, 'lena@example.org', 'a quiet morning');
	await expect(page).toHaveURL(`${server.url}/`);
	const second = await page.context().newPage();
	await second.goto(`${server.url}/todo`);
	await expect(second.getByText('Buy stamps')).toBeVisible();
	await page.goto(`${server.url}/settings`);
	await page.getByRole('button', { name: 'Sign out and empty this device' }).click();
	await page.getByRole('button', { name: 'Sign out and empty', exact: true }).click();
	await expect(page).toHaveURL(`${server.url}/login`);
	await expect.poll(() => kept(page)).toEqual({ databases: [], storage: [], caches: [] });
	// The next person's trick: the profile put back by hand, without network, opens nothing.
	await page.context().setOffline(true);
	await page.evaluate(() => localStorage.setItem('mana.user', '{"userId":"x","email":"lena@example.org"}'));
	await page.goto(`${server.url}/todo`).catch(() => undefined);
	await expect(page.getByText('Buy stamps')).toHaveCount(0);
	await server.dispose();
});
