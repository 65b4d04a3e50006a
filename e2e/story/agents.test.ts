import { expect, test, type Page } from '@playwright/test';
import { Api, becomeOwner, synced, writeMission } from '../support/person';
import { Server } from '../support/server';
import { Upstream } from '../support/upstream';

let server: Server;
let upstream: Upstream;

test.beforeEach(async () => {
	upstream = await Upstream.start();
	server = await Server.start(upstream.env);
});

test.afterEach(async () => {
	await server.dispose();
	await upstream.stop();
});

async function makeAgent(page: Page, name: string): Promise<void> {
	await page.goto(`${server.url}/companion/agents`);
	await page.getByRole('link', { name: 'New agent' }).click();
	await page.getByLabel('Name', { exact: true }).fill(name);
	await page.getByLabel('Role').fill('Looks after the garden');
	await page.getByLabel('How it works').fill('Think in seasons.');
	await page.getByLabel('Tokens a day').fill('20000');
	await page.getByRole('button', { name: 'Create agent' }).click();
	await expect(page.getByRole('heading', { level: 2, name })).toBeVisible();
}

test('an agent is made, given a mission, told what it may do, and deleted', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await writeMission(page, 'Weekly plan');
	await synced(page);
	// A new workspace has a single agent: the form asks nobody to choose.
	await page.getByRole('link', { name: 'Edit mission' }).click();
	await expect(page.getByLabel('Title')).toBeVisible();
	await expect(page.getByLabel('Agent', { exact: true })).toHaveCount(0);

	await makeAgent(page, 'Flora');
	const row = page.getByRole('article', { name: 'Flora' });
	await expect(row).toContainText('Looks after the garden');
	await expect(row).toContainText('at most 20,000 tokens a day');
	await page.getByRole('link', { name: 'Missions' }).first().click();
	await page.getByRole('link', { name: 'Weekly plan', exact: true }).click();
	await page.getByRole('link', { name: 'Edit mission' }).click();
	await page.getByLabel('Agent', { exact: true }).selectOption({ label: 'Flora, Looks after the garden' });
	await page.getByRole('button', { name: 'Save' }).click();
	const brief = page.getByRole('complementary', { name: 'What it was told' });
	await expect(brief.getByRole('link', { name: 'Flora' })).toBeVisible();
	await expect(brief).toContainText('Asks before every change.');

	// In plain words, module by module; changed at its place, by keyboard alone.
	await page.goto(`${server.url}/companion/policy`);
	await page.getByRole('button', { name: 'Flora' }).press('Enter');
	const tasks = page.getByRole('region', { name: /^Tasks/ });
	await expect(tasks).toContainText(/Asks first.*New task/s);
	await tasks.getByRole('button', { name: /^Change.*Tasks/ }).press('Enter');
	await tasks.getByLabel('New task').selectOption('Does by itself');
	await tasks.getByLabel('Remove a task').selectOption('Never');
	await expect(tasks).toContainText(/Does by itself.*New task/s);
	await expect(page.getByRole('complementary', { name: 'Flora' })).toContainText('By itself: New task (Tasks).');
	await page.getByRole('button', { name: 'Mana', exact: true }).click();
	await expect(page.getByRole('complementary', { name: 'Mana' })).toContainText('Asks before every change.');
	await synced(page);
	const api = await Api.signIn(server);
	const policy = (await api.changes('ai', 'aiAgents')).at(-1)!.fields!.policy.value;
	expect(policy).toMatchObject({ tools: { create_task: 'auto' } });

	await page.goto(`${server.url}/companion/agents`);
	await page.getByRole('link', { name: 'Flora' }).first().click();
	await page.getByRole('button', { name: 'Delete agent' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Delete agent' }).click();
	// The page of all agents follows once the deletion is stored.
	await expect(page).toHaveURL(`${server.url}/companion/agents`);
	await expect(page.getByRole('article', { name: 'Flora' })).toHaveCount(0);
	await page.goto(`${server.url}/companion/missions`);
	await page.getByRole('link', { name: 'Weekly plan', exact: true }).click();
	await expect(page.getByText('Its agent was deleted. Mana plans it, and asks before everything.')).toBeVisible();
});

test('an agent without a name is not made, and nothing that is typed goes', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/companion/agents/new`);
	await page.getByLabel('How it works').fill('Half a thought');
	await page.getByRole('button', { name: 'Create agent' }).click();
	await expect(page.getByLabel('Name', { exact: true })).toBeFocused();
	await expect(page.getByText('Please fill this in.')).toBeVisible();
	await expect(page.getByLabel('How it works')).toHaveValue('Half a thought');
});

test('settings that hold for all missions are kept', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/settings`);
	const missions = page.getByRole('region', { name: 'Missions' });
	await missions.getByLabel('US dollars a day').fill('0.5');
	await missions.getByLabel('Steps a run may propose').fill('3');
	await missions.getByLabel('Keep prompts and answers').check();
	await missions.getByRole('button', { name: 'Save' }).click();
	await expect(missions.getByText('Saved')).toBeVisible();
	await synced(page);
	const [change] = await (await Api.signIn(server)).changes('ai', 'aiSettings');
	expect(change.data).toMatchObject({ budget: { moneyPerDay: 0.5 }, maxSteps: 3, debug: true });
	await page.reload();
	await expect(missions.getByLabel('Steps a run may propose')).toHaveValue('3');
	await expect(missions.getByLabel('Keep prompts and answers')).toBeChecked();
});

test('a mission says how long it may be made up for, and within what it begins', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await writeMission(page, 'Weekly plan');
	await page.getByRole('link', { name: 'Edit mission' }).click();
	const form = page.getByRole('main').locator('form');
	await form.locator('summary').click();
	await form.getByLabel('Make up for a missed run').fill('90');
	await form.getByLabel('Begin within').fill('2.5');
	await form.getByRole('button', { name: 'Save' }).click();
	await expect(form.getByText('This is outside of what is allowed.')).toBeVisible();
	await expect(form.getByLabel('Begin within')).toBeFocused();
	await form.getByLabel('Begin within').fill('15');
	await form.getByRole('button', { name: 'Save' }).click();
	await expect(page.getByRole('heading', { level: 1, name: 'Weekly plan' })).toBeVisible();
	await synced(page);
	const change = (await (await Api.signIn(server)).changes('ai', 'aiMissions')).at(-1)!;
	expect(change.fields!.catchUpMinutes.value).toBe(90);
	expect(change.fields!.jitterMinutes.value).toBe(15);
});
