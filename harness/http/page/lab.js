// SPDX-License-Identifier: GPL-2.0-or-later
// The machines of the lab, and what happened lately.
import {bdi, clean, h} from './dom.js';
import {count, duration, when} from './words.js';

function link(id, lab) {
	const c = lab.campaigns.get(id);
	return h('a', {href: `#/campaign/${id}`}, `${id}`, c ? [' ', bdi(c.name, 60)] : null);
}

function holders(t, lab) {
	const all = t.leases ?? [];
	if (!all.length)
		return h('span', {class: 'quiet'}, 'free');
	return all.map((l, i) => [i ? ', ' : null, l.submission ? link(l.submission, lab)
		: h('span', null, 'a process that was left')]);
}

function health(t) {
	if (!t.health)
		return null;
	if (t.health === 'ok')
		return [h('span', {class: 'good'}, '✓ healthy'),
			t.failures ? ` after ${count(t.failures, 'failure')}` : null];
	return [h('strong', {class: 'bad'}, '✗ ', bdi(t.health, 40)), t.since_us ? [' since ', when(t.since_us)] : null,
		t.failures ? `, ${count(t.failures, 'failure')}` : null,
		t.reason ? [': ', bdi(t.reason, 400)] : null,
		t.checking ? '; a check runs now' : t.next_check_us ? ['; next check ', when(t.next_check_us)] : null];
}

function button(act, text, t) {
	return h('button', {type: 'button', 'data-act': act, 'data-key': act, 'data-target': t.name,
		'aria-label': `${text} ${clean(t.name)}`}, text);
}

function row(t, lab) {
	const sick = t.health && t.health !== 'ok';
	return h('tr', {'data-key': `t${t.name}`},
		h('th', {scope: 'row'}, bdi(t.name, 80)),
		h('td', {'data-label': 'Used by'}, h('span', null, holders(t, lab), t.slots > 1 ? h('span', {class: 'quiet'},
			` (${(t.leases ?? []).length} of ${t.slots})`) : null)),
		h('td', {'data-label': 'Health'}, h('span', null, health(t) ?? h('span', {class: 'quiet'}, '–')),
			sick && lab.mayAct ? h('span', {class: 'acts below'}, button('release', 'Release', t), t.checking ? null : button('check', 'Check now', t)) : null));
}

export function targetTable(all, lab) {
	return h('table', {class: 'cards'},
		h('thead', null, h('tr', null, h('th', {scope: 'col'}, 'Target'), h('th', {scope: 'col'}, 'Used by'),
			h('th', {scope: 'col'}, 'Health'))),
		h('tbody', null, all.map((t) => row(t, lab))));
}

export function targets(lab) {
	const all = lab.targets;
	const sick = all.filter((t) => t.health && t.health !== 'ok');
	return h('section', {'aria-labelledby': 'targets', 'data-key': 'targets'},
		h('h2', {id: 'targets'}, 'Targets'),
		all.length ? h('p', {class: 'quiet'}, `${count(all.length, 'target')}, `,
			`${all.filter((t) => (t.leases ?? []).length).length} in use`,
			sick.length ? [', ', h('strong', {class: 'bad'}, `${sick.length} in quarantine`)] : null) : null,
		all.length ? targetTable([...sick, ...all.filter((t) => !sick.includes(t))], lab)
			: h('p', {class: 'quiet'}, 'None is known: the configuration names none, and nothing is in the queue.'));
}

export function lately(lab) {
	const lines = [...lab.journal].reverse();
	if (!lines.length)
		return null;
	return h('section', {'aria-labelledby': 'lately', 'data-key': 'lately'},
		h('h2', {id: 'lately'}, 'Lately'),
		h('ol', {class: 'events'}, lines.map((l) => h('li', {'data-key': `j${l.id}`},
			when(l.time_us), ' ', l.submission ? [link(l.submission, lab), ' '] : l.text ? null : 'the daemon ',
			h('b', null, bdi(l.kind, 40)), l.text ? [' ', bdi(l.text, 300)] : null))));
}

export function left(p) {
	return Number(p.seconds_left) > 0 ? `, about ${duration(p.seconds_left)} left` : null;
}
