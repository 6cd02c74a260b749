// SPDX-License-Identifier: GPL-2.0-or-later
import {get} from 'node:http';
import {Lab} from './lab.js';
import {expect, test} from './watch.js';

let lab;
test.beforeAll(async () => {
	lab = await (await Lab.make('targets: [{name: t1, slots: 1}, {name: t9, slots: 1}]\npreflight: boot\n')).start();
});
test.afterAll(() => lab.end());

test('nothing is there yet, and then it is', async ({page}) => {
	await page.goto(lab.url);
	await expect(page.getByRole('heading', {name: 'Nothing has been submitted yet'})).toBeVisible();
	await expect(page.locator('#state')).toHaveText(/live/);
	await lab.submit('first', {play: 'trials=40 ms=20 gate=30', title: 'The first', question: 'Which one is it?', say: [
		{event: 'leader', trial: 1, name: 'split-enable', kind: 'set', members: ['split-enable'], probability: 0.64},
		{event: 'experiment', name: 'split-enable + b', purpose: 'search', mode: 'kexec', boots: 3, reason: 'gives 0.61 bits', seconds_left: 4200}]});
	const card = page.getByRole('article', {name: 'The first'});
	await expect(card).toContainText('running');
	await expect(card).toContainText('Which one is it?');
	await expect(card).toContainText('split-enable 64 %');
	await expect(card).toContainText('gives 0.61 bits');
	await expect(card).toContainText('about 1 h 10 min left');
	await expect(card).toContainText(/fault 29\b/);
	await expect(page.getByRole('row', {name: /^t1/})).toContainText('1 first');
	lab.open('first');
	const over = page.getByRole('region', {name: 'Over'});
	await expect(over).toContainText('it cures the fault 99.5 %');
	await expect(over).toContainText('40 trials');
	await expect(card).toHaveCount(0);
	await expect(page.locator('#said')).toContainText('has a verdict');
});

test('what the checks before a night found', async ({page}) => {
	const good = await lab.submit('sound', {play: 'trials=1 ms=1 check_gate=1'});
	await page.goto(`${lab.url}/#/campaign/${good.id}`);
	await expect(page.locator('main')).toContainText('are being checked');
	lab.open('sound');
	await expect(page.locator('main')).toContainText('✓ ready');
	const bad = await lab.submit('wrong', {play: 'trials=3 ms=1 check=1'});
	await page.goto(`${lab.url}/#/campaign/${bad.id}`);
	await expect(page.locator('.kicker')).toContainText('failed');
	await expect(page.locator('main')).toContainText('✗ the base: 0 of 30 boots fault');
});

test('what waits says why, by urgency', async ({page}) => {
	const a = await lab.submit('long', {play: 'trials=100000 ms=50'});
	await lab.wait(a.id, 'running');
	await page.goto(lab.url);
	await lab.submit('patient');
	await lab.submit('urgent', {priority: 9});
	const rows = page.getByRole('region', {name: 'Waiting'}).locator('tbody tr');
	await expect(rows).toHaveCount(2);
	await expect(rows.nth(0)).toContainText('urgent');
	await expect(rows.nth(0)).toContainText('priority 9');
	await expect(rows.nth(1)).toContainText('waits for');
	await lab.ask(`/api/v1/campaigns/${a.id}/cancel`, {method: 'POST'});
	await expect(page.getByRole('region', {name: 'Over'})).toContainText('urgent');
	await expect(page.getByRole('region', {name: 'Over'})).toContainText('cancelled');
});

test('each trial is counted once, whatever comes twice', async ({page}) => {
	const c = await lab.submit('counted', {play: 'trials=60 ms=30 gate=50'});
	await page.goto(`${lab.url}/#/campaign/${c.id}`);
	for (let i = 0; i < 4; i++) { // in the middle of it
		await expect(page.locator('main')).toContainText(/fault \d/);
		await page.reload();
	}
	await expect(page.getByText('fault 49')).toBeVisible();
	lab.open('counted');
	await expect(page.locator('.kicker')).toContainText('done');
	await expect(page.getByText('fault 60')).toBeVisible();
	await expect(page.getByText('1 to 50 of 60').or(page.getByText('11 to 60 of 60'))).toBeVisible();
});

test('what happens while the state is read is counted too', async ({page}) => {
	const c = await lab.submit('meanwhile', {play: 'trials=60 ms=1 gate=20', title: 'Meanwhile'});
	await lab.wait(c.id, 'running');
	await page.goto(lab.url);
	const card = page.getByRole('article', {name: 'Meanwhile'});
	await expect(card).toContainText('fault 19');
	await page.route('**/api/v1/targets', async (route) => { // the campaigns have been read
		lab.open('meanwhile');
		await expect.poll(async () => (await lab.ask(`/api/v1/campaigns/${c.id}`)).campaign.progress.trials).toBe(39);
		await route.continue();
	}, {times: 1});
	lab.kexsect('target', 'quarantine', 't9', '--reason', 'to have it read');
	await expect(card).toContainText('fault 39');
	lab.kexsect('target', 'release', 't9');
	lab.open('meanwhile');
	await expect(card).toContainText('fault 59');
	lab.open('meanwhile');
	await expect(card).toHaveCount(0);
});

test('the daemon is killed, and the page goes on with the next one', async ({page}) => {
	page.expected = [/net::ERR_/];
	const c = await lab.submit('survivor', {play: 'trials=100000 ms=40', title: 'It survives'});
	await lab.wait(c.id, 'running');
	await page.goto(lab.url);
	const card = page.getByRole('article', {name: 'It survives'});
	await expect(card).toContainText('fault');
	await lab.kill();
	await expect(page.locator('#state')).toContainText('lost');
	await lab.start();
	await expect(page.locator('#state')).toContainText('live', {timeout: 40000});
	await expect(card).toContainText('running', {timeout: 20000});
	const now = async () => Number(/fault (\d+)/.exec(await card.textContent())?.[1] ?? 0);
	const before = await now();
	await expect.poll(now).toBeGreaterThan(before);
	await lab.ask(`/api/v1/campaigns/${c.id}/cancel`, {method: 'POST'});
	await expect(card).toHaveCount(0);
});

test('nobody looks: nothing is asked @long', async ({page}) => {
	await page.goto(lab.url);
	await expect(page.locator('#state')).toContainText('live');
	await expect(page.locator('main section').first()).toBeVisible();
	await expect(page.locator('main article')).toHaveCount(0);
	const asked = [];
	page.on('request', (r) => asked.push(r.url()));
	await expect.poll(async () => { // what was told before may still be read
		const before = asked.length;
		await page.waitForTimeout(4000);
		return asked.length - before;
	}, {timeout: 40000}).toBe(0);
	await page.evaluate(() => {
		Object.defineProperty(document, 'hidden', {get: () => true, configurable: true});
		document.dispatchEvent(new Event('visibilitychange'));
	});
	await expect(page.locator('#state')).toContainText('asleep');
	await expect.poll(async () => (await lab.metrics()).kexsect_http_streams).toBe(0);
	asked.length = 0;
	await page.waitForTimeout(3000);
	expect(asked).toEqual([]);
	await page.evaluate(() => {
		delete document.hidden;
		document.dispatchEvent(new Event('visibilitychange'));
	});
	await expect(page.locator('#state')).toContainText('live');
	await expect.poll(() => asked.length).toBeGreaterThan(2);
});

test('a campaign, its belief, trials, faults and files', async ({page}) => {
	const c = await lab.submit('deep', {play: 'trials=60 ms=1', title: 'Deep'});
	const {run} = await lab.wait(c.id, 'done');
	lab.evidence(run, 60, {
		'console.log': 'x'.repeat(300 << 10) + '\n[    1.0] DMAR: [DMA Read] fault\nthe last line\n',
		'faults.jsonl': JSON.stringify({kind: 'fault', device: '0000:00:02.0', access: 'read', address: '0x1ffde000',
			reason: 'Present bit is clear', time: 778684, in_window: true}) + '\n{"cut',
	});
	const marginals = '[0.9, 0.1]', ranking = (p) => JSON.stringify([{kind: 'set', members: ['nox2apic'], probability: p},
		{kind: 'none', members: [], probability: 1 - p}]);
	lab.sql('store', `INSERT INTO candidate SELECT id, 0, 'parameter', 'nox2apic', 'Without x2apic', 'nox2apic', '', 0 FROM campaign WHERE slug='${run}';
		INSERT INTO candidate SELECT id, 1, 'parameter', 'maxcpus=1', '', 'maxcpus=1', '', 0 FROM campaign WHERE slug='${run}';
		UPDATE trial SET mask = 3 WHERE number = 60;
		INSERT INTO posterior SELECT id, 'set', 1, number / 61.0, .9, .8, .95, .01, 0, .02, '${ranking(0.2)}', '${marginals}' FROM trial WHERE number < 60;
		INSERT INTO posterior SELECT id, 'set', 1, .97, .9, .8, .95, .01, 0, .02, '${ranking(0.97)}', '${marginals}' FROM trial WHERE number = 60;`);
	await page.goto(`${lab.url}/#/campaign/${c.id}`);
	await expect(page.getByRole('img', {name: /nox2apic 97 %/})).toBeVisible();
	await expect(page.getByRole('row', {name: /nox2apic.*Without x2apic/})).toContainText('90 %');
	await expect(page.getByRole('row', {name: /^Trial 60/})).toContainText('nox2apic + maxcpus=1');
	await expect(page.getByText('11 to 60 of 60')).toBeVisible();
	await page.getByRole('button', {name: 'Oldest'}).click();
	await expect(page.getByText('1 to 50 of 60')).toBeVisible();
	await page.getByRole('button', {name: 'Newest'}).click();
	await page.getByRole('link', {name: 'Evidence files of trial 60'}).click();
	await expect(page.getByRole('row', {name: /0000:00:02.0/})).toContainText('0.778684 s');
	await page.getByRole('link', {name: 'console.log', exact: true}).click();
	await expect(page.getByText('0 B to 128 KiB of 300 KiB')).toBeVisible();
	await page.getByRole('button', {name: 'End'}).click();
	await expect(page.locator('.l.f')).toHaveText(/DMAR: \[DMA Read\] fault/);
	await expect(page.getByText('the last line')).toBeVisible();
	await page.getByRole('button', {name: 'Start'}).click();
	await expect(page.getByText('0 B to 128 KiB')).toBeVisible();
	await page.goBack();
	await page.getByRole('link', {name: run}).click();
	await expect(page.getByRole('heading', {level: 1})).toBeVisible();
	await page.getByRole('link', {name: 'Results'}).click();
	await expect(page.getByRole('link', {name: run})).toBeVisible();
	await page.goto(`${lab.url}/#/nowhere`);
	await expect(page.getByRole('heading', {name: 'There is nothing here'})).toBeVisible();
});

test('what became of last night', async ({page}) => {
	const bad = await lab.submit('hopeless', {play: 'trials=3 ms=1 check=1'});
	await lab.wait(bad.id, 'failed');
	const c = await lab.submit('tonight', {play: 'trials=30 ms=1 gate=20', title: 'Of this night', say: [
		{event: 'leader', trial: 1, name: 'split-enable', kind: 'set', members: ['split-enable'], probability: 0.64}]});
	await lab.wait(c.id, 'running');
	await page.goto(lab.url);
	await page.getByRole('link', {name: 'What became of last night'}).click();
	await expect(page.getByRole('heading', {level: 1, name: 'Last night'})).toBeVisible();
	await expect(page.getByRole('link', {name: 'Last night'})).toHaveAttribute('aria-current', 'page');
	await expect(page.getByRole('region', {name: 'Failed'})).toContainText('hopeless');
	await expect(page.getByRole('region', {name: 'Failed'})).toContainText('0 of 30 boots fault');
	const running = page.getByRole('region', {name: 'Still running'});
	await expect(running).toContainText('tonight');
	await expect(running).toContainText('split-enable 64 %');
	await lab.submit('sleeper', {target: 't9'});
	lab.kexsect('target', 'quarantine', 't9', '--reason', 'it smells');
	lab.open('tonight'); // it is read again when something ends
	await expect(page.getByRole('region', {name: 'Verdicts'})).toContainText('tonight', {timeout: 60000});
	await expect(running).toHaveCount(0);
	await expect(page.getByRole('region', {name: 'Targets in quarantine'})).toContainText('it smells');
	const late = await lab.submit('latecomer', {target: 't9'});
	await lab.ask(`/api/v1/campaigns/${late.id}/pause`, {method: 'POST'});
	await page.getByRole('button', {name: 'Read again'}).click();
	await expect(page.getByRole('region', {name: 'Waiting'})).toContainText('latecomer', {timeout: 60000});
	await expect(page.getByRole('region', {name: 'Waiting'})).toContainText('on request, until it is resumed');
	await expect(page.getByRole('region', {name: 'Disks'})).toContainText('results');
	lab.kexsect('target', 'release', 't9');
	await lab.ask(`/api/v1/campaigns/${late.id}/cancel`, {method: 'POST'});
	await page.getByRole('link', {name: '3 days'}).click();
	await expect(page.getByRole('heading', {level: 1, name: 'The last 3 days'})).toBeVisible();
	await expect(page.getByRole('region', {name: 'Cancelled'})).toContainText('latecomer');
	await page.getByRole('link', {name: 'Results'}).click();
	await expect(page.getByRole('row', {name: /^tonight-1/})).toContainText('as seen 99.5 %');
});

test('a target in quarantine, and back', async ({page}) => {
	await page.goto(lab.url);
	const row = page.getByRole('row', {name: /^t1/}), t9 = page.getByRole('row', {name: /^t9/});
	await expect(t9).toContainText('healthy');
	lab.kexsect('target', 'quarantine', 't9', '--reason', 'nobody used it'); // no campaign's event tells
	await expect(t9).toContainText('nobody used it');
	lab.kexsect('target', 'release', 't9');
	await expect(t9).toContainText('healthy');
	await lab.submit('keeps-t1', {play: 'trials=100000 ms=20'});
	await expect(row).toContainText('keeps-t1');
	await expect(row).toContainText('healthy');
	lab.kexsect('target', 'quarantine', 't1', '--reason', 'its BMC lies');
	await expect(row).toContainText('quarantined since');
	await expect(row).toContainText('its BMC lies');
	await expect(page.getByRole('region', {name: 'Targets'})).toContainText('1 in quarantine');
	await expect(page.getByRole('region', {name: 'Waiting'})).toContainText('keeps-t1');
	await page.evaluate((t) => sessionStorage.setItem('kexsect-token', t), lab.tokens.admin);
	await page.reload();
	await row.getByRole('button', {name: 'Release t1'}).click();
	await expect(page.locator('#said')).toContainText('t1');
	await expect(page.getByRole('article')).toContainText('running');
	await expect(row).toContainText('healthy');
	await lab.ask(`/api/v1/campaigns?limit=1`).then(({campaigns: [c]}) => lab.ask(`/api/v1/campaigns/${c.id}/cancel`, {method: 'POST'}));
});

test('what is not there is said', async ({page}) => {
	page.expected = [/status of 404/];
	await page.goto(`${lab.url}/#/campaign/99999`);
	await expect(page.locator('main').getByRole('alert')).toContainText('there is no submission 99999');
	await page.goto(`${lab.url}/#/run/never-1`);
	await expect(page.locator('main').getByRole('alert')).toContainText(/there (is no such run|are no results)/);
});

test('more readers of events than the daemon takes @long', async ({page}) => {
	page.expected = [/status of 503/];
	const held = []; // by node:http: fetch() ends an answer that nobody reads when its memory is collected
	const read = () => new Promise((done, fail) => get(`${lab.url}/api/v1/events`, {agent: false}, (r) => {
		r.on('error', () => {}); // ended below
		r.resume();
		if (r.statusCode === 200)
			held.push(r);
		done(r.statusCode);
	}).on('error', fail));
	await expect.poll(async () => { // the page of the test before may still count
		while (await read() === 200)
			expect(held.length).toBeLessThan(1000);
		return held.length - (await lab.metrics()).kexsect_http_streams;
	}).toBe(0);
	await page.goto(lab.url);
	await expect(page.locator('#state')).toContainText('too many readers');
	await expect(page.getByRole('region', {name: 'Targets'})).toContainText('t1'); // read all the same
	held.forEach((r) => r.destroy());
	await expect(page.locator('#state')).toContainText('live', {timeout: 100000});
});
