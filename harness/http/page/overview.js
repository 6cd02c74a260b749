// SPDX-License-Identifier: GPL-2.0-or-later
// The lab: what runs, what waits and why, the targets, and what is over.
import {bdi, code, h} from './dom.js';
import {lately, left, targets} from './lab.js';
import {isOver, isRunning} from './state.js';
import {bar, count, duration, outcomes, percent, state, when} from './words.js';

function button(act, c, text, more) {
	return h('button', {type: 'button', 'data-act': act, 'data-id': c.id, 'data-key': act, ...more,
		'aria-label': `${text} campaign ${c.id}`}, text);
}

// What may be done with a campaign; `confirming`: the id of the one that is about to be cancelled.
export function buttons(c, lab, confirming) {
	if (!lab.mayAct)
		return null;
	if (confirming === c.id)
		return h('span', {class: 'acts'}, button('cancel', c, 'Really cancel', {class: 'danger'}),
			button('keep', c, 'Keep'));
	const all = [];
	if (c.state === 'running' || c.state === 'queued' || c.state === 'waiting')
		all.push(button('pause', c, 'Pause'));
	if (c.state === 'paused' || c.state === 'failed' || c.state === 'stopping')
		all.push(button('resume', c, 'Resume'));
	if (!isOver(c))
		all.push(button('confirm', c, 'Cancel'));
	return all.length ? h('span', {class: 'acts'}, all) : null;
}

export function leading(p) {
	const l = p?.leading;
	return l ? [bdi(l.name, 200), ' ', h('b', {class: 'n'}, percent(l.probability)), bar(l.probability)]
		: h('span', {class: 'quiet'}, 'nothing yet');
}

export function experiment(p) {
	const x = p?.experiment;
	return x ? [code(x.name, 200), h('span', {class: 'quiet'}, ' ', [x.purpose, x.mode,
		x.boots ? count(x.boots, 'boot') : null].filter(Boolean).join(', ')),
		x.reason ? h('span', {class: 'why'}, bdi(x.reason, 400)) : null]
		: h('span', {class: 'quiet'}, 'not known yet');
}

// What the checks before the first sitting found.
function preflight(f) {
	if (f.verdict === 'running')
		return 'files, tools and the first boots are being checked';
	const bad = (Array.isArray(f.checks) ? f.checks : []).filter((c) => c && c.what);
	return [h('span', {class: f.verdict === 'ready' ? 'good' : 'bad'}, f.verdict === 'ready' ? '✓ ' : '✗ '), bdi(f.text, 400),
		bad.length ? h('ul', {class: 'files'}, bad.slice(0, 20).map((c) => h('li', {class: 'why'}, bdi(c.what, 100), c.detail ? [': ', bdi(c.detail, 300)] : null))) : null];
}

// The facts of one that runs or has run, as rows.
export function facts(c) {
	const p = c.progress ?? {}, row = (name, ...what) => h('div', {'data-key': name}, h('dt', null, name), h('dd', null, ...what));
	return h('dl', {class: 'rows'},
		c.preflight && c.preflight.verdict !== 'skipped' ? row('Before it', preflight(c.preflight)) : null,
		row('Leading cause', leading(p)),
		row('Trials', outcomes(p.outcomes)),
		isRunning(c) ? row('Tries now', experiment(p)) : null,
		row('Time', p.elapsed_s ? `${duration(p.elapsed_s)} so far` : 'just begun', left(p)));
}

function card(c, lab, confirming) {
	return h('article', {class: 'card', 'data-key': `c${c.id}`, 'aria-labelledby': `name-${c.id}`},
		h('h3', {id: `name-${c.id}`}, h('a', {href: `#/campaign/${c.id}`}, bdi(c.title || c.name, 160))),
		h('p', {class: 'kicker'}, state(c.state), ` ${c.id} `, bdi(c.name, 60), ' on ', bdi(c.target ?? '–', 60),
			c.started_us ? [' since ', when(c.started_us)] : null, ', ', bdi(c.owner, 40)),
		c.question ? h('p', {class: 'question'}, bdi(c.question, 600)) : null,
		facts(c),
		c.reason ? h('p', {class: 'note'}, bdi(c.reason, 400)) : null,
		buttons(c, lab, confirming));
}

function running(lab, confirming) {
	const all = [...lab.campaigns.values()].filter(isRunning).sort((a, b) => a.id - b.id);
	return h('section', {'aria-labelledby': 'running', 'data-key': 'running'},
		h('h2', {id: 'running'}, 'Running'),
		all.length ? h('div', {class: 'cards-of'}, all.map((c) => card(c, lab, confirming)))
			: h('p', {class: 'quiet'}, 'Nothing runs.'));
}

function queuedRow(c, lab, confirming) {
	return h('tr', {'data-key': `c${c.id}`},
		h('th', {scope: 'row'}, h('a', {href: `#/campaign/${c.id}`}, `${c.id} `, bdi(c.name, 80)),
			c.question ? h('span', {class: 'why'}, bdi(c.question, 200)) : null),
		h('td', {'data-label': 'State'}, state(c.state)),
		h('td', {'data-label': 'Why'}, h('span', null, bdi(c.waits_for ?? (c.state === 'paused' ? 'on request, until it is resumed' : 'waits for its turn'), 200),
			c.reason && !c.waits_for?.includes(c.reason) ? h('span', {class: 'why'}, bdi(c.reason, 300)) : null)),
		h('td', {'data-label': 'Owner'}, bdi(c.owner, 40), c.priority ? `, priority ${c.priority}` : null),
		h('td', {'data-label': 'Submitted'}, when(c.created_us)),
		lab.mayAct ? h('td', null, buttons(c, lab, confirming)) : null);
}

// By urgency.
export function waitingTable(some, lab, confirming) {
	const all = [...some].sort((a, b) => (a.state === 'paused') - (b.state === 'paused') || b.priority - a.priority || a.id - b.id);
	const head = ['Campaign', 'State', 'Why', 'Owner', 'Submitted'];
	return h('table', {class: 'cards'},
		h('thead', null, h('tr', null, head.map((t) => h('th', {scope: 'col'}, t)),
			lab.mayAct ? h('td', null) : null)),
		h('tbody', null, all.map((c) => queuedRow(c, lab, confirming))));
}

function waiting(lab, confirming) {
	const all = [...lab.campaigns.values()].filter((c) => !isOver(c) && !isRunning(c));
	return all.length ? h('section', {'aria-labelledby': 'waiting', 'data-key': 'waiting'},
		h('h2', {id: 'waiting'}, 'Waiting'), waitingTable(all, lab, confirming)) : null;
}

// The answer in a sentence.
export function sentence(c) {
	const v = c.verdict;
	if (!v)
		return c.reason ? bdi(c.reason, 400) : h('span', {class: 'quiet'}, 'no verdict');
	const text = v.sentence || v.reason || v.kind;
	return [h('strong', null, v.kind === 'inconclusive' ? 'Inconclusive: ' : null, bdi(text, 500)),
		Number(v.probability) > 0 ? [' ', h('b', {class: 'n'}, percent(v.probability))] : null];
}

export function reports(run) {
	const at = `/api/v1/runs/${encodeURIComponent(run)}/files/report`;
	return [h('a', {href: `${at}.html`, 'data-open': ''}, 'report'), ' ',
		h('a', {href: `${at}.json`, 'data-open': ''}, 'JSON'), ' ',
		h('a', {href: `#/run/${encodeURIComponent(run)}`}, 'evidence')];
}

export function overItem(c, lab, confirming) {
	return h('li', {'data-key': `c${c.id}`},
		h('p', null, state(c.state), ' ', h('a', {href: `#/campaign/${c.id}`}, `${c.id} `, bdi(c.name, 80)), ' ',
			when(c.finished_us)),
		h('p', null, sentence(c)),
		h('p', {class: 'quiet'}, c.progress?.trials ? `${count(c.progress.trials, 'trial')}` : null,
			c.progress?.elapsed_s ? ` in ${duration(c.progress.elapsed_s)} ` : ' ',
			c.run && c.state === 'done' ? reports(c.run)
				: c.run ? h('a', {href: `#/run/${encodeURIComponent(c.run)}`}, 'evidence') : null),
		c.state === 'failed' ? buttons(c, lab, confirming) : null);
}

function over(lab, confirming) {
	const all = [...lab.campaigns.values()].filter(isOver).sort((a, b) => b.id - a.id);
	return h('section', {'aria-labelledby': 'over', 'data-key': 'over'},
		h('h2', {id: 'over'}, 'Over'),
		h('p', null, h('a', {href: '#/summary'}, 'What became of last night')),
		all.length ? h('ol', {class: 'over'}, all.map((c) => overItem(c, lab, confirming)))
			: h('p', {class: 'quiet'}, 'Nothing yet.'),
		lab.next ? h('p', null, h('button', {type: 'button', 'data-act': 'older'}, 'Older ones')) : null);
}

function empty() {
	return h('section', {'aria-labelledby': 'empty', 'data-key': 'empty'},
		h('h2', {id: 'empty'}, 'Nothing has been submitted yet'),
		h('p', null, 'A campaign gets here with ', h('code', null, 'kexsect submit CAMPAIGN'), '; ',
			h('code', null, 'kexsect init'), ' writes one to begin with. This page shows it at once.'));
}

export function overview(lab) {
	return {
		title: 'Lab',
		render(ui) {
			const top = h('h1', {'data-key': 'h1', class: 'out-of-sight'}, 'The lab now');
			if (!lab.loaded)
				return [top, h('p', {class: 'quiet', 'data-key': 'reading'}, 'Reading …')];
			if (!lab.campaigns.size)
				return [top, empty(), targets(lab), lately(lab)];
			return [top, running(lab, ui.confirming), waiting(lab, ui.confirming), targets(lab), over(lab, ui.confirming),
				lately(lab)];
		},
	};
}
