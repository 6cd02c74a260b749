// SPDX-License-Identifier: GPL-2.0-or-later
// All runs whose results are here, also those that were not made by the daemon.
import {get} from './api.js';
import {bdi, h} from './dom.js';
import {percent, state, when} from './words.js';

function verdict(v) {
	if (!v)
		return h('span', {class: 'quiet'}, 'none yet');
	return [v.kind === 'inconclusive' ? 'Inconclusive: ' : null, bdi(v.sentence, 300),
		v.kind === 'cause' ? [' ', h('b', {class: 'n'}, percent(v.probability))] : null];
}

export function results() {
	let runs = [], next = null, loaded = false;
	async function more() {
		const page = await get(`/api/v1/runs?limit=50${next ? `&before=${next}` : ''}`);
		const known = new Set(runs.map((r) => r.run));
		runs = [...runs, ...page.runs.filter((r) => !known.has(r.run))];
		next = page.next;
		loaded = true;
	}
	return {
		title: 'Results',
		load: more,
		act: (name) => (name === 'more' ? more() : null),
		render() {
			return [h('h1', {'data-key': 'h1'}, 'Results'),
				!loaded ? h('p', {class: 'quiet'}, 'Reading …') : !runs.length ? h('p', {class: 'quiet'}, 'None yet.')
					: h('table', {class: 'cards', 'data-key': 'runs'},
						h('thead', null, h('tr', null, ['Run', 'State', 'Verdict', 'Begun', 'Ended'].map((t) => h('th', {scope: 'col'}, t)))),
						h('tbody', null, runs.map((r) => h('tr', {'data-key': `r${r.run}`},
							h('th', {scope: 'row'}, h('a', {href: `#/run/${encodeURIComponent(r.run)}`}, bdi(r.run, 140)),
								r.title ? h('span', {class: 'why'}, bdi(r.title, 200)) : null),
							h('td', {'data-label': 'State'}, state(r.state)),
							h('td', {'data-label': 'Verdict'}, h('span', null, verdict(r.verdict),
								r.reason ? h('span', {class: 'why'}, bdi(r.reason, 300)) : null)),
							h('td', {'data-label': 'Begun'}, when(r.created_us)),
							h('td', {'data-label': 'Ended'}, when(r.finished_us)))))),
				next ? h('p', {'data-key': 'more'}, h('button', {type: 'button', 'data-act': 'more'}, 'Older ones')) : null];
		},
	};
}
