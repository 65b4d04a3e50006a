import { readFile } from 'node:fs/promises';
import { test, type Page } from '@playwright/test';
import { Api, becomeOwner, synced } from '../support/person';
import { Server } from '../support/server';

/** `cargo xtask bench start`: what a person waits for. Figures and bounds, side by side; it fails past a bound. */
const rows: { what: string; value: number; unit: string; bound: number; beside: string }[] = [];

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

test('start', async ({ browser }) => {
	test.setTimeout(300_000);

	// Start: ten times on the same data, beside the bare start of a process on this machine.
	const server = await Server.start();
	const starts: number[] = [];
	for (let run = 0; run < 10; run++) {
		await server.stop();
		await server.up();
		starts.push(server.startMs);
	}
	const node = performance.now();
	await import('node:child_process').then(({ spawnSync }) => spawnSync('true'));
	const bare = performance.now() - node;
	record('start to first answer', median(starts), 'ms', 200, `spawning \`true\`: ${bare.toFixed(1)} ms`);

	// Idle: three seconds after the last start, nobody signed in.
	await new Promise((done) => setTimeout(done, 3000));
	const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
	record('idle memory', Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024, 'MiB', 40, 'VmRSS');

	// The bytes that the browser fetches before the first page stands, as sent.
	const { context, page } = await becomeOwner(browser, server);
	await synced(page);
	const fresh = await (await browser.newContext({ serviceWorkers: 'block' })).newPage();
	await fresh.context().addCookies(await context.cookies());
	await fresh.goto(server.url);
	await fresh.getByRole('heading', { level: 1 }).waitFor();
	const sizes = await fresh.evaluate(() =>
		(performance.getEntriesByType('resource') as PerformanceResourceTiming[]).map((entry) => ({
			name: entry.name,
			encoded: entry.encodedBodySize
		}))
	);
	const sum = (ending: string) =>
		sizes.filter(({ name }) => name.endsWith(ending)).reduce((all, { encoded }) => all + encoded, 0) / 1000;
	record(
		'initial JavaScript, as sent',
		sum('.js'),
		'kB',
		122,
		`${sizes.filter(({ name }) => name.endsWith('.js')).length} files`
	);
	record('WebAssembly, as sent', sum('.wasm'), 'kB', Number(process.env.MANA_WASM_BYTES) / 1000, '');

	// From a press to the paint after it, by the browser's own event timing, beside the same with ten tasks.
	await addTasks(server, 10, 'few');
	await page.goto(`${server.url}/todo`);
	const few = await pressToPaint(page);
	await addTasks(server, 10_000, 'many');
	await page.goto(`${server.url}/todo`);
	await page
		.getByText(/many 1\b/)
		.first()
		.waitFor({ timeout: 120_000 });
	await synced(page);
	const many = await pressToPaint(page);
	record(
		'tick a task to paint, 10,000 tasks',
		median(many),
		'ms',
		50,
		`with ten tasks: ${median(few)} ms; slowest: ${Math.max(...many)} ms`
	);

	await server.dispose();
	console.log('\n' + table());
	const past = rows.filter(({ value, bound }) => value > bound);
	if (past.length) throw new Error(`past the bound: ${past.map(({ what }) => what).join(', ')}`);
});

function record(what: string, value: number, unit: string, bound: number, beside: string) {
	rows.push({ what, value, unit, bound, beside });
}

function table(): string {
	const lines = rows.map(
		({ what, value, unit, bound, beside }) => `| ${what} | ${value.toFixed(1)} ${unit} | ${bound} ${unit} | ${beside} |`
	);
	return ['| what | measured | bound | beside |', '|---|---|---|---|', ...lines].join('\n');
}

async function addTasks(server: Server, count: number, name: string): Promise<void> {
	const api = await Api.signIn(server);
	for (let from = 0; from < count; from += 1000) {
		const changes = Array.from({ length: Math.min(1000, count - from) }, (_, index) => ({
			table: 'tasks',
			id: `${name}-${from + index}`,
			op: 'insert',
			data: { title: `${name} ${from + index}`, done: false }
		}));
		await api.push('todo', changes);
	}
}

/** Where the page keeps the durations that it saw. */
interface Presses {
	presses: number[];
}

/** Ticks ten tasks; answers each press's duration as the browser's event timing gives it (in steps of 8 ms). */
async function pressToPaint(page: Page): Promise<number[]> {
	const boxes = page.getByRole('checkbox', { name: /^Done: / });
	await boxes.first().waitFor();
	await page.evaluate(() => {
		const seen: number[] = [];
		(window as unknown as Presses).presses = seen;
		new PerformanceObserver((list) => {
			for (const entry of list.getEntries()) if (entry.name === 'click') seen.push(entry.duration);
		}).observe({ type: 'event', durationThreshold: 0 } as PerformanceObserverInit);
	});
	for (let press = 0; press < 10; press++) {
		await boxes.first().click();
		await page.waitForFunction((count) => (window as unknown as Presses).presses.length > count, press);
	}
	return page.evaluate(() => (window as unknown as Presses).presses);
}
