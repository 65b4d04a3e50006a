import { expect, type Locator, type Page } from '@playwright/test';

/** A task's checkbox, by its title. */
export const done = (page: Page, title: string): Locator => page.getByRole('checkbox', { name: `Done: ${title}` });

/** The line that adds tasks. It opens by its button, or by a draft, which may come while the button is looked for. */
export async function taskLine(page: Page): Promise<Locator> {
	const field = page.getByRole('textbox', { name: 'New task' });
	await expect(async () => {
		if (await field.isVisible()) return;
		await page.getByRole('button', { name: 'Add task' }).first().click({ timeout: 1_000 });
		await expect(field).toBeVisible({ timeout: 1_000 });
	}).toPass({ timeout: 20_000 });
	return field;
}

/** Writes a task's title in the line and presses Enter. */
export async function typeTask(page: Page, title: string): Promise<void> {
	const field = await taskLine(page);
	await field.fill(title);
	await field.press('Enter');
}

/** Adds a task and waits until its row is there. */
export async function addTask(page: Page, title: string): Promise<void> {
	await typeTask(page, title);
	await expect(done(page, title)).toBeVisible();
}
