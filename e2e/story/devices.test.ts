import { expect, test } from '@playwright/test';
import { Api, becomeOwner, invitationLink, makeAccount, OLA, signIn, synced } from '../support/person';
import { Server } from '../support/server';
import { addTask, done, taskLine, typeTask } from '../support/tasks';

let server: Server;

test.beforeEach(async () => {
	server = await Server.start({ MANA_SIGNUP: 'invite' });
});

test.afterEach(async () => {
	await server.dispose();
});

async function titles(): Promise<string[]> {
	const api = await Api.signIn(server);
	return (await api.changes('todo', 'tasks'))
		.filter((change) => change.op === 'insert')
		.map((change) => change.data?.title as string);
}

test('a full disk is said where one looks, loses nothing that is typed, and is over when there is space', async ({
	browser
}) => {
	const { context, page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/todo`);
	await synced(page);
	await addTask(page, 'Before');
	const devtools = await context.newCDPSession(page);
	await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.url, quotaSize: 1 });
	const full = page.getByRole('alert').filter({ hasText: 'no space left' });
	let thoughts = 0;
	// The browser believes its last measurement for a while, so it takes some more after the disk is full.
	await expect(async () => {
		await typeTask(page, `Thought ${++thoughts}`);
		await expect(full.first()).toBeVisible({ timeout: 2_000 });
	}).toPass({ timeout: 80_000 });
	const last = `Thought ${thoughts}`;
	const field = await taskLine(page);
	await expect(field).toHaveValue(last);
	await expect(done(page, last)).toHaveCount(0);
	await expect(done(page, 'Before')).toBeVisible();

	// A change of what is there says so as well, and shows what is true.
	await page.getByRole('link', { name: 'Settings' }).first().click();
	await expect(page.getByRole('region', { name: 'Storage on this device' })).toContainText('no space left');
	await page.goBack();

	await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.url });
	await addTask(page, last);
	await expect(full).toHaveCount(0);
	await synced(page);
	await expect.poll(titles).toEqual(['Before', ...Array.from({ length: thoughts }, (_, n) => `Thought ${n + 1}`)]);
});

test('a device that was away for longer than the log is kept takes a snapshot and keeps what it wrote', async ({
	browser
}) => {
	const here = await becomeOwner(browser, server);
	await here.page.goto(`${server.url}/todo`);
	await synced(here.page);
	await addTask(here.page, 'Renew the permit');
	await synced(here.page);
	const away = await signIn(browser, server);
	await away.page.goto(`${server.url}/todo`);
	await expect(done(away.page, 'Renew the permit')).toBeVisible();
	await synced(away.page);
	await away.context.setOffline(true);
	await addTask(away.page, 'Written on the train');

	// Meanwhile much is overwritten, and the log forgets it.
	const api = await Api.signIn(server);
	const [{ id }] = await api.changes('todo', 'tasks');
	for (const title of ['Renew', 'Renew it', 'Permit renewed']) {
		await api.push('todo', [{ table: 'tasks', id, op: 'update', fields: { title: { value: title } } }]);
	}
	await addTask(here.page, 'Written at home');
	await synced(here.page);
	const before = (await api.changes('todo', 'tasks')).length;
	expect(await server.run('compact', '--before', '0d')).toMatch(/Dropped [1-9]/);
	expect((await api.changes('todo', 'tasks')).length).toBeLessThan(before);

	const asked: string[] = [];
	away.page.on('response', (response) => {
		const { pathname } = new URL(response.url());
		if (pathname.startsWith('/sync')) asked.push(`${pathname} ${response.status()}`);
	});
	await away.context.setOffline(false);
	await expect(done(away.page, 'Written at home')).toBeVisible();
	await expect(done(away.page, 'Permit renewed')).toBeVisible();
	await expect(done(away.page, 'Written on the train')).toBeVisible();
	await synced(away.page);
	expect(asked).toContain('/sync 410');
	expect(asked.indexOf('/sync/snapshot 200')).toBeGreaterThan(asked.indexOf('/sync 410'));
	await expect(done(here.page, 'Written on the train')).toBeVisible();
	expect((await titles()).sort()).toEqual(['Renew the permit', 'Written at home', 'Written on the train']);

	// The person is told where they look, and what became of what waited; once.
	const told = away.page.getByRole('alert').filter({ hasText: 'away for longer than the server keeps its log' });
	await told.getByRole('link', { name: 'What happened' }).click();
	const report = away.page.getByRole('region', { name: 'Read anew' });
	await expect(report).toContainText('1 change that was waiting here is sent as ever');
	await expect(told).toHaveCount(0);
	await report.getByRole('button', { name: 'I have seen it' }).click();
	await expect(report).toHaveCount(0);
	await away.page.goto(`${server.url}/todo`);
	await expect(done(away.page, 'Permit renewed')).toBeVisible();
	await expect(told).toHaveCount(0);
	await expect(here.page.getByRole('alert')).toHaveCount(0);
});

test('a server that is killed in the midst of a push has each change once, whether it had committed or not', async ({
	browser
}) => {
	const { page } = await becomeOwner(browser, server);
	await page.goto(`${server.url}/todo`);
	await synced(page);
	const push = (url: URL) => url.pathname === '/sync';
	const wanted: string[] = [];
	for (const committed of [true, false]) {
		const title = committed ? 'Its answer was lost' : 'It never arrived';
		wanted.push(title);
		let killed = () => {};
		const dead = new Promise<void>((resolve) => (killed = resolve));
		await page.route(push, async (route) => {
			const carries = route.request().postData()?.includes(title);
			if (!carries) return route.continue();
			if (committed) await route.fetch();
			await server.kill();
			await route.abort();
			killed();
		});
		await addTask(page, title);
		await dead;
		await page.unrouteAll({ behavior: 'wait' });
		await server.up();
		await page.evaluate(() => dispatchEvent(new Event('online')));
		await synced(page);
		expect(await titles()).toEqual(wanted);
	}
	await expect(page.getByRole('checkbox', { name: /^Done: It/ })).toHaveCount(2);
});

test('the owner invites someone by a link that works once', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	const waiting = page.getByRole('listitem').filter({ hasText: 'Not yet' });
	const link = await invitationLink(page, server, '1 day');
	await expect(waiting).toHaveCount(1);

	const guest = await (await browser.newContext()).newPage();
	await guest.goto(link);
	await expect(guest.getByRole('heading', { level: 1, name: 'You are invited' })).toBeVisible();
	expect(new URL(guest.url()).hash).toBe('');
	await makeAccount(guest, server, OLA);
	await guest.goto(`${server.url}/settings`);
	await expect(guest.getByText('Member')).toBeVisible();
	await guest.goto(`${server.url}/settings/people`);
	await expect(guest.getByRole('button', { name: 'Invite someone' })).toHaveCount(0);

	const late = await (await browser.newContext()).newPage();
	await late.goto(link);
	await late.getByLabel('E-mail').fill('late@example.org');
	await late.getByLabel('Password').fill('another quiet morning');
	await late.getByRole('button', { name: 'Create account' }).click();
	await expect(late.getByRole('alert')).toContainText('has been used or has ended');
	await expect(late.getByLabel('E-mail')).toHaveValue('late@example.org');

	// A second one is taken back before anybody uses it.
	await page.reload();
	await expect(page.getByRole('button', { name: 'Invite someone' })).toBeVisible();
	await expect(waiting).toHaveCount(0);
	await invitationLink(page, server);
	await waiting.getByRole('button', { name: /Take back/ }).click();
	await expect(waiting).toHaveCount(0);
});
