import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect, test, type Locator, type Page } from '@playwright/test';
import { Api, becomeOwner, signIn, synced, writeMission } from '../support/person';
import { Server } from '../support/server';
import { plan, Upstream } from '../support/upstream';

/** Pictures of the rare states: a stale proposal, an undo, two devices that decided differently. */
const OUT = process.env.MANA_SHOTS ?? resolve(import.meta.dirname, '../../docs/screenshots');
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

/** `at`: what the picture is of, where a small screen has to be scrolled to it. */
async function shoot(page: Page, name: string, at?: Locator): Promise<void> {
	for (const [size, viewport] of Object.entries(SIZES)) {
		for (const theme of ['light', 'dark'] as const) {
			await page.setViewportSize(viewport);
			await page.emulateMedia({ colorScheme: theme });
			await at?.scrollIntoViewIfNeeded();
			await page.screenshot({ path: `${OUT}/${name}-${size}-${theme}.png` });
		}
	}
	await page.setViewportSize(SIZES.desktop);
}

test('undo', async ({ browser }) => {
	test.setTimeout(600_000);
	await mkdir(OUT, { recursive: true });
	const upstream = await Upstream.start();
	const server = await Server.start(upstream.env);
	const { page, context } = await becomeOwner(browser, server);
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	const api = await Api.signIn(server);
	await api.push('todo', [
		{
			table: 'tasks',
			id: 'quote',
			op: 'insert',
			data: { title: 'Send Marta the quote', dueDate: '2026-12-01', done: false }
		}
	]);
	const why = 'Friday’s review has no room yet, and Marta asked for the quote before it.';
	const step = (summary: string, toolName: string, params: object) => ({
		summary,
		toolName,
		params: params as Record<string, unknown>,
		rationale: why
	});
	upstream.answers = [
		plan('A quiet week with one review.', [
			step('Book the large room', 'create_task', { title: 'Book the large room' }),
			step('Call Ada', 'create_task', { title: 'Call Ada' }),
			step('Move the quote', 'reschedule_task', { taskId: 'quote', dueDate: '2026-12-04' }),
			step('Tidy the desk', 'create_task', { title: 'Tidy the desk' })
		])
	];
	await api.makeDue(mission);
	await server.tick();
	const second = await signIn(browser, server);
	for (const one of [page, second.page]) {
		await one.setViewportSize(SIZES.desktop);
		await one.goto(`${server.url}/companion/inbox`);
		await expect(one.getByRole('heading', { name: '4 proposals wait' })).toBeVisible();
		await synced(one);
	}

	// The quote is moved by hand meanwhile: the proposal is stale.
	await api.push('todo', [{ table: 'tasks', id: 'quote', op: 'update', fields: { dueDate: { value: '2026-12-02' } } }]);
	await page.goto(`${server.url}/companion/inbox`);
	await synced(page);
	await page
		.getByRole('button', { name: /Send Marta the quote/ })
		.first()
		.click();
	await page
		.getByRole('button', { name: 'Approve', exact: false })
		.filter({ hasText: /^Approve ?A?$/ })
		.click();
	await expect(page.getByRole('button', { name: 'Approve on top of this' })).toBeVisible();
	await shoot(page, 'inbox-stale', page.getByRole('button', { name: 'Approve on top of this' }));

	// Two devices of two minds.
	await second.context.setOffline(true);
	await context.setOffline(true);
	await page
		.getByRole('button', { name: /Tidy the desk/ })
		.first()
		.click();
	await page
		.getByRole('button')
		.filter({ hasText: /^Approve ?A?$/ })
		.click();
	await expect(page.getByText('Approved a moment ago: Tidy the desk')).toBeVisible();
	await second.page
		.getByRole('button', { name: /Tidy the desk/ })
		.first()
		.click();
	await second.page
		.getByRole('button')
		.filter({ hasText: /^Reject ?R?$/ })
		.click();
	await second.page.getByRole('button', { name: /Not now/ }).click();
	await expect(second.page.getByText('Rejected a moment ago: Tidy the desk')).toBeVisible();
	for (const one of [second, { page, context }]) {
		await one.context.setOffline(false);
		await synced(one.page);
	}
	await expect(second.page.getByText(/the approval counts/)).toBeVisible();
	await shoot(second.page, 'inbox-overruled');

	// An undo, with a person's edit that stays.
	for (const title of ['Book the large room', 'Call Ada']) {
		await page
			.getByRole('button', { name: new RegExp(title) })
			.first()
			.click();
		await page
			.getByRole('button')
			.filter({ hasText: /^Approve ?A?$/ })
			.click();
		await expect(page.getByText(`Approved a moment ago: ${title}`)).toBeVisible();
	}
	await synced(page);
	const call = (await api.changes('todo', 'tasks')).find((change) => change.data?.title === 'Call Ada')!;
	await api.push('todo', [
		{ table: 'tasks', id: call.id, op: 'update', fields: { notes: { value: 'About the lease' } } }
	]);
	await page.goto(`${server.url}/companion/workbench`);
	await synced(page);
	await page.getByRole('button', { name: /^Undo/ }).first().click();
	await expect(page.getByRole('dialog', { name: 'Undo' })).toContainText('stays, because it was edited since');
	await shoot(page, 'undo');
	await server.dispose();
	await upstream.stop();
});
