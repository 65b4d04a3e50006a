import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { Api, becomeOwner, synced, writeMission } from '../support/person';
import { Server } from '../support/server';
import { plan, Upstream, type PlannedStep } from '../support/upstream';

/** Pictures of cards: those of the core's tests, and others of the same kinds; and a plan of nine steps. */
const OUT = process.env.MANA_SHOTS ?? resolve(import.meta.dirname, '../../docs/screenshots/cards');
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const CASES = resolve(import.meta.dirname, '../../crates/core/tests/cards.json');

interface Card {
	name: string;
	module?: object;
	before?: Record<string, string>;
	step: PlannedStep;
}

const because = 'You asked for it.';
const of = (name: string, toolName: string, params: Record<string, unknown>, before?: Card['before']): Card => ({
	name,
	before,
	step: { summary: name, toolName, params, rationale: because }
});
const task = {
	table: 'todo/tasks',
	title: 'Send Marta the quote',
	notes: 'With the old price.',
	dueDate: '2026-12-01'
};
const note = {
	table: 'notes/notes',
	title: 'Server',
	body: '# Decisions\n\nWe stay in Helsinki.\n\n# Open\n\nWho pays?'
};
const event = {
	table: 'calendar/events',
	title: 'Stand-up',
	startsAt: '2026-12-01T08:00:00Z',
	endsAt: '2026-12-01T08:15:00Z'
};
const goal = { table: 'goals/goals', title: 'Marathon', status: 'active', targetDate: '2027-10-01' };
const place = { table: 'places/places', name: 'Café Mira', address: 'Torstraße 1', category: 'cafe' };
const own: Card[] = [
	of('goal with a unit', 'create_goal', {
		title: 'Run',
		target: 42,
		unit: 'marathons a week',
		targetDate: '2031-01-05'
	}),
	of('task removed', 'delete_task', { taskId: '<id>' }, task),
	of('note removed', 'delete_note', { noteId: '<id>' }, note),
	of(
		'task renamed and moved',
		'update_task',
		{ taskId: '<id>', title: 'Send Ola the bill', dueDate: '2027-12-01' },
		task
	),
	of('task notes changed', 'update_task', { taskId: '<id>', notes: 'With the new price, and the old one.' }, task),
	of('task rescheduled', 'reschedule_task', { taskId: '<id>', dueDate: '2026-12-04' }, task),
	of('task done', 'complete_task', { taskId: '<id>' }, task),
	of('task list and estimate', 'update_task', { taskId: '<id>', list: 'Customers', estimateMinutes: 45 }, task),
	of('note, one word', 'update_note', { noteId: '<id>', body: note.body.replace('Helsinki', 'Falkenstein') }, note),
	of('note title alone', 'update_note', { noteId: '<id>', title: 'Server, decided' }, note),
	of('event moved', 'reschedule_event', { eventId: '<id>', startsAt: '2027-01-01T08:00:00Z' }, event),
	of('event all day', 'update_event', { eventId: '<id>', allDay: true, location: 'Room 4' }, event),
	of('event removed', 'delete_event', { eventId: '<id>' }, event),
	of('goal progress', 'update_goal_progress', { goalId: '<id>', progress: 17.5 }, goal),
	of('goal state', 'update_goal', { goalId: '<id>', status: 'dropped', why: 'No time for it this year.' }, goal),
	of('place rated', 'update_place', { placeId: '<id>', rating: 5, visitedAt: '2026-11-30' }, place),
	of('place new', 'create_place', { name: 'Bäckerei', address: 'Hauptstraße 5, 10827 Berlin', category: 'shop' }),
	of('Hebrew and Arabic', 'create_task', { title: 'שלום עולם 123', notes: 'مرحبا بالعالم (abc) 456' }),
	of('blanks and zero width', 'create_task', { title: `Milk${'\u3000'.repeat(60)}and\u200b more` }),
	of(
		'links that lie',
		'update_note',
		{
			noteId: '<id>',
			body:
				note.body +
				'\n\n[bank.example](https://bank.example&commat;evil.example/x), <https://раypal.example>, ' +
				'https:\\\\evil.example and [shop](https://shop.example)'
		},
		note
	),
	of('marks that pile up', 'create_task', { title: `Pay ${'e\u0301'.padEnd(40, '\u0301')} Bob`, notes: 'a\ufffcb' }),
	of('records of one title', 'complete_task', { taskId: '<id>' }, { ...task, dueDate: '2026-12-03' }),
	of('letters of another script', 'update_note', { noteId: '<id>', body: `${note.body}\n\nPay pаypal.` }, note),
	of('emoji and joiners', 'create_note', { title: '👩‍💻 notes 🏳️‍🌈', body: 'می‌خواهم' })
];

async function shoot(page: Page, name: string): Promise<void> {
	for (const [size, viewport] of Object.entries(SIZES)) {
		await page.setViewportSize(viewport);
		for (const colorScheme of ['light', 'dark'] as const) {
			await page.emulateMedia({ colorScheme });
			await page.screenshot({ path: `${OUT}/${name.replaceAll(/[^\w]+/g, '-')}-${size}-${colorScheme}.png` });
		}
	}
	await page.setViewportSize(SIZES.desktop);
}

test('cards', async ({ browser }) => {
	test.setTimeout(900_000);
	await mkdir(OUT, { recursive: true });
	const upstream = await Upstream.start();
	const server = await Server.start(upstream.env);
	const { cards: cases } = JSON.parse(await readFile(CASES, 'utf8')) as { cards: Card[] };
	// The server plans no step that names a record which is not there.
	const cards = cases.filter(({ name }) => name !== 'a reference to nothing');
	await mkdir(join(server.dataDir, 'modules'), { recursive: true });
	for (const [index, { module }] of cards.entries())
		if (module) await writeFile(join(server.dataDir, 'modules', `card-${index}.json`), JSON.stringify(module));
	await server.stop();
	await server.up();
	const { page } = await becomeOwner(browser, server);
	const api = await Api.signIn(server);
	const mission = await writeMission(page, 'Weekly plan');
	await synced(page);
	let number = 0;
	for (const card of [...cards, ...own]) {
		number++;
		const id = `card-${number}`;
		const { table, ...data } = card.before ?? {};
		const [app, name] = (table ?? '').split('/');
		const record = app === 'context' ? 'context' : id;
		if (app) await api.push(app, [{ table: name, id: record, op: 'insert', data }]);
		const given = Object.entries(card.step.params).map(([key, value]) => [key, value === '<id>' ? record : value]);
		// A model names what it empties, and says so.
		const clear = given.filter(([, value]) => value === null || value === '').map(([key]) => key);
		const set = given.filter(([key]) => !clear.includes(key));
		const params = Object.fromEntries(clear.length ? [...set, ['clear', clear]] : set) as Record<string, unknown>;
		const summary = clear.length ? `Empty ${clear.join(', ')}` : card.step.summary;
		upstream.answers = [plan('One step.', [{ ...card.step, summary, params }])];
		await api.makeDue(mission);
		await server.tick();
		// A page that still holds the card before it keeps that where it is: it is opened anew.
		await expect(async () => {
			await page.goto(`${server.url}/companion/inbox`);
			await expect(page.getByRole('main').getByText(`Run ${number}`, { exact: true })).toBeVisible({ timeout: 3000 });
			await expect(page.getByText('decided or withdrawn elsewhere')).toHaveCount(0);
		}, card.name).toPass({ timeout: 15_000 });
		// The card is read, unless it is long or has a text to open.
		await page.waitForTimeout(700);
		await shoot(page, `${String(number).padStart(2, '0')} ${card.name}`);
		await api.decideAll(mission, 'rejected');
		await synced(page);
	}
	const steps = ['one', 'two', 'three', 'four', 'five'].map((n) =>
		of(n, 'create_task', { title: `Task ${n}`, dueDate: '2026-12-01' })
	);
	const { table: _, ...kept } = task;
	await api.push('todo', [{ table: 'tasks', id: 'kept', op: 'insert', data: kept }]);
	steps[2] = of('remove', 'delete_task', { taskId: 'kept' });
	upstream.answers = [
		plan(
			'Five steps.',
			steps.map(({ step }) => step)
		)
	];
	await api.makeDue(mission);
	await server.tick();
	await page.goto(`${server.url}/companion/inbox`);
	await expect(page.getByRole('heading', { level: 1, name: /5 proposals/ })).toBeVisible();
	await page.goto(`${server.url}/companion/missions/${mission}/plan`);
	await expect(page.getByRole('list', { name: 'Plan' }).getByText('Task five').first()).toBeVisible();
	await shoot(page, 'plan');
	await page.getByRole('checkbox', { name: /^Tick the removal/ }).check();
	await page.keyboard.press('End');
	await page.waitForTimeout(700);
	await shoot(page, 'plan end');
	// A step that the person changed, open and kept.
	await page.keyboard.press('Home');
	await page.keyboard.press('j');
	await page.keyboard.press('e');
	await page.getByRole('textbox', { name: 'Title' }).fill('Task of my own');
	await shoot(page, 'plan edit');
	await page.keyboard.press('Enter');
	await expect(page.getByText('It was proposed as')).toBeVisible();
	await shoot(page, 'plan edited');
	// Records whose values do not fit, and the form that mends them.
	const bad = { title: 'Call Ada', dueDate: '2031-02-03T00:00:00Z', priority: 'somewhat', done: false };
	await api.push('todo', [{ table: 'tasks', id: 'unfit', op: 'insert', data: bad }]);
	await api.push('places', [
		{ table: 'places', id: 'unfit', op: 'insert', data: { name: 'Café Mira', rating: 'five', notes: 'Bright.' } }
	]);
	await page.goto(`${server.url}/todo`);
	await expect(page.getByText(/do not fit/)).toBeVisible();
	await shoot(page, 'unfit row');
	await page.getByRole('button', { name: 'Mend: Call Ada' }).click();
	await shoot(page, 'unfit form');
	await page.goto(`${server.url}/places?open=unfit`);
	await expect(page.getByText(/does not fit/)).toBeVisible();
	await shoot(page, 'unfit record');
	await server.dispose();
	await upstream.stop();
});
