// SPDX-License-Identifier: GPL-2.0-or-later
// What this page knows of the lab: read from the API, kept current by its events, read again when
// the connection was lost. While nobody sees the page it asks for nothing.
import {ApiError, follow, get, token} from './api.js';

const PAGE = 50, MOST = 200;
const KEEP_EVENTS = 100; // of a campaign
const KEEP_JOURNAL = 30;
const AGAIN_MS = 60000; // for what no event tells: why something waits, free space
const SOON_MS = 700, GAP_MS = 3000; // after an event: at most so often
const OUTCOMES = ['fault', 'clean', 'hang', 'panic', 'noboot', 'infra'];

const part = (o, keys) => Object.fromEntries(keys.filter((k) => k in o).map((k) => [k, o[k]]));
const jitter = (ms) => ms * (0.8 + 0.4 * Math.random());

// As progress.c of the daemon does; false: it was counted before.
export function fold(campaign, wrapped) {
	const p = campaign.progress ??= {}, e = wrapped.event;
	if (wrapped.time_us <= (p.time_us ?? 0))
		return false;
	p.time_us = wrapped.time_us;
	if (typeof e.elapsed === 'number')
		p.elapsed_s = e.elapsed;
	if (e.event === 'trial') {
		p.trials = (p.trials ?? 0) + 1;
		if (OUTCOMES.includes(e.outcome)) {
			p.outcomes ??= {};
			p.outcomes[e.outcome] = (p.outcomes[e.outcome] ?? 0) + 1;
		}
	} else if (e.event === 'build') {
		p.builds = (p.builds ?? 0) + 1;
	} else if (e.event === 'leader') {
		p.leading = part(e, ['name', 'kind', 'members', 'probability']);
	} else if (e.event === 'experiment') {
		p.experiment = part(e, ['name', 'purpose', 'mode', 'boots', 'reason']);
		p.seconds_left = e.seconds_left ?? p.seconds_left;
	} else if (e.event === 'verdict') {
		campaign.verdict = e;
	} else if (e.event === 'campaign') {
		campaign.run = e.run ?? campaign.run;
	} else if (e.event === 'state') {
		campaign.state = e.state;
		campaign.target = e.target ?? campaign.target;
	}
	return true;
}

export const isOver = (c) => ['done', 'failed', 'cancelled'].includes(c.state);
export const isRunning = (c) => c.state === 'running' || c.state === 'stopping';

export class Lab extends EventTarget {
	campaigns = new Map(); // id → as the API has it
	targets = [];
	journal = []; // oldest first
	events = new Map(); // id → the last ones, oldest first
	trouble = null;
	connection = 'begins'; // live, lost, hidden, locked (a token is wanted), full
	next = null; // `before` of the next page of older campaigns
	loaded = false;
	failures = 0;
	held = []; // events that came while something was read
	reads = 0;

	start() {
		document.addEventListener('visibilitychange', () => this.#seen());
		this.#seen();
	}

	// After a change of the token, or by hand.
	restart() {
		this.failures = 0;
		this.#stop();
		if (!document.hidden)
			this.#run();
	}

	#seen() {
		clearTimeout(this.hiding);
		if (!document.hidden) {
			if (!this.abort)
				this.#run();
			return;
		}
		this.hiding = setTimeout(() => {
			this.#stop();
			this.#connected('hidden');
		}, 5000);
	}

	#stop() {
		this.abort?.abort();
		this.abort = null;
		clearTimeout(this.timer);
		clearTimeout(this.soon);
		this.soon = null;
	}

	#connected(how, why = '') {
		this.why = why;
		if (this.connection === how)
			return;
		this.connection = how;
		this.dispatchEvent(new Event('connection'));
	}

	changed(id = null) {
		this.dispatchEvent(new CustomEvent('change', {detail: id}));
	}

	async #run() {
		const abort = this.abort = new AbortController();
		while (!abort.signal.aborted) {
			try {
				await follow(abort.signal, () => this.#opened(), (e) => this.#take(e));
				this.#lost(new ApiError(0, 'the connection has ended'));
			} catch (e) {
				if (abort.signal.aborted)
					return;
				this.#lost(e);
			}
			if (abort.signal.aborted || this.connection === 'locked')
				return;
			const wait = Math.min(30000, 1000 * 2 ** Math.min(this.failures++, 5));
			await new Promise((done) => setTimeout(done, jitter(this.connection === 'full' ? 15000 : wait)));
		}
	}

	#opened() {
		this.#connected('live');
		this.refresh();
	}

	#lost(e) {
		if (e.status === 401 || e.status === 403) {
			this.#connected('locked', e.message);
			this.#stop();
		} else if (e.status === 503) { // as many readers of events as the daemon takes
			this.#connected('full');
			this.refresh();
		} else {
			this.#connected('lost', e.message);
			if (!(e instanceof ApiError))
				console.warn(e);
		}
	}

	#take(wrapped) {
		if (this.reads) {
			this.held.push(wrapped);
			return;
		}
		const id = wrapped.submission, c = this.campaigns.get(id);
		if (!id) { // of a target or a disk: the journal has it
			this.refreshSoon();
			return;
		}
		const kept = this.events.get(id) ?? [];
		const last = kept.at(-1)?.time_us ?? 0;
		if (wrapped.time_us > last || !kept.length) {
			this.events.set(id, [...kept.slice(1 - KEEP_EVENTS), wrapped]);
			this.dispatchEvent(new CustomEvent('event', {detail: wrapped}));
		}
		if (c && fold(c, wrapped))
			this.changed(id);
		if (!c || wrapped.event.event === 'state')
			this.refreshSoon();
	}

	// Reads the state again, a moment later, once for many reasons.
	refreshSoon() {
		if (this.soon || !this.abort)
			return;
		const since = Date.now() - (this.refreshed ?? 0);
		this.soon = setTimeout(() => {
			this.soon = null;
			this.refresh();
		}, jitter(Math.max(SOON_MS, GAP_MS - since)));
	}

	async refresh() {
		const abort = this.abort;
		if (!abort)
			return;
		this.refreshed = Date.now();
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.refresh(), jitter(AGAIN_MS));
		try {
			await this.#holding(() => this.#read(abort));
			this.failures = 0;
		} catch (e) {
			if (abort === this.abort && (e.status === 401 || e.status === 403))
				this.#lost(e);
			else if (abort === this.abort && e.status !== 0)
				this.dispatchEvent(new CustomEvent('refused', {detail: e.message}));
		}
		if (abort === this.abort)
			this.changed();
	}

	// What is read may be older than an event that comes before all of it is there: that one counts after it.
	async #holding(read) {
		this.reads++;
		try {
			return await read();
		} finally {
			if (!--this.reads)
				for (const e of this.held.splice(0))
					this.#take(e);
		}
	}

	async #read(abort) {
		// one after the other: two connections a page, so that many pages of one address find room
		const newest = await get(`/api/v1/campaigns?limit=${PAGE}`);
		let active = newest.campaigns;
		for (const s of newest.next ? ['running', 'queued', 'paused'] : [])
			active = [...active, ...(await get(`/api/v1/campaigns?state=${s}&limit=${MOST}`)).campaigns];
		const targets = await get('/api/v1/targets');
		await this.#readJournal();
		if (abort !== this.abort)
			return;
		const current = new Set(active.map((c) => c.id));
		for (const c of this.campaigns.values())
			if (!current.has(c.id) && !isOver(c))
				this.campaigns.delete(c.id); // over meanwhile, further back than was read
		for (const c of active)
			this.campaigns.set(c.id, c);
		this.targets = targets.targets;
		this.trouble = newest.trouble;
		if (!this.loaded)
			this.next = newest.next;
		this.loaded = true;
	}

	async #readJournal() {
		let {journal, last} = await get(`/api/v1/journal?after=${this.lastNote ?? 0}&limit=${KEEP_JOURNAL}`);
		if (last > (journal.at(-1)?.id ?? last)) // more than is shown: only its end
			({journal} = await get(`/api/v1/journal?after=${last - KEEP_JOURNAL}&limit=${KEEP_JOURNAL}`));
		const first = this.lastNote === undefined;
		this.lastNote = journal.at(-1)?.id ?? this.lastNote ?? 0;
		this.journal = [...this.journal, ...journal].slice(-KEEP_JOURNAL);
		if (!first)
			for (const line of journal)
				this.dispatchEvent(new CustomEvent('note', {detail: line}));
	}

	// One more page of what is over.
	older() {
		this.reading ??= this.#older().finally(() => {
			this.reading = null;
		});
		return this.reading;
	}

	async #older() {
		for (let pages = 0; this.next && pages < 20; pages++) {
			const more = await get(`/api/v1/campaigns?before=${this.next}&limit=${PAGE}`);
			this.next = more.next;
			let over = 0;
			for (const c of more.campaigns) {
				over += isOver(c);
				if (!this.campaigns.has(c.id))
					this.campaigns.set(c.id, c);
			}
			if (over)
				break;
		}
		this.changed();
	}

	async campaign(id) {
		return this.#holding(async () => {
			const {campaign} = await get(`/api/v1/campaigns/${id}`);
			this.campaigns.set(campaign.id, campaign);
			return campaign;
		});
	}

	get mayAct() {
		return Boolean(token.get());
	}
}
