// SPDX-License-Identifier: GPL-2.0-or-later
// How the probabilities of the leading hypotheses moved from trial to trial.
import {bdi, h, plain} from './dom.js';
import {percent} from './words.js';

const W = 640, H = 160, MOST = 5;

export function nameOf(x) {
	if (x.kind === 'none')
		return 'none of them';
	if (x.kind === 'empty')
		return 'the base does not do it';
	const members = (Array.isArray(x.members) ? x.members : []).map(plain);
	return members.length ? members.join(x.kind === 'either' ? ' or ' : ' + ') : plain(x.kind);
}

// Those that lead at the end, each with its probability after each trial (0 where it was not among
// the first).
function series(belief) {
	const names = belief.at(-1).ranking.slice(0, MOST).map(nameOf);
	const points = names.map(() => []);
	for (const b of belief) {
		const now = new Map(b.ranking.map((x) => [nameOf(x), x.probability]));
		names.forEach((n, i) => points[i].push([b.trial, now.get(n) ?? 0]));
	}
	return names.map((name, i) => ({name, points: points[i]}));
}

export function beliefChart(belief) {
	belief = belief.filter((b) => Array.isArray(b.ranking));
	if (belief.length < 2 || !belief.at(-1).ranking.length)
		return null;
	const all = series(belief), first = belief[0].trial, last = belief.at(-1).trial;
	const x = (t) => (W * (t - first) / Math.max(1, last - first)).toFixed(1);
	const y = (p) => (H * (1 - Math.min(1, Math.max(0, p)))).toFixed(1);
	const words = all.map((s) => `${s.name} ${percent(s.points.at(-1)[1])}`).join(', ');
	return h('figure', {class: 'belief', 'data-key': 'belief'},
		h('figcaption', null, `Belief after each trial, ${first} to ${last}`),
		h('svg', {class: 'plot', viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: 'none', role: 'img',
			'aria-label': `At the end: ${words}`},
			[0, 0.5, 1].map((p) => h('line', {class: 'grid', x1: 0, x2: W, y1: y(p), y2: y(p)})),
			all.map((s, i) => h('polyline', {class: `s${i}`, points: s.points.map(([t, p]) => `${x(t)},${y(p)}`).join(' ')}))),
		h('ul', {class: 'keys'}, all.map((s, i) => h('li', null,
			h('svg', {class: 'key', viewBox: '0 0 24 8', 'aria-hidden': 'true'}, h('line', {class: `s${i}`, x1: 0, x2: 24, y1: 4, y2: 4})),
			' ', bdi(s.name, 120), ' ', h('b', {class: 'n'}, percent(s.points.at(-1)[1]))))));
}
