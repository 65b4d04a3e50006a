import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { Api, becomeOwner, synced } from '../support/person';
import { Server } from '../support/server';

/** Pictures of the past and of time: what changed, the trash, a record's history, the undo bar, repeating tasks. */
const OUT = process.env.MANA_SHOTS ?? resolve(import.meta.dirname, '../../docs/screenshots/past');
const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const WORDS = {
	en: { add: 'Add task', line: 'New task', every: 'Water the plants every Monday at 3pm', edit: 'Edit', undo: 'Undo' },
	de: {
		add: 'Aufgabe hinzufügen',
		line: 'Neue Aufgabe',
		every: 'Blumen gießen jeden Montag um 15 Uhr',
		edit: 'Bearbeiten',
		undo: 'Rückgängig'
	}
};

async function shoot(page: Page, name: string, fullPage = true): Promise<void> {
	for (const [size, viewport] of Object.entries(SIZES)) {
		await page.setViewportSize(viewport);
		expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), name).toBe(0);
		for (const colorScheme of ['light', 'dark'] as const) {
			await page.emulateMedia({ colorScheme });
			await page.screenshot({ path: `${OUT}/${name}-${size}-${colorScheme}.png`, fullPage });
		}
	}
	await page.setViewportSize(SIZES.desktop);
}

for (const locale of ['en', 'de'] as const) {
	test(`past in ${locale}`, async ({ browser }) => {
		test.setTimeout(300_000);
		await mkdir(OUT, { recursive: true });
		const words = WORDS[locale];
		const server = await Server.start();
		const { page } = await becomeOwner(browser, server);
		if (locale === 'de') await page.evaluate(() => localStorage.setItem('mana.locale', 'de'));
		const show = async (name: string, path: string) => {
			await page.goto(server.url + path);
			await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
			await page.waitForTimeout(500);
			await shoot(page, `${name}-${locale}`);
		};
		await page.goto(`${server.url}/todo`);
		await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
		for (const [name, path] of [
			['changes', '/companion/workbench/changes'],
			['trash', '/companion/workbench/trash']
		])
			await show(`empty-${name}`, path);
		const api = await Api.signIn(server);
		const old = 'We stay with the small host until the end of April. Ola asks for a date, Jonas for the price.';
		const body =
			'We stay with the small host until July. Ola asks for a date, Jonas for the price. Nothing else moves.';
		const actor = {
			kind: 'ai',
			missionId: 'm',
			iterationId: 'i',
			rationale: 'The receipts are due at the end of the week.'
		};
		const tasks = [
			{ title: 'Order business cards' },
			{ title: 'Cancel the newspaper' },
			{ title: 'Draft the talk outline', dueDate: '2026-12-04', priority: 'high' }
		];
		await api.push('notes', [
			{ table: 'notes', id: 'n', op: 'insert', data: { title: 'Hosting, what we decided', body: old } }
		]);
		await api.push('notes', [{ table: 'notes', id: 'n', op: 'update', fields: { body: { value: body } } }]);
		const renamed = { title: { value: 'Hosting until July' } };
		await api.push('notes', [{ table: 'notes', id: 'n', op: 'update', fields: renamed }]);
		await api.push('todo', [
			...tasks.map((data, index) => ({ table: 'tasks', id: `t${index}`, op: 'insert', data })),
			{ table: 'tasks', id: 'c', op: 'insert', data: { title: 'Collect receipts', dueDate: '2026-12-04' }, actor },
			{ table: 'tasks', id: 'c', op: 'update', fields: { dueDate: { value: '2026-12-11' } }, actor }
		]);
		for (const id of ['t0', 't1']) await api.push('todo', [{ table: 'tasks', id, op: 'delete' }]);
		await page.goto(`${server.url}/todo`);
		await page.getByRole('checkbox', { name: /Draft the talk outline/ }).click();
		await expect(page.getByRole('region', { name: words.undo })).toBeVisible();
		await shoot(page, `undo-bar-${locale}`, false);
		if (locale === 'en') await synced(page);
		await page.waitForTimeout(1500);
		await show('changes', '/companion/workbench/changes');
		await show('trash', '/companion/workbench/trash');
		await page.getByRole('main').getByRole('checkbox').first().check();
		await shoot(page, `trash-selected-${locale}`);
		await show('history', '/more/history?app=notes&table=notes&id=n');
		await page.goto(`${server.url}/todo`);
		await page.getByRole('button', { name: words.add }).first().click();
		const line = page.getByRole('textbox', { name: words.line });
		await line.fill(words.every);
		await page.waitForTimeout(700);
		await shoot(page, `quick-add-${locale}`, false);
		await line.press('Enter');
		const title = words.every.split(' ').slice(0, 2).join(' ');
		await expect(page.getByRole('checkbox', { name: new RegExp(title) }).first()).toBeVisible();
		await line.press('Escape');
		await shoot(page, `repeating-row-${locale}`, false);
		await page
			.getByRole('button', { name: new RegExp(`${title}.*${words.edit}|${words.edit}.*${title}`, 'i') })
			.click();
		await page.waitForTimeout(500);
		await shoot(page, `repeating-form-${locale}`);
		await server.dispose();
	});
}
