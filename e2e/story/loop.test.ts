import { expect, test, type Page } from '@playwright/test';
import { Api, becomeOwner, signIn, synced, writeMission } from '../support/person';
import { Server } from '../support/server';
import { plan, Upstream } from '../support/upstream';

const BOOK = {
	summary: 'Book the large room',
	toolName: 'create_task',
	params: { title: 'Book the large room' },
	rationale: 'Friday’s review has no room yet.'
};

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

const ghost = (page: Page, title: string) =>
	page.getByRole('listitem', { name: /^Proposal from/ }).filter({ hasText: title });
const task = (page: Page, title: string) => page.getByRole('checkbox', { name: `Done: ${title}` });

test('a mission planned while no tab is open becomes a task that says why', async ({ browser }) => {
	// Written in the browser, then every page is closed.
	const { context, page } = await becomeOwner(browser, server);
	const mission = await writeMission(page, 'Weekly plan', 'Every morning, look at the week.');
	await synced(page);
	await page.close();

	// Planned by the runner, once.
	upstream.answers = [plan('One room is missing.', [BOOK])];
	const api = await Api.signIn(server);
	await api.makeDue(mission);
	expect(await server.tick()).toMatchObject({ dueMissionCount: 1, plansProduced: 1, plansWrittenBack: 1, errors: [] });
	expect(await server.tick()).toMatchObject({ dueMissionCount: 0, plansProduced: 0 });
	expect(upstream.prompts).toHaveLength(1);
	expect(upstream.lastPrompt).toContain('Every morning, look at the week.');

	// The person comes back: a ghost card with its reason, on the page that it belongs to.
	const back = await context.newPage();
	await back.goto(`${server.url}/todo`);
	await expect(ghost(back, BOOK.params.title)).toContainText(BOOK.rationale);
	await expect(task(back, BOOK.params.title)).toHaveCount(0);

	// Approved: ink at the same place, with its attribution.
	await ghost(back, BOOK.params.title).getByRole('button', { name: 'Approve' }).click();
	await expect(task(back, BOOK.params.title)).toBeVisible();
	await expect(ghost(back, BOOK.params.title)).toHaveCount(0);
	await back.getByRole('button', { name: 'why?' }).click();
	await expect(back.getByText(BOOK.rationale)).toBeVisible();
	await synced(back);

	// A second device: the task and its reason, and nothing to decide.
	const second = await signIn(browser, server);
	await second.page.goto(`${server.url}/todo`);
	await expect(task(second.page, BOOK.params.title)).toBeVisible();
	await expect(second.page.getByRole('link', { name: 'Weekly plan' })).toBeVisible();
	await expect(ghost(second.page, BOOK.params.title)).toHaveCount(0);

	// In the log: who, which mission, which run, why.
	const [made] = await api.changes('todo', 'tasks');
	expect(made).toMatchObject({
		op: 'insert',
		data: { title: BOOK.params.title },
		actor: { kind: 'ai', missionId: mission, rationale: BOOK.rationale }
	});
	expect(made.actor.iterationId).toMatch(/^[0-9a-f-]{36}$/);
});

test('a reason for a rejection reaches the next prompt, until it is taken back on the mission’s page', async ({
	browser
}) => {
	const { page } = await becomeOwner(browser, server);
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	upstream.answers = [plan('One room is missing.', [BOOK]), plan('Nothing else.', [])];
	const api = await Api.signIn(server);
	await api.makeDue(mission);
	await server.tick();

	await page.goto(`${server.url}/todo`);
	await ghost(page, BOOK.params.title).getByRole('button', { name: 'Reject' }).click();
	await page.getByRole('button', { name: 'Not mine to do' }).click();
	await expect(ghost(page, BOOK.params.title)).toHaveCount(0);
	await synced(page);

	await api.makeDue(mission);
	await server.tick();
	expect(upstream.prompts).toHaveLength(2);
	expect(upstream.lastPrompt).toContain('Not mine to do');

	await page.goto(`${server.url}/companion/missions/${mission}`);
	const learnt = page.getByRole('listitem').filter({ hasText: `You refused: New task: ${BOOK.params.title}` });
	await expect(learnt).toContainText('Not mine to do');
	await learnt.getByRole('link', { name: /^Decided/ }).click();
	await expect(page.locator(':target')).toBeVisible();
	await learnt.getByRole('button', { name: 'Forget this' }).click();
	await expect(learnt).toHaveCount(0);
	await synced(page);
	upstream.answers = [plan('One room is missing.', [BOOK])];
	await api.makeDue(mission);
	await server.tick();
	expect(upstream.prompts).toHaveLength(3);
	await page.goto(`${server.url}/todo`);
	await expect(ghost(page, BOOK.params.title)).toBeVisible();
});

test('two tabs and two devices open at the arrival: one proposal each, one task after both approve', async ({
	browser
}) => {
	const one = await becomeOwner(browser, server);
	const mission = await writeMission(one.page, 'Weekly plan');
	await synced(one.page);
	const two = await signIn(browser, server);
	const tab = await one.context.newPage();
	for (const page of [one.page, tab, two.page]) await page.goto(`${server.url}/todo`);

	upstream.answers = [plan('One room is missing.', [BOOK])];
	const api = await Api.signIn(server);
	await api.makeDue(mission);
	await server.tick();
	for (const page of [one.page, tab, two.page]) {
		await expect(ghost(page, BOOK.params.title)).toHaveCount(1);
	}

	// Both devices decide without knowing of each other.
	await one.context.setOffline(true);
	await two.context.setOffline(true);
	for (const page of [one.page, two.page]) {
		await ghost(page, BOOK.params.title).getByRole('button', { name: 'Approve' }).click();
		await expect(task(page, BOOK.params.title)).toHaveCount(1);
	}
	await one.context.setOffline(false);
	await two.context.setOffline(false);
	for (const page of [one.page, tab, two.page]) {
		await synced(page);
		await expect(task(page, BOOK.params.title)).toHaveCount(1);
		await expect(ghost(page, BOOK.params.title).getByRole('button', { name: 'Approve' })).toHaveCount(0);
	}
	// The tab that only watched keeps its card, which says what became of it.
	await expect(ghost(tab, BOOK.params.title)).toContainText('was decided or withdrawn elsewhere');
	const ids = new Set((await api.changes('todo', 'tasks')).map((change) => change.id));
	expect(ids.size).toBe(1);
});

test('a mission written without network is kept, and synced when the network is back', async ({ browser }) => {
	const { context, page } = await becomeOwner(browser, server);
	await synced(page);
	await page.evaluate(() => navigator.serviceWorker.ready);
	await context.setOffline(true);
	const mission = await writeMission(page, 'Written on a train');
	// Even a reload shows it: the shell and the data are on this device.
	await page.reload();
	await expect(page.getByRole('heading', { level: 1, name: 'Written on a train' })).toBeVisible();

	await context.setOffline(false);
	await synced(page);
	const api = await Api.signIn(server);
	await expect.poll(async () => (await api.changes('ai', 'aiMissions')).map((change) => change.id)).toContain(mission);
});
