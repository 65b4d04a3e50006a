import { expect, test, type Locator, type Page } from '@playwright/test';
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
	// A plan has five steps; the mission's next run adds four, where it doesn't replace them.
	await (await Api.signIn(server)).keepOlderPlans(mission);
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

test('a plan’s one undo takes all of it back, of all its runs', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	const mission = await writeMission(page, 'Weekly plan');
	const api = await Api.signIn(server);
	await api.push('todo', [
		{ table: 'tasks', id: 'kept', op: 'insert', data: { title: 'Call Ada', dueDate: '2031-01-01' } },
		{ table: 'tasks', id: 'gone', op: 'insert', data: { title: 'Cancel the server' } }
	]);
	await synced(page);
	const step = (summary: string, toolName: string, params: Record<string, unknown>): PlannedStep => ({
		summary,
		toolName,
		params,
		rationale: 'You asked for it.'
	});
	await run(mission, [
		create('Task one'),
		step('Move the call', 'update_task', { taskId: 'kept', dueDate: '2031-02-02' }),
		step('Remove the server', 'delete_task', { taskId: 'gone' })
	]);
	await api.keepOlderPlans(mission);
	upstream.answers = [plan('More.', [create('Task two')])];
	await api.runNow(mission);
	await server.tick();
	// The plan holds what this device has when it is opened.
	await page.goto(server.url);
	await expect(page.getByRole('link', { name: '4 proposals', exact: true })).toBeVisible();
	await page.keyboard.press('p');
	const sheet = page.getByRole('list', { name: 'Plan' });
	await expect(sheet.getByRole('listitem').filter({ hasText: 'Task two' })).toBeAttached();
	await page.getByRole('checkbox', { name: 'Tick the removal: Cancel the server' }).check();
	await page.keyboard.press('End');
	await expect(page.getByRole('button', { name: /^Approve 4/ })).toBeEnabled();
	await page.keyboard.press('a');
	await expect(page.getByText('4 steps approved')).toBeVisible();
	await page.keyboard.press('z');
	await page.getByRole('dialog').getByRole('button', { name: 'Undo all 4' }).click();
	await expect(page.getByRole('dialog')).toHaveCount(0);
	await page.goto(`${server.url}/todo`);
	await expect(page.getByText('Cancel the server')).toBeVisible();
	await expect(page.getByText('Call Ada')).toBeVisible();
	await expect(page.getByText(/Task (one|two)/)).toHaveCount(0);
	await synced(page);
	const last = new Map<string, Record<string, unknown>>();
	for (const { id, data, fields } of await api.changes('todo', 'tasks'))
		last.set(id, {
			...last.get(id),
			...data,
			...Object.fromEntries(Object.entries(fields ?? {}).map(([name, { value }]) => [name, value]))
		});
	expect(last.get('kept')).toMatchObject({ dueDate: '2031-01-01' });
	expect(last.get('gone')?.deletedAt ?? null).toBeNull();
});

test('a plan of nine steps takes two taps on a phone', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server, {
		viewport: { width: 390, height: 844 },
		hasTouch: true,
		isMobile: true
	});
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	await run(
		mission,
		['one', 'two', 'three', 'four', 'five'].map((n) => create(`Task ${n}`))
	);
	upstream.answers = [
		plan(
			'More.',
			['six', 'seven', 'eight', 'nine'].map((n) => create(`Task ${n}`))
		)
	];
	const api = await Api.signIn(server);
	await api.keepOlderPlans(mission);
	await api.runNow(mission);
	await server.tick();
	await page.goto(server.url);
	let taps = 0;
	const tap = async (what: Locator) => {
		taps++;
		await what.tap();
	};
	await tap(page.getByRole('link', { name: '9 proposals', exact: true }));
	const sheet = page.getByRole('list', { name: 'Plan' });
	await expect(sheet.getByRole('listitem').filter({ hasText: 'Task nine' })).toBeAttached();
	const button = page.getByRole('button', { name: /^Approve 9/ });
	await page.waitForTimeout(700);
	await expect(button).toBeDisabled();
	// A swipe to the end, as a thumb reads it.
	await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
	await expect(button).toBeEnabled();
	await tap(button);
	await expect(page.getByText('9 steps approved')).toBeVisible();
	expect(taps).toBe(2);
	await synced(page);
	expect((await titles()).length).toBe(9);
});

test('W opens the reason of a step, and a key that comes too early says so', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	await run(mission, [create('Task one'), create('Task two')]);
	await page.goto(`${server.url}/companion/missions/${mission}/plan`);
	const second = page.getByRole('listitem', { name: 'Step 2: Task two' });
	await expect(second).toBeVisible();
	await page.keyboard.press('j');
	await expect(second.getByRole('note')).toBeHidden();
	await page.keyboard.press('w');
	await expect(second.getByRole('note')).toBeVisible();
	await page.keyboard.press('w');
	await expect(second.getByRole('note')).toBeHidden();

	await page.goto(`${server.url}/companion/inbox`);
	await expect(page.getByRole('heading', { level: 1, name: '2 proposals wait' })).toBeVisible();
	await page.keyboard.press('j');
	await page.keyboard.press('a');
	await expect(page.getByText('Not approved yet. You can approve it now.')).toBeVisible();
	await page.keyboard.press('a');
	await expect(page.getByText('Approved a moment ago: Task two')).toBeVisible();
});

test('an edited proposal waits for what its form does not show', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.setViewportSize({ width: 1440, height: 900 });
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	await run(mission, [create('Call Ada', { dueDate: '2031-01-01' })]);
	await page.goto(`${server.url}/companion/inbox`);
	await expect(page.getByRole('heading', { level: 2, name: 'Call Ada' })).toBeVisible();
	await page.keyboard.press('e');
	await page.getByRole('textbox', { name: 'Title' }).fill('Call Ada at noon');
	// The form has no field for "Done", so the card is read to its end, which lies below the window now.
	await page.waitForTimeout(700);
	await page.keyboard.press('Enter');
	await expect(page.getByText('Read the form and what the card says beside it to the end')).toBeVisible();
	await page.getByRole('region', { name: 'The proposal' }).evaluate((panel) => {
		panel.scrollTo(0, panel.scrollHeight);
		scrollTo(0, document.documentElement.scrollHeight);
	});
	await expect(page.getByText('Not approved yet. You can approve it now.')).toBeVisible();
	await page.keyboard.press('Enter');
	await expect(page.getByText('Approved a moment ago: Call Ada')).toBeVisible();
	await synced(page);
	expect(await titles()).toEqual(['Call Ada at noon']);
});

test('an edit in a plan stays in its step until it was read, and goes with the others', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.setViewportSize({ width: 1440, height: 700 });
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	const notes = Array.from({ length: 40 }, (_, line) => `Line ${line} of the notes`).join('\n');
	await run(mission, [create('Task one'), create('Task two', { notes }), create('Task three')]);
	await page.goto(`${server.url}/companion/missions/${mission}/plan`);
	await expect(page.getByRole('listitem', { name: /^Step 3/ })).toBeAttached();
	await page.keyboard.press('End');
	await expect(page.getByRole('button', { name: /^Approve 3/ })).toBeEnabled();
	await page.keyboard.press('j');
	await page.keyboard.press('e');
	await page.getByRole('textbox', { name: 'Title' }).fill('Task two, mine');
	await expect(page.getByText('Keep or leave the open edit first.')).toBeVisible();
	await page.keyboard.press('Enter');
	const second = page.getByRole('listitem', { name: 'Step 2: Task two, mine' });
	await expect(second.getByText('It was proposed as')).toBeAttached();
	await page.evaluate(() => scrollTo(0, 0));
	await page.waitForTimeout(700);
	await page.keyboard.press('a');
	expect(await titles()).toEqual([]);
	await expect(page.getByRole('button', { name: /^Approve 3/ })).toBeDisabled();
	await page.keyboard.press('End');
	await expect(page.getByRole('button', { name: /^Approve 3/ })).toBeEnabled();
	await page.keyboard.press('a');
	await expect(page.getByText('3 steps approved')).toBeVisible();
	await synced(page);
	expect((await titles()).sort()).toEqual(['Task one', 'Task three', 'Task two, mine']);
});

test('a value that does not fit is mended by keyboard, and reading writes nothing', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await synced(page);
	const api = await Api.signIn(server);
	await api.push('todo', [
		{
			table: 'tasks',
			id: 'poisoned',
			op: 'insert',
			data: { title: 'Call Ada', dueDate: '2031-02-03T00:00:00Z', priority: 'somewhat', done: false }
		}
	]);
	await api.push('places', [
		{ table: 'places', id: 'place', op: 'insert', data: { name: 'Café Mira', rating: 'five', notes: 'Bright.' } }
	]);
	const before = (await api.changes('todo', 'tasks')).length;
	await page.goto(`${server.url}/todo`);
	await expect(page.getByText('Due, Priority: the values do not fit.')).toBeVisible();
	await page.getByRole('button', { name: 'Mend: Call Ada' }).focus();
	await page.keyboard.press('Enter');
	// The first field that does not fit has the focus, and says what stands there.
	const day = page.locator('input[name="dueDate"]');
	await expect(day).toBeFocused();
	await expect(day).toHaveAccessibleDescription(/2031-02-03T00:00:00Z/);
	const keep = page.getByRole('button', { name: /^Keep it as/ });
	await keep.focus();
	await page.keyboard.press('Enter');
	await expect(day).toBeFocused();
	await expect(day).toHaveValue('2031-02-03');
	expect((await api.changes('todo', 'tasks')).length).toBe(before);
	await page.locator('select[name="priority"]').selectOption('high');
	await page.getByRole('button', { name: 'Save' }).click();
	await expect(page.getByText(/the values do not fit/)).toHaveCount(0);
	const lastWrite = async (app: string, table: string) => {
		const fields = Object.entries((await api.changes(app, table)).at(-1)?.fields ?? {});
		return Object.fromEntries(fields.map(([name, { value }]) => [name, value ?? null]));
	};
	await expect.poll(() => lastWrite('todo', 'tasks')).toEqual({ dueDate: '2031-02-03', priority: 'high' });

	// On a generic page the record shows the value as it stands, and leaves the choice of emptying it.
	await page.goto(`${server.url}/places?open=place`);
	await expect(page.getByText('five', { exact: true })).toBeVisible();
	await page.getByRole('button', { name: 'Mend: Café Mira' }).click();
	await expect(page.locator('input[name="rating"]')).toBeFocused();
	await page.getByRole('button', { name: /^Leave it empty/ }).click();
	await page.getByRole('button', { name: 'Save' }).click();
	await expect(page.getByText(/does not fit/)).toHaveCount(0);
	await expect.poll(() => lastWrite('places', 'places')).toEqual({ rating: null });
});

test('on the page of a module, newcomers stand below and what was decided stays', async ({ browser }) => {
	const { page } = await becomeOwner(browser, server);
	await page.setViewportSize({ width: 1440, height: 900 });
	const mission = await writeMission(page, 'Weekly plan');
	const second = await writeMission(page, 'Second mission');
	await (
		await Api.signIn(server)
	).push('todo', [{ table: 'tasks', id: 'own', op: 'insert', data: { title: 'Own task', dueDate: '2031-01-01' } }]);
	await synced(page);
	await run(mission, [create('Bbb first', { dueDate: '2031-01-02' }), create('Ccc second', { dueDate: '2031-01-03' })]);
	await page.goto(`${server.url}/todo`);
	const card = (title: string) => page.locator('li.ghost').filter({ hasText: title });
	await expect(approve(page).first()).toBeEnabled();
	const box = (await card('Bbb first').boundingBox())!;
	await run(second, [create('Aaa newcomer', { dueDate: '2031-01-01' })]);
	await expect(page.getByText('Arrived while you were reading')).toBeVisible();
	await expect(card('Aaa newcomer')).toBeAttached();
	expect((await card('Bbb first').boundingBox())!.y).toBe(box.y);
	expect((await card('Aaa newcomer').boundingBox())!.y).toBeGreaterThan((await card('Ccc second').boundingBox())!.y);
	await (await Api.signIn(server)).decideAll(second, 'rejected');
	await expect(card('Aaa newcomer').getByText('This proposal was decided or withdrawn elsewhere.')).toBeVisible();
	await expect(card('Aaa newcomer').getByRole('button', { name: /^Approve/ })).toHaveCount(0);
	await approve(page).first().click();
	await expect(page.getByText('Approved a moment ago: Bbb first')).toBeVisible();
	await expect(card('Ccc second')).toBeVisible();
	await synced(page);
	expect(await titles()).toEqual(['Own task', 'Bbb first']);
});
