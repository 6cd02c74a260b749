// SPDX-License-Identifier: GPL-2.0-or-later
// A thousand campaigns; and what those need who do not see it as everybody does.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {Lab} from './lab.js';
import {expect, test} from './watch.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8');
let lab, run;
test.beforeAll(async () => {
	lab = await (await Lab.make('targets: [{name: t1, slots: 2}, {name: t2, slots: 1}]\n')).start();
	const c = await lab.submit('one', {play: 'trials=8 ms=1', title: 'One of many', question: 'Which?'});
	({run} = await lab.wait(c.id, 'done'));
	await lab.kill('SIGTERM');
	lab.sql('queue', 'BEGIN; CREATE TEMP TABLE t AS SELECT * FROM submission;' +
		Array.from({length: 1000}, (_, i) => `UPDATE t SET id = ${i + 10}, name = 'many-${i + 10}', folder = 'f${i + 10}';` +
			'INSERT INTO submission SELECT * FROM t;').join('') + 'COMMIT;');
	lab.sql('store', ['fault', 'clean', 'hang', 'panic', 'noboot', 'infra'].map((o, i) => `UPDATE trial SET outcome='${o}' WHERE number=${i + 1};`).join('') +
		'INSERT INTO candidate SELECT id, 0, \'parameter\', \'nox2apic\', \'\', \'\', \'\', 0 FROM campaign;' +
		'INSERT INTO posterior SELECT id, \'set\', 1, .5, .9, .8, .95, .01, 0, .02, ' +
		'\'[{"kind":"set","members":["nox2apic"],"probability":0.5},{"kind":"none","members":[],"probability":0.5}]\', \'[0.5]\' FROM trial;');
	lab.evidence(run, 1, {'console.log': 'line\n[1.0] AMD-Vi: Event logged [IO_PAGE_FAULT device=00:02.0]\n',
		'faults.jsonl': '{"device":"0000:00:02.0","address":"0x1","reason":"no","time":5,"in_window":true}\n'});
	await lab.start();
	const say = [{event: 'leader', name: 'a', kind: 'set', members: ['a'], probability: 0.4},
		...['fault', 'clean', 'hang', 'panic', 'noboot', 'infra'].map((outcome, i) => ({event: 'trial', trial: i, outcome, name: 'a', seconds: 3})),
		{event: 'experiment', name: 'a', purpose: 'search', mode: 'kexec', boots: 3, reason: 'why not', seconds_left: 77}];
	lab.live = await lab.submit('live', {play: 'trials=9000 ms=200', title: 'It runs', question: 'Does it?', say});
	await lab.submit('more', {play: 'trials=9000 ms=300', title: 'It runs too'});
	for (const name of ['waits', 'paused'])
		lab[name] = await lab.submit(name);
	await lab.ask(`/api/v1/campaigns/${lab.paused.id}/pause`, {method: 'POST'});
});
test.afterAll(() => lab.end());

test('a thousand campaigns, a page at a time @long', async ({page}) => {
	await page.goto(lab.url);
	const over = page.getByRole('region', {name: 'Over'}).getByRole('list').locator('> li');
	await expect(over.first()).toContainText('many-1009');
	const first = await over.count();
	expect(first).toBeLessThanOrEqual(50);
	for (let i = 1; i <= 3; i++) {
		await page.getByRole('button', {name: 'Older ones'}).click();
		await expect(over).toHaveCount(first + 50 * i);
	}
	await expect(over.last()).toContainText(`many-${1010 - first - 150}`);
	await expect(page.getByRole('article', {name: 'It runs', exact: true})).toBeVisible();
	await page.evaluate(async () => { // the rest, as fast as it goes
		for (let button; (button = document.querySelector('[data-act=older]')); await new Promise((done) => setTimeout(done, 50)))
			button.click();
	});
	await expect(over).toHaveCount(1001);
	await expect(over.last()).toContainText('1 one');
});

for (const [scheme, width] of [['light', 1280], ['dark', 1280], ['light', 360]]) {
	test(`for everybody: ${scheme}, ${width} wide${scheme === 'dark' ? ' @long' : ''}`, async ({page}) => {
		await page.emulateMedia({colorScheme: scheme});
		await page.setViewportSize({width, height: 800});
		await page.addInitScript((t) => location.protocol === 'http:' && sessionStorage.setItem('kexsect-token', t), lab.tokens.admin);
		for (const at of ['', `#/campaign/${lab.live.id}`, `#/run/${run}`, `#/run/${run}/trial/1`, `#/run/${run}/trial/1/file/console.log`, '#/results', '#/summary/7d']) {
			await page.goto('about:blank');
			await page.goto(`${lab.url}/${at}`);
			await expect(page.locator('#state')).toContainText('live');
			await expect(page.locator('main')).not.toContainText('Reading');
			await page.evaluate(axe);
			const {violations} = await page.evaluate(() => window.axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}));
			expect(violations.map((v) => [at, v.id, v.help, v.nodes.map((n) => n.html).slice(0, 3)])).toEqual([]);
			if (at === '') {
				await page.getByRole('button', {name: 'Token'}).click();
				expect((await page.evaluate(() => window.axe.run('dialog'))).violations.map((v) => v.id)).toEqual([]);
				await page.keyboard.press('Escape');
				await expect(page.locator('dialog')).toBeHidden();
			}
			const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
			expect(wide, `${at}: wider than the screen`).toBeLessThanOrEqual(0);
		}
		if (process.env.PAGE_SHOTS)
			for (const [name, at] of [['lab', ''], ['campaign', `#/campaign/${lab.live.id}`]]) {
				await page.goto(`${lab.url}/${at}`);
				await page.waitForTimeout(1500);
				await page.screenshot({path: `${process.env.PAGE_SHOTS}/${name}-${scheme}-${width}.png`});
			}
	});
}

test('times are local, UTC when pointed at', async ({page}) => {
	await page.goto(`${lab.url}/#/run/${run}/trial/1`);
	const time = page.locator('main time').first();
	const iso = await time.getAttribute('datetime');
	await expect(time).toHaveAttribute('title', `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`);
	const local = new Intl.DateTimeFormat('en-GB', {timeZone: 'Europe/Berlin', hour: '2-digit', minute: '2-digit', second: '2-digit'}).format(new Date(iso));
	await expect(time).toContainText(local);
});
