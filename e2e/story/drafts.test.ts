import { expect, test, type Browser, type Page } from '@playwright/test';
import { Api, becomeOwner, OLA, signIn, stored, synced, writeMission } from '../support/person';
import { Server } from '../support/server';
import { plan, Upstream } from '../support/upstream';

let server: Server;
let upstream: Upstream;

test.beforeEach(async () => {
	// Several browsers: minutes on a loaded machine.
	test.slow();
	upstream = await Upstream.start();
	server = await Server.start({ ...upstream.env, MANA_SIGNUP: 'open' });
});

test.afterEach(async () => {
	await server.dispose();
	await upstream.stop();
});

const insert = (table: string, id: string, data: object) => ({ table, id, op: 'insert', data });
const update = (table: string, id: string, values: Record<string, unknown>) => ({
	table,
	id,
	op: 'update',
	fields: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]))
});
const done = (page: Page, title: string) => page.getByRole('checkbox', { name: `Done: ${title}` });
const form = (page: Page) => page.getByRole('main').locator('form');

/** A button's name, which says for a screen reader what it is about. */
const about = (word: string, what: string) => new RegExp(`^${word} ?: ${what}$`);

async function owner(browser: Browser, path: string) {
	const { context, page } = await becomeOwner(browser, server);
	await page.goto(server.url + path);
	await synced(page);
	return { context, page, api: await Api.signIn(server) };
}

/** The draft of what was typed lies in the database of this browser. */
async function drafted(page: Page, text: string): Promise<void> {
	await expect.poll(() => drafts(page)).toContain(text);
}

/** Waits until no draft of a text is kept any more: it goes after the write that it was for. */
async function undrafted(page: Page, text: string): Promise<void> {
	await expect.poll(() => drafts(page)).not.toContain(text);
}

async function drafts(page: Page): Promise<string> {
	return JSON.stringify(await stored(page, 'drafts'));
}

/** `SIGKILL` of the tab: the next one is opened in the same browser. */
async function killed(page: Page): Promise<Page> {
	const context = page.context();
	const devtools = await context.newCDPSession(page);
	const crashed = page.waitForEvent('crash');
	void devtools.send('Page.crash').catch(() => undefined);
	await crashed;
	const next = await context.newPage();
	void page.close().catch(() => undefined);
	return next;
}

test('a task’s form outlives its row: moved, renamed, ticked and deleted elsewhere', async ({ browser }) => {
	const { page, api } = await owner(browser, '/todo');
	await api.push('todo', [
		insert('tasks', 't1', { title: 'Tax return', done: false }),
		insert('tasks', 't2', { title: 'Ask Ada', done: false }),
		insert('tasks', 't3', { title: 'Zoo', done: false })
	]);
	await page.getByRole('button', { name: 'Edit Tax return' }).click();
	const notes = form(page).getByLabel('Notes');
	await notes.click();
	await page.keyboard.type('Half ');

	// It moves to another group and another name; the field that was not touched follows.
	const today = new Date().toISOString().slice(0, 10);
	await api.push('todo', [update('tasks', 't1', { dueDate: today, title: 'A tax return' })]);
	await expect(form(page)).toContainText('Changed elsewhere: Title, Due.');
	await expect(form(page).getByLabel('Title')).toHaveValue('A tax return');
	await page.keyboard.type('a ');
	// Its neighbours change their order around it.
	await api.push('todo', [update('tasks', 't3', { title: 'Aachen' }), update('tasks', 't2', { title: 'Zebra' })]);
	await expect(done(page, 'Zebra')).toBeVisible();
	await page.keyboard.type('thought ');
	await api.push('todo', [update('tasks', 't1', { done: true, completedAt: new Date().toISOString() })]);
	await expect(form(page)).toContainText('Ticked as done elsewhere.');
	await page.keyboard.type('still ');
	await api.push('todo', [{ table: 'tasks', id: 't1', op: 'delete' }]);
	await expect(form(page)).toContainText('Deleted elsewhere while this was open.');
	await page.keyboard.type('here');
	await expect(notes).toHaveValue('Half a thought still here');
	await expect(notes).toBeFocused();

	await page.getByRole('button', { name: 'Bring back with my text' }).click();
	await expect(form(page)).toHaveCount(0);
	await page.getByRole('button', { name: 'Done 1' }).click();
	await expect(done(page, 'A tax return')).toBeChecked();
	await synced(page);
	const log = await api.changes('todo', 'tasks');
	expect(log.at(-1)!.fields).toMatchObject({
		deletedAt: { value: null },
		notes: { value: 'Half a thought still here' }
	});
});

test('a deleted record’s form is copied or discarded as well, and a removal in the form is no news', async ({
	browser
}) => {
	const { context, page, api } = await owner(browser, '/notes');
	await context.grantPermissions(['clipboard-read', 'clipboard-write']);
	await api.push('notes', [insert('notes', 'n1', { title: 'Rooms', body: 'The large one.' })]);
	await page.getByRole('button', { name: 'Open Rooms' }).click();
	await page.getByRole('button', { name: 'Edit' }).click();
	await form(page).getByLabel('Text').fill('An hour of words.');
	await api.push('notes', [{ table: 'notes', id: 'n1', op: 'delete' }]);
	await page.getByRole('button', { name: 'Copy my text' }).click();
	expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('An hour of words.');
	page.once('dialog', (dialog) => dialog.accept());
	await form(page).getByRole('button', { name: 'Discard' }).click();
	await expect(form(page)).toHaveCount(0);
	await expect(page.getByText('Rooms')).toHaveCount(0);

	await page.goto(`${server.url}/todo`);
	await api.push('todo', [insert('tasks', 't1', { title: 'Call Ada', done: false })]);
	await page.getByRole('button', { name: 'Edit Call Ada' }).click();
	await form(page).getByRole('button', { name: 'Delete' }).click();
	await page.getByRole('button', { name: 'Undo' }).click();
	// It comes back as a row, not as a form.
	await expect(done(page, 'Call Ada')).toBeVisible();
	await expect(form(page)).toHaveCount(0);
});

test('two devices write one note: the later form says so before it saves, and each of the three ways holds', async ({
	browser
}) => {
	const { page, api } = await owner(browser, '/notes');
	const other = await signIn(browser, server);
	await other.page.goto(`${server.url}/notes`);
	await api.push('notes', [insert('notes', 'n1', { title: 'Rooms', body: 'The large one goes fast.' })]);
	for (const one of [page, other.page]) await one.getByRole('button', { name: 'Open Rooms' }).click();
	let last = 'The large one goes fast.';
	for (const [way, stands] of [
		['Keep mine', 'Mine 1'],
		['Take theirs', 'Theirs 2'],
		['Show both', 'Mine 3']
	] as const) {
		const turn = stands.at(-1)!;
		await expect(page.getByRole('listitem').filter({ hasText: last }).first()).toBeVisible();
		await page.getByRole('button', { name: 'Edit' }).click();
		const text = form(page).getByLabel('Text');
		await text.fill(`Mine ${turn}`);
		await other.page.getByRole('button', { name: 'Edit' }).click();
		await form(other.page).getByLabel('Text').fill(`Theirs ${turn}`);
		await other.page.getByRole('button', { name: 'Save' }).click();

		await expect(form(page)).toContainText('Changed elsewhere while you wrote: Text.');
		await expect(form(page)).toContainText(`Theirs ${turn}`);
		await expect(text).toHaveValue(`Mine ${turn}`);
		await page.getByRole('button', { name: 'Save' }).click();
		await expect(form(page)).toContainText('Choose first');
		await page.getByRole('button', { name: about(way, 'Text') }).click();
		await expect(text).toBeFocused();
		await page.getByRole('button', { name: 'Save' }).click();
		await expect(form(page)).toHaveCount(0);
		for (const one of [page, other.page]) await expect(one.getByRole('main')).toContainText(stands);
		await synced(page);
		last = stands;
	}
	// The text that lost is on the record, on both devices, and can be taken.
	for (const one of [page, other.page]) {
		const conflict = one.getByRole('region', { name: 'In conflict: Text' });
		await expect(conflict).toContainText('Another text was written at the same time');
		await expect(conflict).toContainText('Theirs 3');
	}
	await page.getByRole('region', { name: 'In conflict: Text' }).getByRole('button', { name: 'Use this text' }).click();
	await expect(page.getByRole('region', { name: 'In conflict: Text' })).toHaveCount(0);
	await expect(other.page.getByRole('main').getByText('Theirs 3').first()).toBeVisible();
	await expect(other.page.getByRole('region', { name: 'In conflict: Text' })).toHaveCount(0);
});

test('the page about the person is written on two devices: its form says so, too', async ({ browser }) => {
	const { page, api } = await owner(browser, '/context');
	await api.push('context', [insert('documents', 'context', { body: 'About me.' })]);
	await page.getByRole('button', { name: 'Edit' }).click();
	const text = form(page).locator('textarea');
	await text.fill('About me, at length.');
	await api.push('context', [update('documents', 'context', { body: 'About me, in a word.' })]);
	await expect(form(page)).toContainText('Changed elsewhere while you wrote');
	await expect(form(page)).toContainText('About me, in a word.');
	await expect(text).toHaveValue('About me, at length.');
	await form(page)
		.getByRole('button', { name: /^Keep mine/ })
		.click();
	await page.getByRole('button', { name: 'Save' }).click();
	await expect(form(page)).toHaveCount(0);
	await expect(page.getByRole('main')).toContainText('About me, at length.');
	await synced(page);
	expect((await api.changes('context', 'documents')).at(-1)!.fields).toMatchObject({
		body: { value: 'About me, at length.' }
	});
});

test('two devices write one text offline: the record shows the one that lost, until the person has decided', async ({
	browser
}) => {
	const first = await owner(browser, '/notes');
	const second = await signIn(browser, server);
	await second.page.goto(`${server.url}/notes`);
	await first.api.push('notes', [insert('notes', 'n1', { title: 'Rooms', body: 'The large one.' })]);
	for (const { page, context, text } of [
		{ ...first, text: 'By the first device.' },
		{ ...second, text: 'By the second device.' }
	]) {
		await page.getByRole('button', { name: 'Open Rooms' }).click();
		await synced(page);
		await context.setOffline(true);
		await page.getByRole('button', { name: 'Edit' }).click();
		await form(page).getByLabel('Text').fill(text);
		await page.getByRole('button', { name: 'Save' }).click();
		await expect(form(page)).toHaveCount(0);
	}
	await first.context.setOffline(false);
	await synced(first.page);
	await second.context.setOffline(false);
	await synced(second.page);
	for (const { page } of [first, second]) {
		const conflict = page.getByRole('region', { name: 'In conflict: Text' });
		await expect(conflict).toContainText('By the first device.');
		await expect(page.getByRole('main')).toContainText('By the second device.');
	}
	await second.page.getByRole('button', { name: 'Leave it as it is' }).click();
	await expect(second.page.getByRole('region', { name: 'In conflict: Text' })).toHaveCount(0);
});

test('what is typed is there after the tab was killed, after a reload and after leaving the page', async ({
	browser
}) => {
	const { page, api } = await owner(browser, '/notes');
	await api.push('notes', [insert('notes', 'n1', { title: 'Rooms', body: 'The large one.' })]);
	await page.getByRole('button', { name: 'Open Rooms' }).click();
	await page.getByRole('button', { name: 'Edit' }).click();
	await form(page).getByLabel('Text').fill('An hour of words.');
	await drafted(page, 'An hour of words.');

	let tab = await killed(page);
	await tab.goto(`${server.url}/notes`);
	const waits = tab.getByRole('region', { name: 'Not saved yet' });
	await waits.getByRole('button', { name: about('Go on writing', 'Rooms') }).click();
	await expect(form(tab).getByLabel('Text')).toHaveValue('An hour of words.');
	await expect(form(tab)).toContainText('Nothing of it is saved yet.');
	await tab.getByRole('button', { name: 'Save' }).click();
	await expect(form(tab)).toHaveCount(0);
	await expect(tab.getByRole('main')).toContainText('An hour of words.');
	await expect(tab.getByRole('region', { name: 'Not saved yet' })).toHaveCount(0);

	// A note that is not made yet, over a reload.
	await tab.getByRole('button', { name: 'Write a note' }).click();
	await form(tab).getByLabel('Title').fill('A whole new note');
	await tab.reload();
	await tab.getByRole('button', { name: about('Go on writing', 'A whole new note') }).click();
	await expect(form(tab).getByLabel('Title')).toHaveValue('A whole new note');
	await tab.getByRole('button', { name: 'Discard the draft' }).click();
	await expect(form(tab).getByLabel('Title')).toHaveValue('');
	await tab.reload();
	await expect(tab.getByRole('button', { name: 'Open Rooms' })).toBeVisible();
	await expect(tab.getByRole('region', { name: 'Not saved yet' })).toHaveCount(0);

	// The line that adds tasks, over leaving the page, and over a kill.
	await tab.goto(`${server.url}/todo?add`);
	await tab.getByRole('textbox', { name: 'New task' }).fill('Buy stamps');
	await tab.getByRole('link', { name: 'Notes' }).first().click();
	await tab.getByRole('link', { name: 'Tasks' }).first().click();
	await expect(tab.getByRole('textbox', { name: 'New task' })).toHaveValue('Buy stamps');
	await drafted(tab, 'Buy stamps');
	tab = await killed(tab);
	await tab.goto(`${server.url}/todo`);
	const line = tab.getByRole('textbox', { name: 'New task' });
	await expect(line).toHaveValue('Buy stamps');
	await line.press('Enter');
	await expect(done(tab, 'Buy stamps')).toBeVisible();
	await expect(line).toHaveValue('');
	await undrafted(tab, 'Buy stamps');
	await tab.reload();
	await expect(done(tab, 'Buy stamps')).toBeVisible();
	await expect(tab.getByRole('textbox', { name: 'New task' })).toHaveCount(0);
});

test('a sign-out in another tab loses no draft, and the next person at the browser sees none', async ({ browser }) => {
	const { context, page, api } = await owner(browser, '/notes');
	await api.push('notes', [insert('notes', 'n1', { title: 'Rooms', body: 'The large one.' })]);
	await page.getByRole('button', { name: 'Open Rooms' }).click();
	const second = await context.newPage();
	await second.goto(`${server.url}/settings`);
	await page.getByRole('button', { name: 'Edit' }).click();
	await form(page).getByLabel('Text').fill('Typed just now');
	await second.getByRole('button', { name: 'Sign out', exact: true }).click();
	await expect(page).toHaveURL(/\/login/);
	await page.getByLabel('E-mail').fill('lena@example.org');
	await page.getByLabel('Password').fill('a quiet morning');
	await page.getByRole('button', { name: 'Sign in' }).click();
	await expect(page).not.toHaveURL(/\/login/);
	await page.goto(`${server.url}/notes`);
	await page.getByRole('button', { name: about('Go on writing', 'Rooms') }).click();
	await expect(form(page).getByLabel('Text')).toHaveValue('Typed just now');

	await second.goto(`${server.url}/settings`);
	await second.getByRole('button', { name: 'Sign out', exact: true }).click();
	await expect(page).toHaveURL(/\/login/);
	await page
		.getByRole('button', { name: 'No account yet? Make one' })
		.or(page.getByRole('link', { name: 'No account yet? Make one' }))
		.click();
	await page.getByLabel('Name').fill(OLA.name);
	await page.getByLabel('E-mail').fill(OLA.email);
	await page.getByLabel('Password').fill(OLA.password);
	await page.getByRole('button', { name: 'Create account' }).click();
	await expect(page).not.toHaveURL(/\/login/);
	await page.goto(`${server.url}/notes`);
	await expect(page.getByText('No notes yet')).toBeVisible();
	await expect(page.getByRole('region', { name: 'Not saved yet' })).toHaveCount(0);
});

test('two tabs write one note at once: neither takes the other’s draft, a killed one’s is there', async ({
	browser
}) => {
	const { context, page, api } = await owner(browser, '/notes');
	await api.push('notes', [insert('notes', 'n1', { title: 'Rooms', body: 'The large one.' })]);
	const second = await context.newPage();
	await second.goto(`${server.url}/notes`);
	for (const [tab, text] of [
		[page, 'In the first tab'],
		[second, 'In the second tab']
	] as const) {
		await tab.getByRole('button', { name: 'Open Rooms' }).click();
		await tab.getByRole('button', { name: 'Edit' }).click();
		await expect(form(tab).getByLabel('Text')).toHaveValue('The large one.');
		await form(tab).getByLabel('Text').fill(text);
		await drafted(tab, text);
	}
	await second.getByRole('button', { name: 'Save' }).click();
	await expect(form(page)).toContainText('Changed elsewhere while you wrote: Text.');
	await expect(form(page).getByLabel('Text')).toHaveValue('In the first tab');
	const third = await killed(page);
	await third.goto(`${server.url}/notes`);
	await third.getByRole('button', { name: about('Go on writing', 'Rooms') }).click();
	await expect(form(third).getByLabel('Text')).toHaveValue('In the first tab');
	await expect(form(third)).toContainText('In the second tab');
});

test('a mission’s form writes only what it changed, on what it was opened on, and outlives the mission', async ({
	browser
}) => {
	const { page, api } = await owner(browser, '/');
	const mission = await writeMission(page, 'Weekly plan', 'Be brief.');
	await synced(page);
	await page.getByRole('link', { name: 'Edit mission' }).click();
	await page.getByLabel('Concept').fill('Be brief and kind.');
	await api.push('ai', [update('aiMissions', mission, { title: 'Week', conceptMarkdown: 'Be long.' })]);
	await expect(form(page)).toContainText('Changed elsewhere: Title.');
	await expect(form(page)).toContainText('Changed elsewhere while you wrote: Concept.');
	await page.reload();
	await expect(page.getByLabel('Concept')).toHaveValue('Be brief and kind.');
	await expect(form(page)).toContainText('Nothing of it is saved yet.');
	await page.getByRole('button', { name: about('Keep mine', 'Concept') }).click();
	await page.getByRole('button', { name: 'Save' }).click();
	await expect(page.getByRole('heading', { level: 1, name: 'Week' })).toBeVisible();
	await synced(page);
	const written = (await api.changes('ai', 'aiMissions')).at(-1)!;
	expect(Object.keys(written.fields!)).toEqual(['conceptMarkdown']);
	expect((written.fields!.conceptMarkdown as { base?: string }).base).toBeTruthy();

	await page.getByRole('link', { name: 'Edit mission' }).click();
	await page.getByLabel('Objective').fill('Keep this week honest.');
	await api.push('ai', [{ table: 'aiMissions', id: mission, op: 'delete' }]);
	await expect(form(page)).toContainText('Deleted elsewhere while this was open.');
	await page.getByRole('button', { name: 'Bring back with my text' }).click();
	await expect(page.getByText('Keep this week honest.')).toBeVisible();
	await expect(page.getByText(/^Next:/).first()).toBeVisible();
});

test('an agent’s form has the same ways, and a new one keeps its draft', async ({ browser }) => {
	const { page, api } = await owner(browser, '/companion/agents/new');
	await page.getByLabel('Name').fill('Scribe');
	await page.getByRole('link', { name: 'Agents' }).first().click();
	await page.getByRole('button', { name: about('Go on writing', 'Scribe') }).click();
	await expect(page.getByLabel('Name')).toHaveValue('Scribe');
	await page.getByRole('button', { name: 'Create agent' }).click();
	await expect(page).toHaveURL(/agents$/);
	await page.getByRole('link', { name: 'Scribe' }).click();
	await synced(page);
	const [{ id }] = await api.changes('ai', 'aiAgents');
	await page.getByLabel('How it works').fill('Softly.');
	await api.push('ai', [update('aiAgents', id, { role: 'Writes', systemPrompt: 'Loudly.' })]);
	await expect(form(page)).toContainText('Changed elsewhere: Role.');
	await page.getByRole('button', { name: about('Take theirs', 'How it works') }).click();
	await expect(page.getByLabel('How it works')).toHaveValue('Loudly.');
	await api.push('ai', [{ table: 'aiAgents', id, op: 'delete' }]);
	await page.getByRole('button', { name: 'Bring back with my text' }).click();
	await expect(page.getByRole('link', { name: 'Scribe' })).toBeVisible();
});

test('reasons, feedback and edited proposals are kept as well', async ({ browser }) => {
	const { page, api } = await owner(browser, '/');
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	const step = (title: string) => ({
		summary: title,
		toolName: 'create_task',
		params: { title },
		rationale: 'Friday’s review has no room yet.'
	});
	upstream.answers = [plan('A plan.', [step('Book the large room'), step('Call Ada')])];
	await api.makeDue(mission);
	await server.tick();

	await page.getByRole('button', { name: 'Say something to the mission' }).click();
	await page.getByLabel('Your feedback on this run').fill('Quiet is not the same as empty.');
	await page.reload();
	await expect(page.getByLabel('Your feedback on this run')).toHaveValue('Quiet is not the same as empty.');
	await page.getByRole('button', { name: 'Save' }).click();
	await expect(page.getByText('Quiet is not the same as empty.')).toBeVisible();

	await page.goto(`${server.url}/todo`);
	const ghost = (title: string) => page.getByRole('listitem', { name: /^Proposal from/ }).filter({ hasText: title });
	await ghost('Call Ada').getByRole('button', { name: 'Reject' }).click();
	await ghost('Call Ada').getByRole('button', { name: 'Write …' }).click();
	await ghost('Call Ada').getByLabel('In your own words').fill('She is away');
	await ghost('Book').getByRole('button', { name: 'Edit' }).click();
	await ghost('Book').getByLabel('Title').fill('Book the small room');
	await page.reload();
	await ghost('Call Ada').getByRole('button', { name: 'Reject' }).click();
	await expect(ghost('Call Ada').getByLabel('In your own words')).toHaveValue('She is away');
	await ghost('Call Ada').getByRole('button', { name: 'Reject: …' }).click();
	await ghost('Book').getByRole('button', { name: 'Edit' }).click();
	await expect(ghost('Book').getByLabel('Title')).toHaveValue('Book the small room');

	// Decided elsewhere while the form is open: the card stays, and says so.
	await synced(page);
	const other = await signIn(browser, server);
	await other.page.goto(`${server.url}/todo`);
	await other.page.getByRole('button', { name: 'Reject' }).click();
	await other.page.getByRole('button', { name: 'Not now' }).click();
	await expect(ghost('Book')).toContainText('Settled or withdrawn elsewhere.');
	await expect(ghost('Book').getByLabel('Title')).toHaveValue('Book the small room');
	page.once('dialog', (dialog) => dialog.accept());
	await ghost('Book').getByRole('button', { name: 'Discard', exact: true }).click();
	await expect(ghost('Book')).toContainText('This proposal was decided or withdrawn elsewhere.');
	await ghost('Book').getByRole('button', { name: 'Got it' }).click();
	await expect(ghost('Book')).toHaveCount(0);
});
