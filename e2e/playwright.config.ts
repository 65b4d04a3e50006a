import { defineConfig } from '@playwright/test';

/** Debian's Chromium, kept off the network: nothing but the server under test is ever asked. */
const chromium = {
	executablePath: process.env.MANA_CHROMIUM ?? '/usr/bin/chromium',
	args: [
		'--no-sandbox',
		'--disable-gpu',
		'--disable-quic',
		'--no-first-run',
		'--disable-background-networking',
		'--disable-component-update',
		'--disable-sync',
		'--disable-default-apps'
	]
};

export default defineConfig({
	// Each test starts a server of its own: one at a time on a small machine.
	workers: 1,
	forbidOnly: true,
	retries: 0,
	timeout: 120_000,
	expect: { timeout: 15_000 },
	reporter: [['list']],
	use: {
		browserName: 'chromium',
		launchOptions: chromium,
		locale: 'en-GB',
		timezoneId: 'Europe/Berlin',
		viewport: { width: 1440, height: 900 },
		trace: 'retain-on-failure'
	},
	projects: [
		{ name: 'story', testDir: 'story' },
		{ name: 'screenshots', testDir: 'shots' },
		{ name: 'bench', testDir: 'bench' }
	]
});
