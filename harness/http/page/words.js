// SPDX-License-Identifier: GPL-2.0-or-later
// Times, amounts and outcomes for people.
import {bdi, h, plain} from './dom.js';

const OUTCOMES = {
	fault: ['F', 'fault'], clean: ['c', 'clean'], hang: ['H', 'hang'], panic: ['P', 'panic'],
	noboot: ['N', 'did not boot'], infra: ['i', 'the lab failed'],
};
export const OUTCOME_NAMES = Object.keys(OUTCOMES);

const STATES = {
	running: '▶', stopping: '◼', queued: '…', waiting: '◷', paused: '‖', done: '✓', failed: '✗',
	cancelled: '⊘', stopped: '‖',
};

// The letter of an outcome, in a shape of its own; the word beside it unless `alone`.
export function outcome(name, alone = false) {
	const own = Object.hasOwn(OUTCOMES, name);
	const [letter, word] = own ? OUTCOMES[name] : ['?', name];
	const known = own ? name : 'unknown';
	const mark = h('span', {class: `t t-${known}`, 'aria-hidden': 'true'}, letter);
	return alone ? h('span', {title: word}, mark, h('span', {class: 'out-of-sight'}, word))
		: h('span', {class: 'outcome'}, mark, ' ', bdi(word, 40));
}

export function state(name) {
	const known = Object.hasOwn(STATES, name) ? name : 'unknown';
	return h('span', {class: `state s-${known}`},
		h('span', {'aria-hidden': 'true'}, STATES[known] ?? '?'), ' ', bdi(name, 40));
}

const clock = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit', hourCycle: 'h23'});
const exact = new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'});
const day = new Intl.DateTimeFormat(undefined, {day: 'numeric', month: 'short'});
const year = new Intl.DateTimeFormat(undefined, {day: 'numeric', month: 'short', year: 'numeric'});

// Microseconds since 1970: local, as short as it is clear; UTC when pointed at.
export function when(us, seconds = false) {
	const d = new Date(Number(us) / 1000);
	if (!us || Number.isNaN(d.getTime()))
		return h('span', {class: 'quiet'}, '–');
	const now = new Date();
	const time = (seconds ? exact : clock).format(d);
	const text = d.toDateString() === now.toDateString() ? time
		: `${(d.getFullYear() === now.getFullYear() ? day : year).format(d)}, ${time}`;
	const iso = d.toISOString();
	return h('time', {datetime: iso, title: `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`}, text);
}

// 42 s, 5 min, 1 h 20 min, 3 days
export function duration(seconds) {
	const s = Number(seconds);
	if (!Number.isFinite(s) || s < 0)
		return '–';
	if (s < 9.95)
		return `${s < 1 ? s.toFixed(2) : s.toFixed(1)} s`;
	if (s < 90)
		return `${Math.round(s)} s`;
	const minutes = Math.round(s / 60);
	if (minutes < 60)
		return `${minutes} min`;
	const hours = Math.floor(minutes / 60);
	return hours < 48 ? `${hours} h ${minutes % 60 ? `${minutes % 60} min` : ''}`.trim()
		: `${Math.round(hours / 24)} days`;
}

// 64 %; never 0 or 100 of what is not quite.
export function percent(p) {
	const n = Number(p);
	if (!Number.isFinite(n))
		return '–';
	if (n > 0 && n < 0.01)
		return '< 1 %';
	if (n > 0.99 && n < 1)
		return n >= 0.999 ? '> 99.9 %' : `${(Math.floor(n * 1000) / 10).toFixed(1)} %`;
	return `${Math.round(n * 100)} %`;
}

export function bytes(n) {
	const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
	let v = Number(n) || 0, u = 0;
	while (v >= 1024 && u < 4) {
		v /= 1024;
		u++;
	}
	return `${u && v < 10 ? v.toFixed(1) : Math.round(v)} ${units[u]}`;
}

export function count(n, one, many = `${one}s`) {
	return `${n} ${n === 1 ? one : many}`;
}

// A bar of 0…1; what it says stands beside it in words.
export function bar(p) {
	const width = 100 * Math.min(1, Math.max(0, Number(p) || 0));
	return h('svg', {class: 'bar', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true'},
		h('rect', {class: 'bar-room', width: 100, height: 8}),
		h('rect', {class: 'bar-part', width: width.toFixed(1), height: 8}));
}

// How many trials had which outcome: a bar in their colours, and the same in words.
export function outcomes(counts) {
	const some = OUTCOME_NAMES.filter((o) => Number(counts?.[o]) > 0);
	const sum = some.reduce((n, o) => n + Number(counts[o]), 0);
	if (!sum)
		return h('span', {class: 'quiet'}, 'none yet');
	let x = 0;
	const rects = some.map((o) => {
		const width = 100 * Number(counts[o]) / sum, at = x;
		x += width;
		return h('rect', {class: `o-${o}`, x: at.toFixed(2), width: width.toFixed(2), height: 8});
	});
	return [h('svg', {class: 'bar', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true'}, rects),
		h('span', {class: 'legend'}, some.map((o) => h('span', null, outcome(o), ` ${counts[o]} `)))];
}

// What an event says, in a line. Its values are the engine's, and may be anything.
export function eventText(event) {
	const e = Object.fromEntries(Object.entries(event).map(([k, v]) => [k, Array.isArray(v) ? v.map(plain).join(' + ') : plain(v)]));
	const after = (sign, what) => (what ? `${sign}${what}` : '');
	switch (e.event) {
	case 'state':
		return e.state + after(' on ', e.target) + after(': ', e.reason);
	case 'campaign':
		return `run ${e.run ?? ''}`;
	case 'experiment':
		return `tries ${e.name ?? ''} (${e.purpose ?? ''}, ${e.mode ?? ''})${after(': ', e.reason)}`;
	case 'build':
		return `${event.cached === true ? 'kernel from the cache' : 'kernel built'}: ${e.name || e.variant || 'base'}, ` +
			`${e.status ?? ''}${after(', ', e.reason)} (${duration(event.seconds)})`;
	case 'trial':
		return `trial ${e.trial ?? ''}: ${e.outcome ?? ''}, ${e.name || e.variant || 'base'}${after(' – ', e.reason)}` +
			(event.seconds > 0 ? ` (${duration(event.seconds)})` : '');
	case 'leader':
		return `${event.changed === false ? 'still' : 'now'} leading: ${e.name ?? ''} (${percent(event.probability)})`;
	case 'note':
		return e.text ?? '';
	case 'verdict':
		return `verdict: ${e.sentence || e.reason || e.kind || ''}`;
	default:
		return plain(event);
	}
}
