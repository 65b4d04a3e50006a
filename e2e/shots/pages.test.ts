import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { connect, furnish } from '../support/household';
import { Api, becomeOwner, LENA, synced } from '../support/person';
import { Server } from '../support/server';
import { Upstream } from '../support/upstream';

/** `cargo xtask screenshots`: every page, both sizes, light and dark, of the real app with real runs. */
const OUT = process.env.MANA_SHOTS ?? resolve(import.meta.dirname, '../../docs/screenshots');
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

test('pages', async ({ browser }) => {
	test.setTimeout(600_000);
	await mkdir(OUT, { recursive: true });
	const upstream = await Upstream.start();
	const server = await Server.start(upstream.env);
	const first = await browser.newContext();
	const visitor = await first.newPage();
	const shoot = async (page: Page, name: string) => {
		for (const [size, viewport] of Object.entries(SIZES)) {
			for (const theme of ['light', 'dark'] as const) {
				await page.setViewportSize(viewport);
				await page.emulateMedia({ colorScheme: theme });
				await page.evaluate(() => scrollTo(0, 0));
				await page.screenshot({ path: `${OUT}/${name}-${size}-${theme}.png` });
			}
		}
	};

	await visitor.goto(server.setupLink);
	await expect(visitor.getByLabel('E-mail')).toBeVisible();
	await shoot(visitor, 'setup');
	await first.close();

	const { page } = await becomeOwner(browser, server);
	await synced(page);
	await shoot(page, 'empty-today');
	const visit = async (path: string, ready: RegExp | string) => {
		await page.setViewportSize(SIZES.desktop);
		await page.goto(server.url + path);
		await expect(page.getByRole('main')).toContainText(ready);
		await synced(page);
	};
	for (const [path, name] of [
		['/todo', 'todo'],
		['/companion/missions', 'missions'],
		['/companion/inbox', 'inbox'],
		['/notes', 'notes'],
		['/companion/workbench', 'workbench']
	] as const) {
		await visit(path, /\w/);
		await shoot(page, `empty-${name}`);
	}

	const api = await Api.signIn(server);
	const { weekly } = await furnish(api, server, upstream);
	await connect(api, server, upstream);
	for (const [path, name, ready] of [
		['/', 'today', 'Renew the parking permit'],
		['/todo', 'todo', 'Send Marta the quote'],
		['/calendar', 'calendar', 'Prepare the budget numbers'],
		['/notes', 'notes', 'How I like my week'],
		['/goals', 'goals', 'Talk at LoFi Berlin'],
		['/places', 'places', 'Lindenstraße 14'],
		['/context', 'context', 'small studio'],
		['/companion/missions', 'missions', 'Weekly plan'],
		['/companion/missions/new', 'mission-new', 'Title'],
		[`/companion/missions/${weekly}`, 'mission', 'Four meetings today'],
		['/companion/inbox', 'inbox', 'Book the large room'],
		['/companion/agents', 'agents', 'Mana'],
		['/companion/agents/new', 'agent-new', 'Name'],
		['/companion/policy', 'policy', 'Asks first'],
		['/companion/workbench', 'workbench', 'Weekly plan'],
		['/settings', 'settings', LENA.email],
		['/settings/models', 'models', 'Answers'],
		['/settings/keys', 'keys', 'Editor on the laptop'],
		['/settings/usage', 'usage', 'box/test-model'],
		['/more', 'more', 'Settings']
	] as const) {
		await visit(path, ready);
		await shoot(page, name);
	}
	const out = await browser.newContext();
	const login = await out.newPage();
	await login.goto(`${server.url}/login`);
	await expect(login.getByLabel('E-mail')).toBeVisible();
	await shoot(login, 'login');

	await server.dispose();
	await upstream.stop();
});
