import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from '@playwright/test';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
let script: Promise<string> | undefined;

/** The part of axe that is used here; the script puts it on `window`. */
interface Axe {
	run(context: Document, options: { runOnly: string[] }): Promise<{ violations: Violation[] }>;
}

type Violation = { id: string; nodes: { html: string; failureSummary: string }[] };

/** The violations that axe finds on a page as it stands, one line each. */
export async function violations(page: Page): Promise<string[]> {
	await page.evaluate(await (script ??= readFile(AXE, 'utf8')));
	const found = await page.evaluate(async () => {
		const { axe } = window as unknown as { axe: Axe };
		const result = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
		return result.violations;
	});
	return found.map(({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`);
}
