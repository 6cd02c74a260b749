// SPDX-License-Identifier: GPL-2.0-or-later
// One campaign: what it believes and why, its trials, what it does now. Or a run of which only the
// results are here.
import {get} from './api.js';
import {beliefChart, nameOf} from './chart.js';
import {bdi, code, h} from './dom.js';
import {buttons, facts, sentence} from './overview.js';
import {isRunning} from './state.js';
import {bar, count, duration, eventText, outcome, percent, state, when} from './words.js';

const PAGE = 50, BELIEF = 1000, SOON_MS = 3000;

// The candidates that a mask names: a set of them, or a position in a history.
export function variant(candidates, mask) {
	const bits = BigInt(/^0x[0-9a-f]{1,16}$/.test(mask) ? mask : 0);
	if (['commit', 'version'].includes(candidates[0]?.kind))
		return bits === 0n ? [] : [candidates[Number(bits) - 1]?.name ?? `number ${bits}`];
	return candidates.filter((_, i) => (bits >> BigInt(i)) & 1n).map((c) => c.name);
}

export function variantName(candidates, {mask, clean, build}) {
	const names = variant(candidates, mask);
	if (!candidates.length) // orders and surveys: the kernels differ in what no set of candidates says
		return code(String(build).slice(0, 12));
	return h('span', null, names.length ? names.map((n, i) => [i ? ' + ' : null, code(n, 120)]) : h('i', null, 'base'),
		clean ? h('span', {class: 'quiet'}, ' clean build') : null);
}

async function readBelief(url, last) {
	let all = [], after = Math.max(0, last - BELIEF);
	for (let pages = 0; pages < 6; pages++) {
		const page = await get(`${url}/belief?after=${after}&limit=200`);
		all = all.concat(page.belief);
		if (!page.next)
			break;
		after = page.next;
	}
	return all;
}

function candidatesTable(run, belief) {
	const now = belief.at(-1), marginals = now?.marginals ?? [];
	const all = run.candidates.map((c, i) => ({...c, p: marginals[i]}));
	if (marginals.length)
		all.sort((a, b) => (b.p ?? 0) - (a.p ?? 0));
	const shown = all.slice(0, 200);
	return h('section', {'aria-labelledby': 'candidates', 'data-key': 'candidates'},
		h('h2', {id: 'candidates'}, 'Candidates'),
		h('table', {class: 'cards'},
			h('thead', null, h('tr', null, h('th', {scope: 'col'}, 'Candidate'), h('th', {scope: 'col'}, 'Kind'),
				marginals.length ? h('th', {scope: 'col'}, 'Part of the cause') : null)),
			h('tbody', null, shown.map((c) => h('tr', {'data-key': `k${c.name}`},
				h('th', {scope: 'row'}, code(c.name, 120), c.title ? h('span', {class: 'why'}, bdi(c.title, 200)) : null),
				h('td', {'data-label': 'Kind'}, bdi(c.kind, 40)),
				marginals.length ? h('td', {'data-label': 'Part of the cause'}, h('b', {class: 'n'}, percent(c.p)), bar(c.p)) : null)))),
		all.length > shown.length ? h('p', {class: 'quiet'}, `and ${all.length - shown.length} more`) : null);
}

function beliefSection(belief) {
	const now = belief.at(-1);
	if (!now || !Array.isArray(now.ranking))
		return null;
	const rate = (r) => `${percent(r.mean)} (${percent(r.low)} to ${percent(r.high)})`;
	return h('section', {'aria-labelledby': 'belief', 'data-key': 'belief'},
		h('h2', {id: 'belief'}, 'Belief'),
		beliefChart(belief) ?? h('ol', null, now.ranking.map((x) => h('li', null, bdi(nameOf(x), 200), ' ', percent(x.probability)))),
		h('p', {class: 'quiet'}, 'A faulty variant shows the fault in ', rate(now.q), ' of its boots, a good one in ', rate(now.e), '.'));
}

function trialRow(slug, candidates, t) {
	const at = `#/run/${encodeURIComponent(slug)}/trial/${t.number}`;
	return h('tr', {'data-key': `n${t.number}`},
		h('th', {scope: 'row'}, h('a', {href: at, 'aria-label': `Trial ${t.number}`}, String(t.number))),
		h('td', {'data-label': 'Outcome'}, h('span', null, outcome(t.outcome), t.reason ? h('span', {class: 'why'}, bdi(t.reason, 200)) : null)),
		h('td', {'data-label': 'Kernel'}, variantName(candidates, t)),
		h('td', {'data-label': 'Why'}, h('span', null, bdi(t.purpose, 40), ', ', bdi(t.mode, 40))),
		h('td', {'data-label': 'Took'}, duration(t.seconds?.total)),
		h('td', {'data-label': 'Ended'}, when(t.time_us)),
		h('td', {'data-label': 'Evidence'}, t.files ? h('a', {href: at, 'aria-label': `Evidence files of trial ${t.number}`}, 'files')
			: h('span', {class: 'quiet'}, 'none')));
}

function trialsSection(v) {
	const {run, trials} = v;
	if (!trials.length)
		return h('section', {'aria-labelledby': 'trials', 'data-key': 'trials'}, h('h2', {id: 'trials'}, 'Trials'),
			h('p', {class: 'quiet'}, 'None yet.'));
	const first = trials[0].number, last = trials.at(-1).number;
	const button = (act, text, on) => h('button', {type: 'button', 'data-act': act, 'data-key': act, disabled: !on}, text);
	return h('section', {'aria-labelledby': 'trials', 'data-key': 'trials'},
		h('h2', {id: 'trials'}, 'Trials'),
		run.last_trial > PAGE ? h('p', {class: 'row', role: 'group', 'aria-label': 'Pages of trials', 'data-key': 'pages'},
			button('newest', 'Newest', last < run.last_trial), button('newer', 'Newer', last < run.last_trial),
			h('span', {'data-key': 'span'}, `${first} to ${last} of ${run.last_trial}`),
			button('older', 'Older', first > 1), button('oldest', 'Oldest', first > 1)) : null,
		h('table', {class: 'cards trials', 'data-key': 'table'},
			h('thead', null, h('tr', null, ['', 'Outcome', 'Kernel', 'Why', 'Took', 'Ended', 'Evidence'].map((t) =>
				(t ? h('th', {scope: 'col'}, t) : h('th', {scope: 'col'}, h('span', {class: 'out-of-sight'}, 'Number')))))),
			h('tbody', null, [...trials].reverse().map((t) => trialRow(run.run, run.candidates, t)))));
}

function liveSection(lab, id) {
	const all = lab.events.get(id) ?? [];
	if (!all.length)
		return null;
	return h('section', {'aria-labelledby': 'live', 'data-key': 'live'},
		h('h2', {id: 'live'}, 'Events'),
		h('ol', {class: 'events', tabindex: '0', 'aria-labelledby': 'live'}, [...all].reverse().map((w) => h('li', {'data-key': `e${w.time_us}`},
			when(w.time_us, true), ' ', bdi(eventText(w.event), 500)))));
}

function links(run) {
	const words = {'report.html': 'Report', 'report.json': 'Report as JSON', 'report.md': 'Report as text'};
	const all = (run?.reports ?? []).map((u) => h('a', {href: u, 'data-open': ''}, words[u.split('/').at(-1)] ?? 'Report'));
	return all.length ? h('p', {class: 'row', 'data-key': 'links'}, all) : null;
}

const VERDICTS = {cause: 'A cause was found', none: 'None of them matters', inconclusive: 'Inconclusive', table: 'All is measured'};

function runVerdict(run) {
	const v = run.verdict;
	if (!v)
		return null;
	return [h('strong', null, VERDICTS[v.kind] ?? bdi(v.kind, 40), v.sentence === v.reason ? null : [': ', bdi(v.sentence, 500)]),
		v.probability > 0 ? [' ', h('b', {class: 'n'}, percent(v.probability))] : null,
		v.reason ? h('span', {class: 'why'}, bdi(v.reason, 500)) : null];
}

function head(v, lab, ui) {
	const {c, run} = v, title = c?.title || run?.title || c?.name || run?.run;
	const question = c?.question || run?.question;
	const verdict = c?.verdict ? sentence(c) : run ? runVerdict(run) : null;
	return [
		h('h1', {'data-key': 'h1'}, bdi(title, 200)),
		h('p', {class: 'kicker', 'data-key': 'kicker'}, state(c?.state ?? run?.state), ' ',
			c ? [`${c.id} `, bdi(c.name, 80), c.target ? [' on ', bdi(c.target, 60)] : null, ', ', bdi(c.owner, 40), ', submitted ', when(c.created_us)]
				: [bdi(run.run, 140), ', begun ', when(run.created_us)],
			c?.finished_us || run?.finished_us ? [', ended ', when(c?.finished_us ?? run.finished_us)] : null),
		question ? h('p', {class: 'question', 'data-key': 'question'}, bdi(question, 2000)) : null,
		verdict ? h('p', {class: 'verdict', 'data-key': 'verdict'}, verdict) : null,
		links(run),
		c && !c.verdict && c.waits_for && !isRunning(c) ? h('p', {class: 'note', 'data-key': 'waits'}, bdi(c.waits_for, 300)) : null,
		(c?.reason || run?.reason) ? h('p', {class: 'note', 'data-key': 'reason'}, bdi(c?.reason || run.reason, 1000)) : null,
		c ? h('div', {'data-key': 'facts'}, facts(c)) : null,
		c ? h('p', {'data-key': 'acts'}, buttons(c, lab, ui.confirming)) : null];
}

// `id` of the queue, or else the name of a run.
export function campaign(lab, id, slug) {
	const v = {c: null, run: null, belief: [], trials: []};
	let page = null; // `after` of the page of trials; null: the newest
	let soon = null, gone = false;
	const url = () => `/api/v1/runs/${encodeURIComponent(slug)}`;

	async function readTrials() {
		const after = page ?? Math.max(0, v.run.last_trial - PAGE);
		v.trials = (await get(`${url()}/trials?after=${after}&limit=${PAGE}`)).trials;
	}
	async function readRun() {
		v.run = (await get(url())).run;
		await readTrials();
		v.belief = await readBelief(url(), v.run.last_trial);
	}
	async function load() {
		if (id)
			v.c = lab.campaigns.get(id) ?? await lab.campaign(id);
		slug = v.c?.run ?? slug;
		if (slug)
			await readRun();
	}
	const view = {
		get title() {
			return v.c?.name ?? slug ?? `Campaign ${id}`;
		},
		load,
		leave() {
			gone = true;
			clearTimeout(soon);
		},
		on(wrapped) {
			if (wrapped.submission !== id || !['trial', 'leader', 'verdict', 'campaign', 'state'].includes(wrapped.event.event))
				return;
			soon ??= setTimeout(async () => {
				soon = null;
				await load().catch(() => {});
				if (!gone)
					lab.changed(id);
			}, SOON_MS * (0.8 + 0.4 * Math.random()));
		},
		async act(name) {
			const first = v.trials[0]?.number ?? 1, last = v.trials.at(-1)?.number ?? 0;
			page = name === 'newest' ? null : name === 'oldest' ? 0 : name === 'newer' ? last : Math.max(0, first - 1 - PAGE);
			if (name === 'newer' && last + PAGE >= v.run.last_trial)
				page = null;
			await readTrials();
		},
		render(ui) {
			if (id && lab.campaigns.has(id))
				v.c = lab.campaigns.get(id);
			if (!v.c && !v.run)
				return [h('h1', {'data-key': 'h1'}, view.title), h('p', {class: 'quiet'}, 'Reading …')];
			return [...head(v, lab, ui).filter(Boolean),
				v.run ? beliefSection(v.belief) : null,
				v.run?.candidates.length ? candidatesTable(v.run, v.belief) : null,
				id && isRunning(v.c) ? liveSection(lab, id) : null, // what is new stands before what is long
				v.run ? trialsSection(v) : null,
				id && !isRunning(v.c) ? liveSection(lab, id) : null,
				v.run && v.c ? h('p', {class: 'quiet', 'data-key': 'foot'}, `Run ${v.run.run}, ${count(v.run.last_trial, 'trial')}.`) : null];
		},
	};
	return view;
}
