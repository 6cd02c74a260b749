// SPDX-License-Identifier: GPL-2.0-or-later
import {existsSync} from 'node:fs';
import {defineConfig} from '@playwright/test';

const browser = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(existsSync);

export default defineConfig({
	testMatch: '*.spec.js',
	outputDir: './out', // of the copy that is run
	grepInvert: process.env.PAGE_QUICK ? /@long/ : undefined, // scripts/test quick
	reporter: 'line',
	workers: 2,
	fullyParallel: false,
	timeout: 150000,
	expect: {timeout: 30000},
	use: {
		launchOptions: {executablePath: browser, args: ['--no-sandbox', '--disable-dev-shm-usage']},
		viewport: {width: 1280, height: 900},
		locale: 'en-GB',
		timezoneId: 'Europe/Berlin',
	},
});
