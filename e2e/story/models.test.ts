import { expect, test, type Page } from '@playwright/test';
import { violations } from '../support/axe';
import { Api, becomeOwner, invitationLink, makeAccount, OLA, synced, writeMission } from '../support/person';
import { Server } from '../support/server';
import { plan, Upstream } from '../support/upstream';

// Much is done in each of them, and axe reads the page several times.
test.describe.configure({ timeout: 300_000 });

let server: Server;
let upstream: Upstream;

test.beforeEach(async () => {
	upstream = await Upstream.start();
	// No model in the environment: the owner brings one.
	server = await Server.start();
});

test.afterEach(async () => {
	await server.dispose();
	await upstream.stop();
});

/** A provider, added on the page. */
async function addProvider(page: Page, key = 'sk-upstream-secret'): Promise<void> {
	await page.goto(`${server.url}/settings/models`);
	await page.getByRole('button', { name: 'Add a provider' }).click();
	const form = page.getByRole('form', { name: 'Add a provider' });
	await form.getByLabel('Another one').check();
	await form.getByLabel('Name').fill('box');
	await form.getByLabel('Address').fill(upstream.url);
	await form.getByLabel('Key').fill(key);
	await form.getByRole('button', { name: 'Save' }).click();
	await expect(page.getByRole('article', { name: 'box' })).toContainText('Answers');
}

/** A program's request with a key. */
async function ask(secret: string, model: string): Promise<number> {
	const answer = await fetch(`${server.url}/v1/chat/completions`, {
		method: 'POST',
		headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
		body: JSON.stringify({ model, max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] })
	});
	await answer.text();
	return answer.status;
}

test('the owner adds a provider, prices its model, gives it a name, and a mission plans with it', async ({
	browser
}) => {
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/settings`);
	await page.getByRole('link', { name: 'Models and providers' }).click();
	await expect(page.getByText('No provider yet.')).toBeVisible();

	// A known one is filled in; another one is written, and what can't be right is said beside its field.
	await page.getByRole('button', { name: 'Add a provider' }).click();
	const form = page.getByRole('form', { name: 'Add a provider' });
	await form.getByLabel('Groq').check();
	await expect(form.getByLabel('Address')).toHaveValue('https://api.groq.com/openai/v1');
	await form.getByLabel('Another one').check();
	await expect(form.getByLabel('Address')).toHaveValue('');
	await form.getByLabel('Name').fill('box');
	await form.getByLabel('Address').fill('ftp://somewhere');
	await form.getByLabel('Key').fill('sk-upstream-secret');
	await form.getByRole('button', { name: 'Save' }).click();
	await expect(form.getByText('Please write a full address, with http:// or https://.')).toBeVisible();
	await expect(form.getByLabel('Address')).toBeFocused();
	// The server's own refusal stands there too, and nothing that was typed goes.
	await form.getByLabel('Address').fill('http://name:word@somewhere/v1');
	await form.getByRole('button', { name: 'Save' }).click();
	await expect(form.getByText('Has a name or password in it')).toBeVisible();
	await expect(form.getByLabel('Key')).toHaveValue('sk-upstream-secret');
	expect(await violations(page)).toEqual([]);
	await form.getByLabel('Address').fill(upstream.url);
	await form.getByRole('button', { name: 'Save' }).click();
	const box = page.getByRole('article', { name: 'box' });
	await expect(box).toContainText('Answers');
	await expect(box).toContainText('a key is saved');
	await expect(box).toContainText('1 model');

	// The key is never shown again; it stays until it is replaced or taken away.
	await box.getByRole('button', { name: 'Edit box' }).click();
	const edit = page.getByRole('form', { name: 'Edit box' });
	await expect(edit.getByText('A key is saved.')).toBeVisible();
	expect(await page.content()).not.toContain('sk-upstream-secret');
	await edit.getByText('More', { exact: true }).click();
	await edit.getByLabel('Longest wait').fill('20');
	await edit.getByLabel('Calls at a time').fill('2');
	await edit.getByRole('button', { name: 'Save' }).click();
	await expect(box).toContainText('waits 20 s');
	await expect(box).toContainText('2 calls at a time');
	await expect(box).toContainText('a key is saved');

	// The price of the model.
	const prices = page.getByRole('region', { name: 'Prices and abilities' });
	await expect(prices).toContainText('free of charge');
	await prices.getByRole('button', { name: 'Change box/test-model' }).click();
	await page.getByLabel('Of the request').fill('2');
	await page.getByRole('button', { name: 'Save' }).click();
	await expect(page.getByText('Please fill in both halves of the price, or none.')).toBeVisible();
	await page.getByLabel('Of the answer').fill('8');
	await page.getByLabel('Calls tools').selectOption('no');
	expect(await violations(page)).toEqual([]);
	await page.getByRole('button', { name: 'Save' }).click();
	await expect(prices).toContainText('$2.00 in, $8.00 out, per million tokens');
	await expect(prices).toContainText('as you said');

	// A chain, put in order by keyboard.
	const names = page.getByRole('region', { name: 'What is asked for' });
	await names.getByRole('button', { name: 'Change mana/reasoning' }).press('Enter');
	const chain = page.getByRole('form', { name: 'mana/reasoning' });
	const field = chain.getByRole('combobox');
	await expect(field).toBeFocused();
	for (const model of ['box/other', 'box/test-model']) {
		await field.fill(model);
		await field.press('Enter');
	}
	await chain.getByRole('button', { name: 'Move box/test-model up' }).press('Enter');
	await expect(chain.getByRole('listitem').first()).toContainText('box/test-model');
	expect(await violations(page)).toEqual([]);
	await chain.getByRole('button', { name: 'Save' }).press('Enter');
	await expect(names.getByRole('list', { name: 'Models, the first choice first' }).getByRole('listitem')).toHaveText([
		'box/test-model',
		'box/other'
	]);

	// All of it is kept, and missions use it.
	await page.reload();
	await expect(names.getByRole('list', { name: 'Models, the first choice first' }).getByRole('listitem')).toHaveText([
		'box/test-model',
		'box/other'
	]);
	upstream.answers = [
		plan('One thing.', [
			{
				summary: 'Water the plants',
				toolName: 'create_task',
				params: { title: 'Water the plants' },
				rationale: 'They are dry.'
			}
		])
	];
	const mission = await writeMission(page, 'Garden');
	await synced(page);
	const api = await Api.signIn(server);
	await api.makeDue(mission);
	await server.tick();
	await page.goto(`${server.url}/companion/inbox`);
	await expect(page.getByText('Water the plants').first()).toBeVisible();
	expect(upstream.keys.at(-1)).toBe('Bearer sk-upstream-secret');

	// Used: by model, and by the mission's own name.
	await page.goto(`${server.url}/settings/usage`);
	const used = page.getByRole('table', { name: /Usage of the last 30 days/ });
	await expect(used.getByRole('row', { name: /box\/test-model/ })).toContainText('$0.0006');
	await page.getByRole('button', { name: 'Mission', exact: true }).click();
	await expect(used.getByRole('link', { name: 'Garden' })).toBeVisible();
	await page.getByText('The days as a table').click();
	await expect(page.getByRole('rowheader', { name: 'today' })).toBeVisible();
	expect(await violations(page)).toEqual([]);

	// Taken away after a question.
	await page.goto(`${server.url}/settings/models`);
	await box.getByRole('button', { name: 'Remove box' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Remove provider' }).click();
	await expect(box).toHaveCount(0);
	expect(server.output).not.toContain('sk-upstream-secret');
});

test('a key for a program is shown once, held to its limit, counted, and taken away', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await addProvider(page);
	await page.goto(`${server.url}/settings/keys`);
	await expect(page.getByRole('heading', { name: 'No keys yet' })).toBeVisible();
	await page.getByRole('button', { name: 'New key' }).click();
	const form = page.getByRole('form', { name: 'New key' });
	await form.getByRole('button', { name: 'Make the key' }).click();
	await expect(form.getByText('Please fill this in.')).toBeVisible();
	await form.getByLabel('Name').fill('Editor');
	// A model that was typed and not added is meant all the same.
	await form.getByLabel('Models').fill('box/*');
	await form.getByLabel('Tokens a day').fill('1000');
	expect(await violations(page)).toEqual([]);
	await form.getByRole('button', { name: 'Make the key' }).click();

	const secret = await page.getByLabel('Key', { exact: true }).inputValue();
	expect(secret).toMatch(/^mana-/);
	await expect(page.getByText('It is shown this once.', { exact: false }).first()).toBeVisible();
	expect(await violations(page)).toEqual([]);
	expect(await ask(secret, 'box/test-model')).toBe(200);
	expect(await ask(secret, 'builtin/outline')).toBe(403);

	await page.reload();
	const editor = page.getByRole('article', { name: 'Editor' });
	await expect(editor).toContainText('150 of 1,000 tokens used today');
	await expect(editor).toContainText('box/*');
	expect(await page.content()).not.toContain(secret);

	await editor.getByRole('button', { name: 'Edit Editor' }).click();
	const edit = page.getByRole('form', { name: 'Editor' });
	await expect(edit.getByLabel('Tokens a day')).toHaveValue('1000');
	await edit.getByLabel('Tokens a day').fill('150');
	await edit.getByRole('button', { name: 'Save' }).click();
	await expect(editor).toContainText('150 of 150 tokens used today');
	expect(await ask(secret, 'box/test-model')).toBe(429);

	await page.goto(`${server.url}/settings/usage`);
	await page.getByRole('button', { name: 'Key', exact: true }).click();
	await expect(page.getByRole('table', { name: /by: Key/ }).getByRole('row', { name: /Editor/ })).toContainText('150');

	await page.goto(`${server.url}/settings/keys`);
	await editor.getByRole('button', { name: 'Take away Editor' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Take key away' }).click();
	await expect(editor).toHaveCount(0);
	expect(await ask(secret, 'box/test-model')).toBe(401);
});

test('without network the pages say so, keep what was loaded last, and come back by themselves', async ({
	browser
}) => {
	const { page, context } = await becomeOwner(browser, server);
	await addProvider(page);
	await page.getByRole('link', { name: 'Usage' }).first().click();
	await expect(page.getByRole('heading', { name: 'Nothing was asked in these days' })).toBeVisible();
	await context.setOffline(true);
	await page.goBack();
	await expect(page.getByRole('article', { name: 'box' })).toBeVisible();
	await expect(page.getByText('The server cannot be reached. This is what it said')).toBeVisible();
	await expect(page.getByRole('button', { name: 'Add a provider' })).toBeDisabled();
	await page.getByRole('link', { name: 'Keys for programs' }).click();
	await expect(page.getByRole('heading', { name: 'This page needs the network' })).toBeVisible();
	await context.setOffline(false);
	await expect(page.getByRole('heading', { name: 'No keys yet' })).toBeVisible();
});

test('the owner adds headers and fields to requests, and lets members’ programs ask', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await addProvider(page);
	const box = page.getByRole('article', { name: 'box' });
	await box.getByRole('button', { name: 'Headers and fields box' }).click();
	const form = page.getByRole('form', { name: 'Headers and fields added for box' });
	await expect(form.getByLabel('Header', { exact: true })).toBeFocused();
	await form.getByLabel('Header', { exact: true }).fill('x-access');
	await form.getByLabel('Fields added to each request, as JSON').fill('[1]');
	await form.getByRole('button', { name: 'Save' }).click();
	await expect(form.getByText('Please write a name and a value.')).toBeVisible();
	await expect(form.getByText('Please write a JSON object.')).toBeVisible();
	await expect(form.getByLabel('Value')).toBeFocused();
	expect(await violations(page)).toEqual([]);
	await form.getByLabel('Value').fill('of-the-owner');
	await form.getByLabel('Fields added to each request, as JSON').fill('{"keep_alive": -1}');
	await form.getByRole('button', { name: 'Save' }).click();
	await expect(box).toContainText('adds x-access, keep_alive');

	// The value is never shown again; what the server refuses is said with its name.
	await box.getByRole('button', { name: 'Headers and fields box' }).click();
	expect(await page.content()).not.toContain('of-the-owner');
	await expect(form.getByLabel('Header', { exact: true })).toHaveValue('x-access');
	await form.getByRole('button', { name: 'Add a header' }).press('Enter');
	await form.getByLabel('Header', { exact: true }).nth(1).fill('host');
	await form.getByLabel('Value').nth(1).fill('x');
	await form.getByRole('button', { name: 'Save' }).click();
	await expect(form.getByRole('alert')).toContainText('host');
	await form.getByRole('button', { name: 'Take out host' }).click();
	await form.getByRole('button', { name: 'Save' }).click();
	await expect(box).toContainText('adds x-access, keep_alive');

	await page.goto(`${server.url}/settings/people`);
	const programs = page.getByRole('group', { name: 'Members’ programs' });
	await expect(programs.getByRole('button', { name: 'May not' })).toHaveAttribute('aria-pressed', 'true');
	await programs.getByRole('button', { name: 'May ask models' }).click();
	await expect(programs.getByRole('button', { name: 'May ask models' })).toHaveAttribute('aria-pressed', 'true');
	expect(await violations(page)).toEqual([]);
	await page.reload();
	await expect(programs.getByRole('button', { name: 'May ask models' })).toHaveAttribute('aria-pressed', 'true');
});

test('whoever does not own the server sees their own usage, and is told whose the rest is', async ({ browser }) => {
	await server.dispose();
	server = await Server.start({ MANA_SIGNUP: 'invite', MANA_MEMBER_API: 'on' });
	const { page } = await becomeOwner(browser, server);
	await addProvider(page);
	const link = await invitationLink(page, server);
	const guest = await (await browser.newContext()).newPage();
	await guest.goto(link);
	await makeAccount(guest, server, OLA);
	await guest.goto(`${server.url}/settings`);
	await expect(guest.getByRole('link', { name: 'Models and providers' })).toHaveCount(0);
	await guest.getByRole('link', { name: 'Usage' }).click();
	await expect(guest.getByText('What your missions and programs asked of models')).toBeVisible();
	await expect(guest.getByRole('heading', { name: 'Nothing was asked in these days' })).toBeVisible();
	await guest.goto(`${server.url}/settings/models`);
	await expect(guest.getByRole('heading', { name: 'This is for the owner of the server' })).toBeVisible();
	await expect(guest.getByRole('button', { name: 'Add a provider' })).toHaveCount(0);

	// The guest's calls count for the guest, whose name the owner sees.
	expect(await ask((await Api.signIn(server, OLA)).token, 'box/test-model')).toBe(200);
	await page.goto(`${server.url}/settings/usage`);
	await page.getByRole('button', { name: 'Person', exact: true }).click();
	await expect(page.getByRole('table', { name: /by: Person/ }).getByRole('row', { name: /^Ola/ })).toContainText('150');
});
