// SPDX-License-Identifier: GPL-2.0-or-later
// Which view is shown, what its buttons do, and what stands above all of them.
import {post, save, token} from './api.js';
import {campaign} from './campaign.js';
import {clean, h, morphChildren} from './dom.js';
import {log} from './log.js';
import {overview} from './overview.js';
import {results} from './results.js';
import {Lab} from './state.js';
import {summary} from './summary.js';
import {trial} from './trial.js';

const RENDER_MS = 400; // at most so often, and at most a tenth of the time
const lab = new Lab();
const ui = {confirming: null};
const $ = (id) => document.getElementById(id);
let view = null, trouble = null, due = null;

// ---- which view ----

const routes = [
	[/^#?\/?$/, () => overview(lab)],
	[/^#\/summary$/, () => summary(lab, '12h')],
	[/^#\/summary\/([A-Za-z0-9:.-]{1,40})$/, (since) => summary(lab, since)],
	[/^#\/results$/, () => results()],
	[/^#\/campaign\/(\d{1,15})$/, (id) => campaign(lab, Number(id), null)],
	[/^#\/run\/([^/]+)$/, (run) => campaign(lab, null, run)],
	[/^#\/run\/([^/]+)\/trial\/(\d{1,9})$/, (run, n) => trial(lab, run, Number(n))],
	[/^#\/run\/([^/]+)\/trial\/(\d{1,9})\/file\/([^/]+)$/, (run, n, name) => log(lab, run, Number(n), name)],
];

function decode(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

const nowhere = {
	title: 'Nothing',
	render: () => [h('h1', {'data-key': 'h1'}, 'There is nothing here'), h('p', null, h('a', {href: '#/'}, 'To the lab'))],
};

function choose() {
	for (const [pattern, make] of routes) {
		const found = pattern.exec(location.hash);
		if (found)
			return make(...found.slice(1).map(decode));
	}
	return nowhere;
}

function render() {
	due = null;
	const want = document.createDocumentFragment();
	let parts;
	try {
		parts = view.render(ui);
	} catch (e) { // what the API says is not what was expected: say so, and stay usable
		console.error(e);
		parts = [h('h1', {'data-key': 'h1'}, 'This cannot be shown'), h('p', null, e.message)];
	}
	want.append(...[trouble ? h('p', {class: 'note bad', 'data-key': 'refused', role: 'alert'}, trouble) : null, parts]
		.flat(9).filter(Boolean));
	morphChildren($('main'), want);
	document.title = `${clean(view.title).slice(0, 100)} – kexsect`;
	$('main').setAttribute('aria-busy', 'false');
}

let rendered = 0, gap = RENDER_MS;
function renderSoon() {
	due ??= setTimeout(() => {
		const begun = performance.now();
		render();
		rendered = Date.now();
		gap = Math.max(RENDER_MS, 10 * (performance.now() - begun));
	}, Math.max(0, gap - (Date.now() - rendered)));
}

// Does it and shows what it refuses.
async function attempt(what) {
	const at = view;
	try {
		await what();
		trouble = null;
	} catch (e) {
		if (at !== view || e.name === 'AbortError')
			return;
		if (e.status === 401)
			wantToken(e.message);
		trouble = e.status === 403 ? `Not allowed: ${e.message}` : e.message;
	}
	if (at === view)
		render();
}

function go(first) {
	view?.leave?.();
	view = choose();
	trouble = null;
	ui.confirming = null;
	const at = location.hash.split('/')[1] ?? '';
	for (const a of document.querySelectorAll('header nav a')) {
		const here = ['', 'summary', 'results'].includes(at) && a.hash === `#/${at}`;
		if (here)
			a.setAttribute('aria-current', 'page');
		else
			a.removeAttribute('aria-current');
	}
	$('main').replaceChildren();
	render();
	if (view.load)
		attempt(() => view.load());
	if (!first) {
		$('main').focus({preventScroll: true});
		scrollTo(0, 0);
	}
}

// ---- what stands above ----

const CONNECTIONS = {
	begins: ['…', 'connecting'], live: ['●', 'live'], lost: ['○', 'connection lost, trying again'],
	hidden: ['○', 'asleep'], locked: ['✗', 'a token is wanted'],
	full: ['◐', 'too many readers: read now and then'],
};

function showState() {
	const [sign, words] = CONNECTIONS[lab.connection];
	morphChildren($('state'), h('p', null, h('span', {class: `c-${lab.connection}`, 'aria-hidden': 'true'}, sign), ` ${words}`));
	const t = lab.trouble;
	morphChildren($('trouble'), h('div', null, t ? h('p', null, h('strong', null, 'Nothing starts: '), t) : null));
	$('token').textContent = token.get() ? 'Token ✓' : 'Token';
}

function say(text) {
	$('said').textContent = clean(text).slice(0, 300);
}

// ---- the token ----

function askToken(why) {
	$('ask-why').textContent = clean(why ?? '');
	if (!$('ask').open)
		$('ask').showModal();
	$('ask-token').focus();
}

function wantToken(why) {
	askToken(token.get() ? why : `This daemon wants a token for reading: ${why}`);
}

function useToken(text) {
	token.set(text);
	$('ask-token').value = '';
	$('ask').close();
	showState();
	lab.restart();
	go();
}

$('token').addEventListener('click', () => askToken(''));
$('ask-close').addEventListener('click', () => $('ask').close());
$('ask-forget').addEventListener('click', () => useToken(''));
$('ask-form').addEventListener('submit', (e) => {
	e.preventDefault();
	const text = $('ask-token').value.trim();
	if (/^[\x21-\x7e]+$/.test(text))
		useToken(text);
	else
		$('ask-why').textContent = 'A token is a word of letters, digits and _.';
});

// ---- buttons ----

const acts = {
	async pause({id}) {
		await post(`/api/v1/campaigns/${id}/pause`);
		say(`Campaign ${id} is told to pause`);
	},
	async resume({id}) {
		await post(`/api/v1/campaigns/${id}/resume`);
		say(`Campaign ${id} goes on`);
	},
	async cancel({id}) {
		ui.confirming = null;
		await post(`/api/v1/campaigns/${id}/cancel`);
		say(`Campaign ${id} is told to end`);
	},
	async release({target}) {
		await post(`/api/v1/targets/${encodeURIComponent(target)}/release`);
		say(`Target ${target} is released`);
	},
	async check({target}) {
		await post(`/api/v1/targets/${encodeURIComponent(target)}/check`);
		say(`Target ${target} is looked at`);
	},
};

async function press(button) {
	const {act, ...data} = button.dataset;
	if (act === 'confirm' || act === 'keep') {
		ui.confirming = act === 'confirm' ? Number(data.id) : null;
		render();
		document.querySelector(`[data-act="${act === 'confirm' ? 'keep' : 'confirm'}"][data-id="${Number(data.id)}"]`)?.focus();
	} else if (act in acts) {
		await attempt(async () => {
			await acts[act](data);
			if (data.id)
				await lab.campaign(Number(data.id));
			lab.refreshSoon();
		});
	} else if (view.act) {
		await attempt(() => view.act(act));
	} else if (act === 'older') {
		await attempt(() => lab.older());
	}
}

document.addEventListener('click', (e) => {
	const button = e.target.closest?.('button[data-act]');
	if (button)
		press(button);
	// a link of the browser carries no token
	const link = e.target.closest?.('a[data-open]');
	if (link && token.get() && token.isWanted()) {
		e.preventDefault();
		attempt(() => save(link.getAttribute('href'), decode(link.getAttribute('href').split('/').at(-1))));
	}
});

// ---- what happens ----

lab.addEventListener('change', () => {
	showState();
	renderSoon();
});
lab.addEventListener('connection', () => {
	showState();
	if (lab.connection === 'locked')
		wantToken(lab.why);
	else if (lab.connection === 'lost')
		say('The connection to the daemon is lost');
	else if (lab.connection === 'live' && lab.loaded)
		say('Connected again');
});
lab.addEventListener('refused', (e) => {
	trouble = e.detail;
	renderSoon();
});
lab.addEventListener('event', ({detail}) => {
	view?.on?.(detail);
	if (detail.event.event === 'verdict')
		say(`Campaign ${detail.submission} has a verdict: ${clean(detail.event.sentence || detail.event.reason)}`);
	renderSoon();
});
lab.addEventListener('note', ({detail}) => {
	if (['quarantine', 'released', 'unhealthy', 'stall', 'disk', 'disk-back', 'failed'].includes(detail.kind))
		say(`${detail.kind}: ${clean(detail.text)}`);
});
addEventListener('hashchange', () => go());

go(true);
showState();
lab.start();
