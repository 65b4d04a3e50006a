import { expect, test, type Page } from '@playwright/test';
import { codeOf, earlyInStep } from '../support/codes';
import { becomeOwner, invitationLink, LENA, makeAccount, OLA, synced } from '../support/person';
import { Server } from '../support/server';
import { addTask } from '../support/tasks';

/** Adds a code app, where the page offers one, and keeps its recovery codes. */
async function addApp(page: Page, password: string): Promise<void> {
	await earlyInStep();
	await page.getByRole('button', { name: 'Add a code app' }).click();
	await page.getByLabel('Present password').fill(password);
	await page.getByRole('button', { name: 'Next' }).click();
	const letters = await page.getByLabel('The same as letters').textContent();
	await page.getByLabel('Six digits').fill(codeOf(letters!, -1));
	await page.getByRole('button', { name: 'Check' }).click();
	await page.getByRole('button', { name: 'I have kept them' }).click();
}

test('an owner asks one person, then everyone, for a second factor, and whoever has none is led to it', async ({
	browser
}) => {
	test.setTimeout(240_000);
	const server = await Server.start({ MANA_SIGNUP: 'invite' });
	const { page: owner } = await becomeOwner(browser, server);
	const link = new URL(await invitationLink(owner, server));
	const page = await (await browser.newContext()).newPage();
	await page.goto(`${server.url}${link.pathname}${link.hash}`);
	await makeAccount(page, server, OLA);
	await page.goto(`${server.url}/todo`);
	await addTask(page, 'Before');
	await synced(page);

	// A single person is asked, and hears of it.
	await owner.goto(`${server.url}/settings/people`);
	const row = owner.getByRole('listitem').filter({ hasText: OLA.email });
	await expect(row).toContainText('no second factor');
	await owner.getByRole('button', { name: 'Remind Ola to add a second factor' }).click();
	await expect(row).toContainText('asked to add one');
	await page.reload();
	await expect(page.getByRole('alert')).toContainText('asks you to add a second factor');
	await page.getByRole('button', { name: 'Later' }).click();
	await expect(page.getByRole('alert')).toHaveCount(0);

	// An owner without one would be the first to be kept out.
	const rule = owner.getByRole('checkbox', { name: 'Everyone needs a second factor' });
	await expect(rule).toBeDisabled();
	await addApp(owner, LENA.password);
	await expect(rule).toBeEnabled();
	await rule.check();
	await expect(owner.getByText('1 person has none yet.')).toBeVisible();
	await owner.getByRole('button', { name: 'At once' }).click();
	await expect(owner.getByRole('checkbox', { name: 'Everyone needs a second factor, since today' })).toBeChecked();

	// The page that is open keeps what is written, sends nothing, and says why.
	await addTask(page, 'Meanwhile');
	await expect(page.getByRole('alert')).toContainText('Until you add one nothing is sent', { timeout: 60_000 });

	// Another device: the password is right, and nothing but the second factor opens.
	const phone = await (await browser.newContext({ viewport: { width: 390, height: 844 } })).newPage();
	await phone.goto(`${server.url}/todo`);
	await phone.getByLabel('E-mail').fill(OLA.email);
	await phone.getByLabel('Password').fill(OLA.password);
	await phone.getByRole('button', { name: 'Sign in' }).click();
	await expect(phone.getByRole('heading', { name: 'One more step' })).toBeVisible();
	await phone.reload();
	await expect(phone.getByRole('heading', { name: 'One more step' })).toBeVisible();
	await phone.goto(`${server.url}/notes`);
	await expect(phone.getByRole('heading', { name: 'One more step' })).toBeVisible();
	await addApp(phone, OLA.password);
	await expect(phone).toHaveURL(`${server.url}/notes`);
	await phone.goto(`${server.url}/todo`);
	await expect(phone.getByText('Before')).toBeVisible();

	// The changes that waited at the first device are sent.
	await page.reload();
	await synced(page);
	await expect(phone.getByText('Meanwhile')).toBeVisible();
	await owner.reload();
	await expect(row).toContainText('Code app');
	await server.dispose();
});
