// SPDX-License-Identifier: GPL-2.0-or-later
// The morning report: what the last night came to, most important first. Read once, and again when
// something ends; what can be pressed is as the lab is now.
import {get} from './api.js';
import {bdi, clean, h} from './dom.js';
import {targetTable} from './lab.js';
import {leading, overItem, waitingTable} from './overview.js';
import {isRunning} from './state.js';
import {bytes, count, duration, percent, when} from './words.js';

const RANGES = [['12h', '12 hours'], ['24h', '24 hours'], ['3d', '3 days'], ['7d', 'a week']];
const MOST = 100, NOTICES = 50;
const SOON_MS = 3000, GAP_MS = 20000; // after something ended: at most so often
const BREAKS = {orphan: 'lost its daemon', retry: 'failed and was started again', stopped: 'was stopped', stall: 'stalled', paused: 'was paused'};
const NOTICE_STATES = {sent: 'told', sending: 'being told', pending: 'waits', 'given-up': 'given up'};

function section(id, title, ...what) {
	return h('section', {'aria-labelledby': id, 'data-key': id}, h('h2', {id}, title), ...what);
}

// The first of them, and how many there are besides.
function some(all, most, show) {
	return [show(all.slice(0, most)), all.length > most ? h('p', {class: 'quiet'}, `and ${all.length - most} more`) : null];
}

function figure(name, n, note, bad) {
	return h('div', {'data-key': name}, h('dt', null, name),
		h('dd', null, h('b', {class: bad && n ? 'bad' : null}, String(n)), h('span', {class: 'why'}, note)));
}

function figures(doc, of) {
	const w = doc.work;
	const lost = w.infra ? `${w.infra} lost by the lab (${percent(w.infra / w.boots)})` : null;
	return h('dl', {class: 'figures', 'data-key': 'figures'},
		figure('Verdicts', of('done').length), figure('Failed', of('failed').length, null, true),
		figure('Running', of('running', 'stopping').length), figure('Waiting', of('queued', 'waiting', 'paused').length),
		figure('Boots', w.boots, [w.boot_s ? `in ${duration(w.boot_s)}` : null, w.boot_s && lost ? ', ' : null, lost]),
		figure('Builds', w.builds, w.compile_s ? `in ${duration(w.compile_s)}` : null));
}

function over(id, title, all, lab, confirming) {
	return all.length ? section(id, title, some(all, MOST, (few) => h('ol', {class: 'over'}, few.map((c) => overItem(c, lab, confirming))))) : null;
}

function runningRow(c) {
	const p = c.progress ?? {};
	return h('tr', {'data-key': `c${c.id}`},
		h('th', {scope: 'row'}, h('a', {href: `#/campaign/${c.id}`}, `${c.id} `, bdi(c.name, 80)), h('span', {class: 'why'}, 'on ', bdi(c.target ?? '–', 60))),
		h('td', {'data-label': 'Leads'}, h('span', null, leading(p))),
		h('td', {'data-label': 'Boots'}, String(c.work?.boots ?? p.trials ?? 0)),
		h('td', {'data-label': 'Time left'}, p.stalled_us ? h('strong', {class: 'bad'}, '✗ stalled since ', when(p.stalled_us))
			: Number(p.seconds_left) > 0 ? `about ${duration(p.seconds_left)}` : h('span', {class: 'quiet'}, 'not known yet')));
}

function running(all) {
	return all.length ? section('running', 'Still running', some(all, MOST, (few) => h('table', {class: 'cards'},
		h('thead', null, h('tr', null, ['Campaign', 'Leads', 'Boots', 'Time left'].map((t) => h('th', {scope: 'col'}, t)))),
		h('tbody', null, few.map(runningRow))))) : null;
}

function waiting(all, lab, confirming) {
	return all.length ? section('waiting', 'Waiting', some(all, MOST, (few) => waitingTable(few, lab, confirming))) : null;
}

function breaks(c) {
	return Object.entries(BREAKS).filter(([kind]) => c.notes?.[kind]).map(([kind, words], i) => {
		const {count: n, text} = c.notes[kind];
		return [i ? '; ' : null, words, n > 1 ? ` ${n} times` : null, text && kind !== 'orphan' ? [' (', bdi(text, 300), ')'] : null];
	});
}

function interrupted(all) {
	const broken = all.filter((c) => c.state !== 'failed' && breaks(c).length);
	return broken.length ? section('interrupted', 'Interrupted', some(broken, MOST, (few) => h('ul', {class: 'over'},
		few.map((c) => h('li', {'data-key': `c${c.id}`}, h('a', {href: `#/campaign/${c.id}`}, `${c.id} `, bdi(c.name, 80)), ' ', breaks(c)))))) : null;
}

function lost(all) {
	const some_lost = all.filter((c) => c.work?.infra).sort((a, b) => b.work.infra - a.work.infra);
	return some_lost.length ? section('lost', 'Lost by the lab',
		h('p', {class: 'quiet'}, 'Boots that failed because of a machine or a disk: no evidence, and made again.'),
		some(some_lost, 20, (few) => h('ul', {class: 'over'}, few.map((c) => h('li', {'data-key': `c${c.id}`},
			h('a', {href: `#/campaign/${c.id}`}, `${c.id} `, bdi(c.name, 80)),
			` ${c.work.infra} of ${count(c.work.boots, 'boot')} (${percent(c.work.infra / c.work.boots)})`,
			c.target ? [' on ', bdi(c.target, 60)] : null))))) : null;
}

function lines(doc, kinds) {
	const all = doc.lab.filter((l) => kinds.includes(l.kind)).reverse();
	return all.length ? some(all, MOST, (few) => h('ol', {class: 'events', tabindex: '0', 'aria-label': 'What happened, newest first'},
		few.map((l) => h('li', {'data-key': `j${l.id}`}, when(l.time_us), ' ', h('b', null, bdi(l.kind, 40)), ' ', bdi(l.text, 300))))) : null;
}

function targets(doc, lab) {
	const sick = (lab.loaded ? lab.targets : doc.targets).filter((t) => t.health && t.health !== 'ok');
	const told = lines(doc, ['quarantine', 'released', 'unhealthy']);
	return sick.length || told ? section('targets', sick.length ? 'Targets in quarantine' : 'Targets',
		sick.length ? targetTable(sick, lab) : h('p', {class: 'good'}, '✓ none is in quarantine now'), told) : null;
}

function disks(doc) {
	return section('disks', 'Disks', doc.trouble ? h('p', {class: 'note bad'}, h('strong', null, 'Nothing starts: '), bdi(doc.trouble, 400)) : null,
		h('p', null, 'Free: ', Object.entries(doc.disks).map(([name, free], i) => [i ? ', ' : null, bdi(name, 40), ' ', h('b', {class: 'n'}, bytes(free))])),
		lines(doc, ['disk', 'disk-back']));
}

function noticeRow(n) {
	const open = n.state !== 'sent';
	return h('tr', {'data-key': `n${n.id}`},
		h('th', {scope: 'row'}, bdi(n.receiver, 60)),
		h('td', {'data-label': 'What'}, h('span', null, bdi(n.type, 40), n.about ? h('span', {class: 'why'}, bdi(n.about, 300)) : null)),
		h('td', {'data-label': 'State'}, h('span', null,
			h('span', {class: n.state === 'sent' ? 'good' : n.state === 'given-up' ? 'bad' : null}, n.state === 'sent' ? '✓ ' : n.state === 'given-up' ? '✗ ' : '… ',
				bdi(Object.hasOwn(NOTICE_STATES, n.state) ? NOTICE_STATES[n.state] : n.state, 40)), ' ', when(n.done_us || n.created_us),
			open && n.attempts ? `, ${count(n.attempts, 'attempt')}` : null,
			open && n.detail ? h('span', {class: 'why'}, bdi(n.detail, 300)) : null)));
}

function notices(doc, told) {
	const open = told.notices.filter((n) => n.state !== 'sent');
	const all = [...open, ...told.notices.filter((n) => n.state === 'sent' && n.created_us >= doc.since_us)];
	const {pending = 0, given_up: lostOnes = 0} = doc.notices;
	if (!told.receivers.length && !all.length)
		return null;
	return section('notices', 'Notifications',
		h('p', {class: 'quiet'}, `${count(told.receivers.length, 'receiver')}, ${pending} not delivered yet`,
			lostOnes ? [', ', h('strong', {class: 'bad'}, `${lostOnes} given up`)] : null),
		all.length ? h('table', {class: 'cards'},
			h('thead', null, h('tr', null, ['Receiver', 'What', 'State'].map((t) => h('th', {scope: 'col'}, t)))),
			h('tbody', null, all.map((n) => noticeRow(n)))) : h('p', {class: 'quiet'}, 'Nobody was told anything.'));
}

function daemon({starts, killed}) {
	return starts ? h('p', {class: 'quiet', 'data-key': 'daemon'}, `The daemon started ${starts === 1 ? 'once' : `${starts} times`}`,
		killed ? `, ${killed === starts ? '' : `${killed} of them `}after it was killed.` : '.') : null;
}

function title(since) {
	const known = RANGES.find(([name]) => name === since);
	return since === '12h' || since === '24h' ? 'Last night' : known ? `The last ${known[1].replace('a ', '')}` : `Since ${since}`;
}

// `since` as kexsect summary has it.
export function summary(lab, since) {
	let doc = null, told = null, soon = null, read = 0, gone = false;
	async function load() {
		read = Date.now();
		const next = await get(`/api/v1/summary?since=${since}`);
		told = await get(`/api/v1/notices?limit=${NOTICES}`);
		doc = next;
	}
	return {
		title: title(since),
		load,
		leave() {
			gone = true;
			clearTimeout(soon);
		},
		on(wrapped) {
			if (!['verdict', 'state'].includes(wrapped.event.event))
				return;
			soon ??= setTimeout(async () => {
				soon = null;
				await load().catch(() => {}); // it is asked for again with the next end
				if (!gone)
					lab.changed();
			}, (0.8 + 0.4 * Math.random()) * Math.max(SOON_MS, GAP_MS - (Date.now() - read)));
		},
		act: (name) => (name === 'again' ? load() : null),
		render({confirming}) {
			const head = [h('h1', {'data-key': 'h1'}, title(since)),
				h('p', {class: 'row kicker', 'data-key': 'kicker'},
					doc ? h('span', null, bdi(doc.host, 60), ', ', when(doc.since_us), ' to ', when(doc.until_us)) : null,
					h('button', {type: 'button', 'data-act': 'again', 'data-key': 'again'}, 'Read again')),
				h('p', {class: 'row', role: 'group', 'aria-label': 'How far back', 'data-key': 'ranges'}, RANGES.map(([name, words]) =>
					h('a', {href: `#/summary/${name}`, 'aria-current': name === since ? 'true' : null, 'data-key': name}, clean(words))))];
			if (!doc)
				return [head, h('p', {class: 'quiet', 'data-key': 'reading'}, 'Reading …')];
			const all = doc.submissions.map((s) => ({...s, ...lab.campaigns.get(s.id)})).reverse();
			const of = (...states) => all.filter((c) => states.includes(c.state));
			return [head, figures(doc, of),
				doc.work_why ? h('p', {class: 'note', 'data-key': 'why'}, bdi(doc.work_why, 300)) : null,
				!all.length ? h('p', {class: 'quiet', 'data-key': 'nothing'}, 'No campaign ran, waited or ended.') : null,
				over('verdicts', 'Verdicts', of('done'), lab, confirming), over('failed', 'Failed', of('failed'), lab, confirming),
				running(all.filter(isRunning)), waiting(of('queued', 'waiting', 'paused'), lab, confirming),
				over('cancelled', 'Cancelled', of('cancelled'), lab, confirming),
				targets(doc, lab), interrupted(all), lost(all), disks(doc), notices(doc, told), daemon(doc.daemon)];
		},
	};
}
