import { expect, test, type Page } from '@playwright/test';
import { Api, becomeOwner, signIn, synced, writeMission } from '../support/person';
import { Server } from '../support/server';
import { plan, Upstream, type PlannedStep } from '../support/upstream';

const BOOK: PlannedStep = {
	summary: 'Book the large room',
	toolName: 'create_task',
	params: { title: 'Book the large room' },
	rationale: 'Friday’s review has no room yet.'
};
const CALL: PlannedStep = { ...BOOK, summary: 'Call Ada', params: { title: 'Call Ada' } };

let server: Server;
let upstream: Upstream;

test.beforeEach(async () => {
	// Two browsers and a runner: minutes on a loaded machine.
	test.slow();
	upstream = await Upstream.start();
	server = await Server.start(upstream.env);
});

test.afterEach(async () => {
	await server.dispose();
	await upstream.stop();
});

const ghost = (page: Page, title: string) =>
	page.getByRole('listitem', { name: /^Proposal from/ }).filter({ hasText: title });
const task = (page: Page, title: string) => page.getByRole('checkbox', { name: `Done: ${title}` });

/** A mission that has run once and left these steps. */
async function planned(page: Page, steps: PlannedStep[]): Promise<string> {
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	upstream.answers = [plan('A plan.', steps)];
	const api = await Api.signIn(server);
	await api.makeDue(mission);
	expect(await server.tick()).toMatchObject({ plansProduced: 1, errors: [] });
	return mission;
}

test('what a mission did is taken back from the workbench, shown first, and the person’s own edits stay', async ({
	browser
}) => {
	const { page } = await becomeOwner(browser, server);
	const mission = await planned(page, [BOOK, CALL]);
	await page.goto(`${server.url}/todo`);
	for (const step of [BOOK, CALL]) {
		await ghost(page, step.summary).getByRole('button', { name: 'Approve' }).click();
		await expect(task(page, step.summary)).toBeVisible();
	}
	// Another program of hers edits one of the two.
	const api = await Api.signIn(server);
	await synced(page);
	const call = (await api.changes('todo', 'tasks')).find((change) => change.data?.title === 'Call Ada')!;
	await api.push('todo', [
		{ table: 'tasks', id: call.id, op: 'update', fields: { notes: { value: 'About the lease' } } }
	]);

	await page.goto(`${server.url}/companion/missions/${mission}`);
	await page.getByRole('button', { name: /^Undo ?: Book the large room$/ }).click();
	const sheet = page.getByRole('dialog', { name: 'Undo' });
	await expect(sheet.getByRole('listitem')).toHaveCount(1);
	await sheet.getByLabel('The whole run, 2 steps').check();
	await expect(sheet.getByText('stays, because it was edited since')).toBeVisible();
	await expect(sheet).toContainText('Call Ada');
	await sheet.getByRole('button', { name: 'Undo it' }).click();
	await expect(sheet).toHaveCount(0);
	await expect(page.getByText('You undid this')).toBeVisible();

	await page.goto(`${server.url}/todo`);
	await expect(task(page, 'Call Ada')).toBeVisible();
	await expect(task(page, BOOK.summary)).toHaveCount(0);
	await synced(page);

	// The next prompt knows it.
	await api.makeDue(mission);
	upstream.answers = [plan('Nothing else.', [])];
	await server.tick();
	expect(upstream.lastPrompt).toContain('UNDONE by the person');
});

test('two devices decide a step differently while offline: one outcome, and both can read what happened', async ({
	browser
}) => {
	const first = await becomeOwner(browser, server);
	const mission = await planned(first.page, [BOOK]);
	const second = await signIn(browser, server);
	for (const { page, context } of [first, second]) {
		await page.goto(`${server.url}/companion/inbox`);
		await expect(page.getByRole('heading', { name: '1 proposal waits' })).toBeVisible();
		await synced(page);
		await context.setOffline(true);
	}
	await first.page.getByRole('button', { name: 'Approve' }).first().click();
	await expect(first.page.getByText('Approved a moment ago')).toBeVisible();
	await second.page.getByRole('button', { name: 'Reject' }).first().click();
	await second.page.getByRole('button', { name: 'Not now' }).click();
	await expect(second.page.getByText('Rejected a moment ago')).toBeVisible();

	await second.context.setOffline(false);
	await synced(second.page);
	await first.context.setOffline(false);
	await synced(first.page);

	// The loser's device says so in words; the record is there once, on both.
	const overruled = /You rejected “Book the large room” here\. .*the approval counts/;
	await expect(second.page.getByText(overruled)).toBeVisible();
	for (const { page } of [first, second]) {
		await page.goto(`${server.url}/todo`);
		await expect(task(page, BOOK.summary)).toHaveCount(1);
		await page.goto(`${server.url}/companion/missions/${mission}`);
		await expect(page.getByText(/the approval counts/)).toBeVisible();
	}
});
