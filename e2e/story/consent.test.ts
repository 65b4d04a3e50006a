import { expect, test, type Page } from '@playwright/test';
import { Api, becomeOwner, synced, writeMission } from '../support/person';
import { Server } from '../support/server';
import { plan, Upstream, type PlannedStep } from '../support/upstream';

let server: Server;
let upstream: Upstream;

test.beforeEach(async () => {
	test.slow();
	upstream = await Upstream.start();
	server = await Server.start(upstream.env);
});

test.afterEach(async () => {
	await server.dispose();
	await upstream.stop();
});

const create = (title: string, params: Record<string, unknown> = {}): PlannedStep => ({
	summary: title,
	toolName: 'create_task',
	params: { title, ...params },
	rationale: 'You asked for it.'
});

/** Runs a mission with these steps. */
async function run(mission: string, steps: PlannedStep[]): Promise<void> {
	upstream.answers = [plan('A plan.', steps)];
	const api = await Api.signIn(server);
	await api.makeDue(mission);
	expect(await server.tick()).toMatchObject({ plansProduced: 1, errors: [] });
}

const approve = (page: Page) => page.getByRole('button', { name: /^Approve ?A?$/ });
const titles = async () => {
	const changes = await (await Api.signIn(server)).changes('todo', 'tasks');
	return changes.map((change) => change.data?.title);
};

test('a plan that arrives takes no card from under the eye, the key or the pointer', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.setViewportSize({ width: 1440, height: 900 });
	const first = await writeMission(page, 'First mission');
	const second = await writeMission(page, 'Second mission');
	await synced(page);
	await run(first, [create('Harmless')]);
	await page.goto(`${server.url}/companion/inbox`);
	await expect(page.getByRole('heading', { level: 2, name: 'Harmless' })).toBeVisible();
	await expect(approve(page)).toBeEnabled();
	await run(second, [create('Arrived meanwhile')]);
	await expect(page.getByText('Arrived while you were reading')).toBeVisible();
	await expect(page.getByRole('heading', { level: 2, name: 'Harmless' })).toBeVisible();
	await expect(approve(page)).toBeEnabled();
	await page.keyboard.press('a');
	await expect(page.getByText('Approved a moment ago: Harmless')).toBeVisible();
	await synced(page);
	expect(await titles()).toEqual(['Harmless']);

	// In one column, a click at the place of a button hits the card that was read there, or none.
	await page.setViewportSize({ width: 800, height: 900 });
	await page.goto(`${server.url}/companion/inbox`);
	await expect(approve(page)).toBeEnabled();
	const box = (await approve(page).boundingBox())!;
	await run(first, [create('Under the pointer')]);
	await expect(page.getByText('Under the pointer')).toBeVisible();
	await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
	await expect(page.getByText('Arrived while you were reading')).toBeVisible();
	await synced(page);
	expect(await titles()).not.toContain('Under the pointer');
});

test('a plan of nine steps takes three keys from the first page', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	await run(
		mission,
		['one', 'two', 'three', 'four', 'five'].map((n) => create(`Task ${n}`))
	);
	// A plan has five steps; the mission's next run adds four.
	upstream.answers = [
		plan(
			'More.',
			['six', 'seven', 'eight', 'nine'].map((n) => create(`Task ${n}`))
		)
	];
	await (await Api.signIn(server)).runNow(mission);
	await server.tick();
	await page.goto(server.url);
	await expect(page.getByRole('link', { name: '9 proposals', exact: true })).toBeVisible();
	let keys = 0;
	const press = async (key: string) => {
		keys++;
		await page.keyboard.press(key);
	};
	await press('p');
	const sheet = page.getByRole('list', { name: 'Plan' });
	await expect(sheet.getByRole('listitem').filter({ hasText: 'Task nine' })).toBeAttached();
	await press('End');
	const button = page.getByRole('button', { name: /^Approve 9/ });
	await expect(button).toBeEnabled();
	await press('a');
	await expect(page.getByText('9 steps approved')).toBeVisible();
	expect(keys).toBeLessThanOrEqual(3);
	await synced(page);
	expect((await titles()).length).toBe(9);
});

test('a long text folds, and approving waits until it was opened', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.setViewportSize({ width: 1440, height: 900 });
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	const body = Array.from({ length: 40 }, (_, line) => `Line ${line} of the note`).join('\n');
	await run(mission, [
		{ summary: 'A note', toolName: 'create_note', params: { title: 'A note', body }, rationale: 'You asked for it.' }
	]);
	await page.goto(`${server.url}/companion/inbox`);
	await expect(page.getByText('Open the long text above')).toBeVisible();
	await page.waitForTimeout(700);
	await expect(approve(page)).toBeDisabled();
	await page.keyboard.press('a');
	await page.getByRole('button', { name: 'Show all 40 lines' }).click();
	await expect(page.getByText('Line 39 of the note')).toBeVisible();
	await approve(page).scrollIntoViewIfNeeded();
	await expect(approve(page)).toBeEnabled();
	await approve(page).click();
	await expect(page.getByText('Approved a moment ago: A note')).toBeVisible();
});

test('a card that was decided elsewhere stays where it is, says so, and approves nothing', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.setViewportSize({ width: 1440, height: 900 });
	const other = await writeMission(page, 'Other plan');
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	await run(other, [create('Still asks')]);
	await run(mission, [create('Decided elsewhere')]);
	await page.goto(`${server.url}/companion/inbox`);
	await expect(page.getByRole('heading', { level: 1, name: '2 proposals wait' })).toBeVisible();
	await page.getByRole('button', { name: /^Decided elsewhere/ }).click();
	await expect(page.getByRole('heading', { level: 2, name: 'Decided elsewhere' })).toBeVisible();
	await expect(approve(page)).toBeEnabled();
	await (await Api.signIn(server)).decideAll(mission, 'rejected');
	await expect(page.getByText('This proposal was decided or withdrawn elsewhere.')).toBeVisible();
	// The card stands, and is not counted among those that wait.
	await expect(page.getByRole('heading', { level: 1, name: '1 proposal waits' })).toBeVisible();
	await expect(page.getByRole('heading', { level: 2, name: 'Decided elsewhere' })).toBeVisible();
	await expect(approve(page)).toHaveCount(0);
	await page.keyboard.press('a');
	await synced(page);
	expect(await titles()).toEqual([]);
});

test('records whose values do not fit take no page and no other record with them', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await synced(page);
	const api = await Api.signIn(server);
	const poison: unknown[] = [
		7,
		true,
		['x'],
		{ a: 1 },
		'\u202e\u0000'.slice(0, 1),
		'2026-99-99',
		'',
		'x'.repeat(20_000)
	];
	const fields: Record<string, [string, string[]]> = {
		todo: ['tasks', ['title', 'dueDate', 'priority', 'estimateMinutes', 'goalId', 'notes', 'done', 'list']],
		calendar: ['events', ['title', 'startsAt', 'endsAt', 'allDay', 'notes', 'location']],
		notes: ['notes', ['title', 'body']],
		goals: ['goals', ['title', 'targetDate', 'status', 'progress', 'target', 'unit', 'why']],
		places: ['places', ['name', 'rating', 'visitedAt', 'category']]
	};
	const good: Record<string, Record<string, unknown>> = {
		todo: { title: 'A good one' },
		calendar: { title: 'A good one', startsAt: new Date(Date.now() + 3_600_000).toISOString() },
		notes: { title: 'A good one' },
		goals: { title: 'A good one', status: 'active' },
		places: { name: 'A good one' }
	};
	for (const [app, [table, names]] of Object.entries(fields)) {
		const changes = names.flatMap((name) =>
			poison.map((value, n) => ({
				table,
				id: `poison-${name.toLowerCase()}-${n}`,
				op: 'insert',
				data: { ...good[app], title: `Bad ${name} ${n}`, name: `Bad ${name} ${n}`, [name]: value }
			}))
		);
		for (const change of [...changes, { table, id: `good-${app}`, op: 'insert', data: good[app] }])
			// A value that the server refuses never reaches a page.
			await api.push(app, [change]).catch(() => undefined);
	}
	const errors: string[] = [];
	page.on('pageerror', (error) => errors.push(error.stack ?? error.message));
	for (const path of ['/', '/todo', '/calendar', '/notes', '/goals', '/places']) {
		await page.goto(server.url + path);
		await synced(page);
		await page.waitForTimeout(300);
		expect(errors, path).toEqual([]);
		await expect(page.getByText('A good one').first(), path).toBeAttached();
	}
});
