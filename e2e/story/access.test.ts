import { expect, test } from '@playwright/test';
import { violations } from '../support/axe';
import { connect, furnish } from '../support/household';
import { pages } from '../support/pages';
import { Api, becomeOwner, synced } from '../support/person';
import { Server } from '../support/server';
import { Upstream } from '../support/upstream';

test('every page, light and dark, wide and narrow, passes axe', async ({ browser }) => {
	test.setTimeout(420_000);
	const upstream = await Upstream.start();
	const server = await Server.start(upstream.env);
	const { page } = await becomeOwner(browser, server);
	await synced(page);
	const api = await Api.signIn(server);
	const { weekly } = await furnish(api, server, upstream);
	await connect(api, server, upstream);
	const found: string[] = [];
	const paths = pages(weekly);
	for (const path of paths) {
		await page.goto(server.url + path);
		await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
		await synced(page);
		for (const [width, height] of [
			[1440, 900],
			[390, 844]
		] as const) {
			await page.setViewportSize({ width, height });
			for (const colorScheme of ['light', 'dark'] as const) {
				await page.emulateMedia({ colorScheme });
				for (const violation of await violations(page)) found.push(`${path} ${width} ${colorScheme}: ${violation}`);
			}
			const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
			if (beyond > 0) found.push(`${path} ${width}: ${beyond} px wider than the screen`);
		}
		await page.setViewportSize({ width: 1440, height: 900 });
	}
	expect(found).toEqual([]);
	await server.dispose();
	await upstream.stop();
});

test('the inbox is decided by keyboard alone', async ({ browser }) => {
	const upstream = await Upstream.start();
	const server = await Server.start(upstream.env);
	const { page } = await becomeOwner(browser, server);
	await synced(page);
	await furnish(await Api.signIn(server), server, upstream);
	await page.goto(`${server.url}/companion/inbox`);
	await expect(page.getByRole('heading', { level: 1, name: '4 proposals wait' })).toBeVisible();
	const approve = page.getByRole('button', { name: /^Approve ?A?$/ });
	await page.keyboard.press('j');
	// The card was read: only then is there a yes.
	await expect(approve).toBeEnabled();
	await page.keyboard.press('a');
	await expect(page.getByRole('heading', { level: 1, name: '3 proposals wait' })).toBeVisible();
	await page.keyboard.press('r');
	await page.keyboard.press('2');
	await expect(page.getByRole('heading', { level: 1, name: '2 proposals wait' })).toBeVisible();
	await page.keyboard.press('Shift+A');
	await expect(page).toHaveURL(/\/plan$/);
	await page.keyboard.press('End');
	await expect(page.getByRole('button', { name: /^Approve (one|\d+)/ })).toBeEnabled();
	await page.keyboard.press('a');
	await expect(page.getByText(/steps? approved$/)).toBeVisible();
	await server.dispose();
	await upstream.stop();
});
