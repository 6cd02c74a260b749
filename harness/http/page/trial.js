// SPDX-License-Identifier: GPL-2.0-or-later
// One trial: its outcome, its faults, its files.
import {get, range} from './api.js';
import {variantName} from './campaign.js';
import {address, bdi, code, h} from './dom.js';
import {bytes, count, duration, outcome, when} from './words.js';

const FAULTS = 200, FAULT_BYTES = 1 << 18;
const TEXT = /\.(log|txt|md|json|jsonl|raw)$|^(cmdline|repeat)$/;

async function readFaults(files) {
	const file = files.find((f) => f.name === 'faults.jsonl');
	if (!file || !file.size || !address(file.url))
		return [];
	const {data} = await range(file.url, 0, FAULT_BYTES);
	const faults = [];
	for (const line of new TextDecoder().decode(data).split('\n').slice(0, FAULTS)) {
		try {
			const f = JSON.parse(line);
			if (f && typeof f === 'object')
				faults.push(f);
		} catch { /* the last one may be cut, and the file is whoever's it is */ }
	}
	return faults;
}

function faultsSection(faults) {
	if (!faults.length)
		return null;
	return h('section', {'aria-labelledby': 'faults', 'data-key': 'faults'},
		h('h2', {id: 'faults'}, `Faults`),
		faults.length >= FAULTS ? h('p', {class: 'quiet'}, `The first ${FAULTS}.`) : null,
		h('table', {class: 'cards'},
			h('thead', null, h('tr', null, ['Device', 'Access', 'Address', 'Reason', 'At', 'In the window'].map((t) => h('th', {scope: 'col'}, t)))),
			h('tbody', null, faults.map((f) => h('tr', null,
				h('th', {scope: 'row'}, code(f.device ?? '–', 40)),
				h('td', {'data-label': 'Access'}, bdi(f.access ?? '–', 40)),
				h('td', {'data-label': 'Address'}, code(f.address ?? '–', 40)),
				h('td', {'data-label': 'Reason'}, bdi(f.reason ?? f.kind ?? '–', 200)),
				h('td', {'data-label': 'At'}, Number.isFinite(f.time) ? `${(f.time / 1e6).toFixed(6)} s` : '–'),
				h('td', {'data-label': 'In the window'}, f.in_window ? 'yes' : 'no'))))));
}

function filesSection(slug, number, files) {
	const at = `#/run/${encodeURIComponent(slug)}/trial/${number}/file/`;
	return h('section', {'aria-labelledby': 'files', 'data-key': 'files'},
		h('h2', {id: 'files'}, 'Files'),
		files.length ? h('ul', {class: 'files'}, files.map((f) => h('li', null,
			TEXT.test(f.name) ? h('a', {href: at + encodeURIComponent(f.name)}, code(f.name, 255)) : code(f.name, 255),
			h('span', {class: 'quiet'}, ` ${bytes(f.size)} `),
			h('a', {href: f.url, 'data-open': '', 'aria-label': `${f.name} as it is`}, 'as it is'))))
			: h('p', {class: 'quiet'}, 'None: thinned by age, or the job died before it made any.'));
}

export function trial(lab, slug, number) {
	let run = null, t = null, files = [], faults = [];
	const url = `/api/v1/runs/${encodeURIComponent(slug)}`;
	return {
		title: `Trial ${number} of ${slug}`,
		async load() {
			[{run}, {trial: t}] = await Promise.all([get(url), get(`${url}/trials/${number}`)]);
			if (t.files && address(t.files)) {
				files = (await get(t.files)).files.sort((a, b) => a.name.localeCompare(b.name));
				faults = await readFaults(files);
			}
		},
		render() {
			const top = h('h1', {'data-key': 'h1'}, `Trial ${number} `, h('span', {class: 'quiet'}, 'of ',
				h('a', {href: `#/run/${encodeURIComponent(slug)}`}, bdi(slug, 140))));
			if (!t)
				return [top, h('p', {class: 'quiet'}, 'Reading …')];
			const row = (name, ...what) => h('div', null, h('dt', null, name), h('dd', null, ...what));
			const measures = Object.entries(t.measures ?? {}).filter(([, v]) => ['number', 'string'].includes(typeof v));
			const parts = Object.entries(t.seconds ?? {}).filter(([k, s]) => k !== 'total' && Number(s) > 0.005);
			const link = (n, text) => h('a', {href: `#/run/${encodeURIComponent(slug)}/trial/${n}`}, text);
			return [top,
				h('p', {class: 'row', 'data-key': 'turn'}, number > 1 ? link(number - 1, '← the one before') : null,
					number < run.last_trial ? link(number + 1, 'the next one →') : null),
				h('dl', {class: 'rows', 'data-key': 'rows'},
					row('Outcome', outcome(t.outcome), t.reason ? h('span', {class: 'why'}, bdi(t.reason, 2000)) : null),
					row('Kernel', variantName(run.candidates, t)),
					row('Build', code(t.build, 80)),
					row('Target', bdi(t.target, 80), ', ', bdi(t.mode, 40)),
					row('Why', bdi(t.purpose, 40), t.plan?.reason ? [': ', bdi(t.plan.reason, 600)] : null),
					row('Ended', when(t.time_us, true)),
					row('Took', duration(t.seconds?.total), parts.length ? h('span', {class: 'why'},
						parts.map(([k, s]) => `${k} ${duration(s)}`).join(', ')) : null),
					measures.length ? row('Measured', bdi(measures
						.map(([k, v]) => `${k.replace(/_us$/, '')} ${k.endsWith('_us') ? duration(v / 1e6) : v}`).join(', '), 400)) : null),
				faultsSection(faults), filesSection(slug, number, files),
				files.length > 999 ? h('p', {class: 'quiet'}, count(files.length, 'file')) : null];
		},
	};
}
