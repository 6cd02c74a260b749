// SPDX-License-Identifier: GPL-2.0-or-later
// A page whose every misdeed is noted: text that ran, a request to elsewhere, an error, what its
// policy forbade.
import {expect, test as base} from '@playwright/test';

export const test = base.extend({
	page: async ({page}, use) => {
		const bad = page.bad = [];
		page.expected = []; // patterns of what a test brings about itself
		page.on('dialog', (d) => {
			bad.push(`dialog: ${d.message()}`);
			d.dismiss().catch(() => {});
		});
		page.on('pageerror', (e) => bad.push(`error: ${e.stack}`));
		page.on('console', (m) => {
			if (['error', 'warning'].includes(m.type()))
				bad.push(`console: ${m.text()} ${m.location().url}`);
		});
		page.on('popup', () => bad.push('popup'));
		page.on('request', (r) => {
			const url = new URL(r.url());
			page.origin ??= url.origin;
			if (url.origin !== page.origin)
				bad.push(`request to ${url.href}`);
		});
		await page.addInitScript(() => {
			window.violations = [];
			document.addEventListener('securitypolicyviolation', (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
		});
		await use(page);
		if (!page.isClosed() && page.url().startsWith('http')) {
			bad.push(...await page.evaluate(() => window.violations));
			expect(await page.evaluate(() => window.owned ?? 0), 'text that ran').toBe(0);
		}
		expect(bad.filter((b) => !page.expected.some((p) => p.test(b)))).toEqual([]);
	},
});
export {expect};
