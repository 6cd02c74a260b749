// SPDX-License-Identifier: GPL-2.0-or-later
import {readFileSync} from 'node:fs';
import {Lab} from './lab.js';
import {expect, test} from './watch.js';

const END = /net::ERR_/; // the daemon of a test ends before its page
let lab;
test.afterEach(() => lab.end());

async function give(page, token) {
	await page.getByRole('button', {name: 'Token'}).click();
	await page.getByLabel('Token of the daemon').fill(token);
	await page.getByRole('button', {name: 'Use it'}).click();
}

test('who may read sees no button; who may act pauses, resumes and cancels', async ({page}) => {
	page.expected = [/status of (401|403|409)/, END];
	lab = await (await Lab.make()).start();
	const c = await lab.submit('mine', {play: 'trials=100000 ms=50', title: 'Mine'}); // of an admin
	await lab.wait(c.id, 'running');
	await page.goto(lab.url);
	const card = page.getByRole('article', {name: 'Mine'});
	await expect(card).toContainText('running');
	await expect(page.locator('main button')).toHaveCount(0);

	await give(page, 'no token at all');
	await expect(page.locator('#ask-why')).toContainText('word of letters');
	await page.getByRole('button', {name: 'Close'}).click();
	await give(page, `kexsect_${'0'.repeat(64)}`);
	await expect(page.locator('#ask-why')).toContainText('this token is not known');
	await page.getByRole('button', {name: 'Forget it'}).click();
	await expect(page.locator('#state')).toContainText('live');
	await expect(card).toContainText('running');

	await give(page, lab.tokens.read);
	await card.getByRole('button', {name: 'Pause'}).click();
	await expect(page.locator('main').getByRole('alert')).toContainText('Not allowed: the role of this token does not allow that');
	await give(page, lab.tokens.operate);
	await card.getByRole('button', {name: 'Pause'}).click();
	await expect(page.locator('main').getByRole('alert')).toContainText('belongs to');
	expect((await lab.ask(`/api/v1/campaigns/${c.id}`)).campaign.state).toBe('running');

	await give(page, lab.tokens.admin);
	await card.getByRole('button', {name: 'Pause'}).click();
	const waiting = page.getByRole('region', {name: 'Waiting'}).getByRole('row', {name: /mine/});
	await expect(waiting).toContainText('paused');
	await expect(page.locator('main').getByRole('alert')).toHaveCount(0);
	await waiting.getByRole('button', {name: 'Resume'}).click();
	await expect(card).toContainText('running');
	await card.getByRole('button', {name: 'Cancel'}).click();
	await card.getByRole('button', {name: 'Keep'}).click();
	await expect(card.getByRole('button', {name: 'Really cancel'})).toHaveCount(0);
	await card.getByRole('button', {name: 'Cancel'}).click();
	await card.getByRole('button', {name: 'Really cancel'}).click();
	await expect(page.getByRole('region', {name: 'Over'})).toContainText('cancelled');

	// only this tab has it, and nothing that could be read over a shoulder or sent on
	expect(await page.content()).not.toContain(lab.tokens.admin);
	expect(page.url()).not.toContain('kexsect_');
	expect(await page.evaluate(() => [localStorage.length, document.cookie])).toEqual([0, '']);
	expect(lab.said()).not.toContain(lab.tokens.admin);
});

test('by keyboard alone', async ({page}) => {
	page.expected = [END];
	lab = await (await Lab.make()).start();
	const c = await lab.submit('keys', {play: 'trials=100000 ms=50', title: 'Keys'});
	await lab.wait(c.id, 'running');
	await page.goto(lab.url);
	await expect(page.locator('#state')).toContainText('live');
	const press = async (...keys) => {
		for (const k of keys)
			await page.keyboard.press(k);
	};
	const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent);
	await press('Tab');
	expect(await focused()).toBe('To the content');
	await press('Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Enter'); // the name, three pages, the token
	await expect(page.getByLabel('Token of the daemon')).toBeFocused();
	await page.keyboard.type(lab.tokens.admin);
	await press('Enter');
	await expect(page.locator('dialog')).toBeHidden();
	await expect(page.getByRole('button', {name: 'Cancel'})).toBeVisible();
	for (let i = 0; i < 20 && !/^Cancel/.test(await focused()); i++)
		await press('Tab');
	await press('Enter');
	expect(await focused()).toMatch(/^Keep/); // Enter once more does no harm
	await page.waitForTimeout(1500); // what is live goes on, and focus stays
	expect(await focused()).toMatch(/^Keep/);
	await press('Shift+Tab', 'Enter');
	await expect(page.getByRole('region', {name: 'Over'})).toContainText('cancelled');
	await press('Tab');
	await page.getByRole('region', {name: 'Over'}).getByRole('link', {name: /keys/}).first().focus(); // who has a target is read a moment later
	await press('Enter');
	await expect(page.getByRole('heading', {level: 1, name: 'Keys'})).toBeVisible();
	await expect(page.locator('main')).toBeFocused();
});

test('where reading takes a token', async ({page, context}) => {
	page.expected = [/status of 401/, END];
	lab = await (await Lab.make('read_without_token: no\n')).start();
	const c = await lab.submit('secret', {title: 'A secret'});
	const {run} = await lab.wait(c.id, 'done');
	lab.evidence(run, 1, {'console.log': 'what it said\n'});
	await page.goto(lab.url);
	await expect(page.locator('#ask-why')).toContainText('wants a token for reading');
	await expect(page.locator('main')).not.toContainText('secret');
	await page.getByLabel('Token of the daemon').fill(lab.tokens.read);
	await page.keyboard.press('Enter');
	await expect(page.locator('#state')).toContainText('live');
	await expect(page.getByRole('region', {name: 'Over'})).toContainText('secret');
	await page.reload();
	await expect(page.getByRole('region', {name: 'Over'})).toContainText('secret');
	await lab.submit('next', {title: 'Next'}); // events come with the token too
	await expect(page.getByRole('region', {name: 'Over'})).toContainText('next');
	await page.goto(`${lab.url}/#/run/${run}/trial/1/file/console.log`);
	await expect(page.locator('.log')).toContainText('what it said');
	const coming = page.waitForEvent('download');
	await page.getByRole('link', {name: 'as it is'}).click();
	const file = await coming;
	expect([file.suggestedFilename(), readFileSync(await file.path(), 'utf8')]).toEqual(['console.log', 'what it said\n']);
	const other = await context.newPage(); // another tab knows nothing
	await other.goto(lab.url);
	await expect(other.locator('#ask-why')).toContainText('wants a token');
	await other.close();
	await page.getByRole('button', {name: 'Token'}).click();
	await page.getByRole('button', {name: 'Forget it'}).click();
	await expect(page.locator('#ask-why')).toContainText('wants a token for reading');
	await expect(page.locator('main')).not.toContainText('what it said');
});

test.describe('from another machine', () => {
	test.use({ignoreHTTPSErrors: true});
	test('by TLS, with a token', async ({page}) => {
		page.expected = [/status of 401/, END];
		lab = await (await Lab.make('', true)).start();
		const c = await lab.submit('far', {play: 'trials=100000 ms=50', title: 'Far'});
		await page.goto(lab.url);
		await expect(page.locator('#ask-why')).toContainText('wants a token for reading');
		await page.getByLabel('Token of the daemon').fill(lab.tokens.admin);
		await page.keyboard.press('Enter');
		const card = page.getByRole('article', {name: 'Far'});
		await expect(card).toContainText(/fault \d\d/);
		await card.getByRole('button', {name: 'Pause'}).click();
		await expect(page.getByRole('region', {name: 'Waiting'})).toContainText('paused');
		expect((await lab.ask(`/api/v1/campaigns/${c.id}`)).campaign.state).toBe('paused');
	});
});
