// SPDX-License-Identifier: GPL-2.0-or-later
// Text that would do something, in every field that comes from outside: it is shown, and it does nothing.
import {Lab} from './lab.js';
import {expect, test} from './watch.js';

const RTL = '\u202e\u2066\u200b';
const ATTACKS = [
	'<script>window.owned=1;alert(1)</script>',
	'<img src=x onerror="window.owned=1;alert(2)">',
	'"><svg onload=window.owned=1><a href="javascript:window.owned=1">x</a>',
	"' onmouseover='window.owned=1' x='",
	'javascript:window.owned=1',
	'data:text/html,<script>parent.owned=1</script>',
	'</pre></code><iframe srcdoc="<script>parent.owned=1</script>"></iframe><base href="http://evil.example/">',
	'{{constructor.constructor("owned=1")()}} ${owned=1}',
	`safe${RTL}gnp.exe\u0000\u001b[2J\u001b]8;;http://evil.example\u0007link`,
	'__proto__',
];
const ALL = ATTACKS.join(' ').replaceAll('\u0000', ''); // JSON of the daemon takes no NUL
const quote = (s) => `'${s.replaceAll("'", "''")}'`;

let lab, run, id;
test.beforeAll(async () => {
	lab = await (await Lab.make('targets: [{name: t1, slots: 2}]\nnotify: [{name: team, webhook: \'http://127.0.0.1:1/x\', kinds: [verdict]}]\n')).start();
	const say = [
		{event: 'leader', trial: 1, name: ALL, kind: ALL, members: [ALL], probability: 0.5},
		{event: 'leader', trial: 1, name: {toString: 'x'}, kind: [], members: ALL, probability: ALL},
		{event: 'experiment', name: ALL, purpose: ALL, mode: ALL, boots: ALL, reason: ALL, seconds_left: ALL},
		{event: 'experiment', name: ALL, purpose: ALL, mode: ALL, boots: 3, reason: ALL, seconds_left: 5},
		{event: 'trial', trial: ALL, outcome: ALL, name: ALL, variant: [ALL], reason: ALL, seconds: ALL},
		{event: 'trial', trial: 1, outcome: '__proto__', name: ALL, reason: 'm'.repeat(900000)},
		{event: 'build', name: ALL, variant: [ALL], status: ALL, reason: ALL, seconds: 1},
		{event: 'note', level: ALL, kind: ALL, trial: 1, text: ALL},
		{event: ALL, anything: ALL},
		{event: '__proto__', ['__proto__']: {owned: 1}},
	];
	const c = await lab.submit('hostile', {play: 'trials=3 ms=5', title: ALL, question: ALL});
	({run} = await lab.wait(id = c.id, 'done'));
	lab.evidence(run, 1, {
		'console.log': `${ATTACKS.join('\n')}\n${'<b onclick=alert(1)>'.repeat(52429)}\nthe end\n`,
		'<img src=x onerror=alert(3)>.log': ALL, 'javascript:alert(1).txt': ALL, [`${RTL}txt.log`]: ALL,
		'faults.jsonl': `${JSON.stringify({device: ALL, access: ALL, address: ALL, reason: ALL, time: ALL, kind: ALL})}\nnull\n[1]\n{"__proto__":{}}\n${ALL}`,
	});
	const a = quote(ALL), json = quote(JSON.stringify([{kind: ALL, members: [ALL], probability: 0.5}]));
	lab.sql('store', `UPDATE campaign SET title=${a}, question=${a}, state_reason=${a}, digest=${a} WHERE slug='${run}';
		INSERT INTO candidate SELECT id, 0, 'patch', ${a}, ${a}, ${a}, '', 0 FROM campaign;
		UPDATE trial SET mask=1, build=${a}, target=${a}, purpose=${a}, reason=${a},
			measures=${quote(JSON.stringify({[ALL]: ALL, n_us: ALL}))}, seconds=${quote(JSON.stringify({total: ALL, [ALL]: 3}))};
		INSERT INTO posterior SELECT id, 'set', 1, .5, .9, .8, .95, .01, 0, .02, ${json}, '[0.5]' FROM trial;
		UPDATE verdict SET reason=${a};`);
	await lab.kill('SIGTERM');
	const verdict = quote(JSON.stringify({event: 'verdict', kind: ALL, sentence: ALL, reason: ALL, members: [ALL], probability: ALL, why: ALL, run: ALL}));
	lab.sql('queue', `UPDATE submission SET name=${a}, title=${a}, question=${a}, reason=${a}, owner=${a}, verdict=${verdict},
			progress=${quote(JSON.stringify({trials: 3, outcomes: {fault: 3, [ALL]: 4}, leading: {name: ALL, probability: 2}}))};
		INSERT INTO journal (time_us, submission, kind, text) VALUES (1, 1, ${a}, ${a}), (9e18, 0, 'quarantine', ${a}), (9e18, 1, 'retry', ${a});
		UPDATE notice SET state='given-up', done_us=9e18, receiver=${a}, type=${a}, detail=${a}, content=${quote(JSON.stringify({lines: [{name: ALL, text: ALL}]}))};`);
	await lab.start();
	// what it says stays among the last events
	const live = await lab.submit('live', {play: 'trials=900 ms=600000', title: ALL, question: ALL, say});
	await lab.submit('waits', {title: ALL, target: 't1'});
	lab.live = live.id;
	await lab.wait(live.id, 'running');
});
test.afterAll(() => lab.end());

// It is on the page as it is written, and nothing of it has become an element.
async function shown(page, times = 1) {
	await expect.poll(async () => (await page.locator('main').textContent()).split(ATTACKS[0]).length - 1).toBeGreaterThanOrEqual(times);
	const text = await page.locator('main').textContent();
	expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/);
	const strange = await page.evaluate(() => [...document.querySelectorAll('*')].filter((e) =>
		['SCRIPT', 'IFRAME', 'IMG', 'BASE', 'OBJECT', 'EMBED', 'STYLE', 'LINK', 'META', 'FORM'].includes(e.nodeName) && !e.closest('head, #ask') ||
		[...e.attributes].some((a) => /^on/i.test(a.name) || a.name === 'style' || a.name === 'srcdoc') ||
		(e.hasAttribute('href') && e.localName === 'a' && !/^(#\/|#main$|\/api\/v1\/)/.test(e.getAttribute('href')))).map((e) => e.outerHTML.slice(0, 200)));
	expect(strange).toEqual([]);
	expect(await page.evaluate(() => ({}).owned)).toBeUndefined();
	// nothing runs when it is pointed at or clicked
	for (const box of (await page.locator('main b, main code, main bdi').all()).slice(0, 8))
		await box.hover({timeout: 2000, force: true}).catch(() => {});
}

test('in the lab', async ({page}) => {
	await page.goto(lab.url);
	await expect(page.getByRole('region', {name: 'Running'}).getByRole('article')).toHaveCount(1);
	await shown(page, 8);
	await expect(page.getByRole('region', {name: 'Running'})).toContainText('⟨U+202E⟩');
});

test('in a campaign that runs, with its events', async ({page}) => {
	await page.goto(`${lab.url}/#/campaign/${lab.live}`);
	await expect(page.getByRole('region', {name: 'Events'})).toContainText('characters)');
	await shown(page, 6);
});

test('in a campaign that is over, its candidates and trials', async ({page}) => {
	await page.goto(`${lab.url}/#/campaign/${id}`);
	await expect(page.getByRole('region', {name: 'Trials'}).getByRole('row')).toHaveCount(4);
	await shown(page, 8);
});

test('in a run and in the list of runs', async ({page}) => {
	await page.goto(`${lab.url}/#/run/${run}`);
	await expect(page.getByRole('region', {name: 'Candidates'})).toBeVisible();
	await shown(page, 6);
	await page.goto(`${lab.url}/#/results`);
	await shown(page, 2);
});

test('in a trial, its faults and the names of its files', async ({page}) => {
	await page.goto(`${lab.url}/#/run/${run}/trial/1`);
	await expect(page.getByRole('region', {name: 'Files'}).getByRole('listitem')).toHaveCount(5);
	await shown(page, 5);
	await page.getByRole('link', {name: /^<img.*\.log$/}).click();
	await shown(page, 1);
	await page.goBack();
	await page.getByRole('link', {name: /^javascript:.*txt$/}).click();
	await shown(page, 1);
});

test('in a log, with a line of a megabyte', async ({page}) => {
	await page.goto(`${lab.url}/#/run/${run}/trial/1/file/console.log`);
	await shown(page, 1);
	await expect(page.locator('.log')).toContainText('<b onclick=alert(1)>');
	await page.getByRole('button', {name: 'After'}).click();
	await expect(page.getByText('128 KiB to 256 KiB of 1.0 MiB')).toBeVisible();
	await page.getByRole('button', {name: 'End'}).click();
	await expect(page.locator('.log')).toContainText('the end');
});

test('in the summary of the night', async ({page}) => {
	await page.goto(`${lab.url}/#/summary`);
	await expect(page.getByRole('region', {name: 'Notifications'})).toContainText('given up');
	await expect(page.getByRole('region', {name: 'Verdicts'})).toContainText('⟨U+202E⟩');
	await shown(page, 8);
});

test('in the address', async ({page}) => {
	page.expected = [/status of (404|400)/];
	for (const at of ['#/summary/<img>', '#/summary/1h&format=html', '#/summary/x', '#/run/<img src=x onerror=alert(1)>', '#/run/%3Cscript%3Ealert(1)%3C%2Fscript%3E', '#/campaign/1<script>', '#javascript:alert(1)',
		'#/run/%E0%A4%A', '#/run/..%2f..%2fhealthz', '#/run/x/trial/1/file/%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E'])	{
		await page.goto('about:blank');
		await page.goto(`${lab.url}/${at}`);
		await expect(page.getByRole('heading', {level: 1})).toBeVisible();
		await page.waitForTimeout(200);
		expect(await page.evaluate(() => document.querySelector('main script, main img'))).toBeNull();
	}
});

test('a link from elsewhere leads to the page and to nothing else', async ({request}) => {
	const from = {'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document'};
	const status = async (path, headers) => (await request.get(lab.url + path, {headers})).status();
	expect(await status('/', from)).toBe(200);
	expect(await status('/', {...from, 'Sec-Fetch-Dest': 'iframe'})).toBe(403);
	expect(await status('/', {...from, Origin: 'http://evil.example'})).toBe(403);
	expect(await status('/', {...from, Host: 'evil.example'})).toBe(421);
	for (const path of ['/api/v1/campaigns', '/api/v1/events', '/page/main.js', '/']) // as a part of another page
		for (const [mode, dest] of [['no-cors', 'script'], ['cors', 'empty'], ['no-cors', 'image'], ['navigate', 'frame']])
			expect([path, dest, await status(path, {...from, 'Sec-Fetch-Mode': mode, 'Sec-Fetch-Dest': dest})]).toEqual([path, dest, 403]);
});

test('the policy lets nothing else in', async ({page, request}) => {
	const r = await request.get(lab.url);
	expect(r.headers()['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
	expect(r.headers()['content-security-policy']).not.toMatch(/unsafe|\*|https?:|data:|blob:/);
	expect(r.headers()['x-content-type-options']).toBe('nosniff');
	const again = await request.get(lab.url, {headers: {'If-None-Match': r.headers().etag}});
	expect(again.status()).toBe(304);
	await page.goto(lab.url);
	const blocked = await page.evaluate(async () => {
		const refused = [];
		try {
			document.body.innerHTML = '<b>x</b>';
		} catch {
			refused.push('innerHTML');
		}
		await fetch('http://127.0.0.2:1/').catch(() => refused.push('fetch'));
		const s = document.createElement('script');
		try {
			s.textContent = 'window.owned = 1';
			document.head.append(s);
		} catch {
			refused.push('script');
		}
		return refused;
	});
	expect(blocked.sort()).toEqual(['fetch', 'innerHTML', 'script']);
	await page.goto('about:blank'); // what this test did itself is not held against the page
	page.bad.length = 0;
});
