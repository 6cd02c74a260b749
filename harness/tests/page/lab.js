// SPDX-License-Identifier: GPL-2.0-or-later
// A real kexsectd with the engine that plays campaigns (../daemon/fake_engine.c), in a folder of its own.
import {execFileSync, spawn} from 'node:child_process';
import {createServer} from 'node:net';
import {mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import {tmpdir} from 'node:os';
import {dirname} from 'node:path';

const {KEXSECTD, FAKE_ENGINE, HTTP_PACK} = process.env;

// One that nobody listens on, and that no connection gets meanwhile (ip_local_port_range begins above).
async function freePort() {
	for (;;) {
		const port = 15000 + Math.floor(Math.random() * 15000);
		const free = await new Promise((done) => {
			const s = createServer().on('error', () => done(false)).listen(port, '127.0.0.1', () => s.close(() => done(true)));
		});
		if (free)
			return port;
	}
}

export class Lab {
	// `tls`: on all addresses, as other machines would reach it.
	static async make(config = '', tls = false) {
		const lab = new Lab();
		lab.dir = mkdtempSync(`${tmpdir()}/kexsect-page-`);
		lab.state = `${lab.dir}/state`;
		lab.port = await freePort();
		lab.url = `${tls ? 'https' : 'http'}://127.0.0.1:${lab.port}`;
		if (tls) {
			execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj',
				'/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', `${lab.dir}/key.pem`, '-out', `${lab.dir}/cert.pem`],
			{stdio: 'ignore'});
			config += `tls: {certificate: ${lab.dir}/cert.pem, key: ${lab.dir}/key.pem}\n`;
			process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; // this test's own certificate
		}
		writeFileSync(`${lab.dir}/kexsectd.yaml`,
			`listen: ${tls ? '0.0.0.0' : '127.0.0.1'}:${lab.port}\nlimits: {disk_free_gib: 0, campaigns: 4, queue: 2000, queue_of_user: 2000}\n${config}`);
		lab.tokens = {};
		for (const role of ['read', 'operate', 'admin'])
			lab.tokens[role] = execFileSync(KEXSECTD, ['--state', lab.state, '--new-token', role], {encoding: 'utf8'}).trim();
		return lab;
	}

	async start() {
		const log = openSync(`${this.dir}/log`, 'a');
		this.daemon = spawn(KEXSECTD, ['--state', this.state, '--config', `${this.dir}/kexsectd.yaml`, '--engine', FAKE_ENGINE,
			'--retry', '0.05', '--grace', '2'], {stdio: ['ignore', 'ignore', log]});
		this.ended = new Promise((done) => this.daemon.on('exit', (code, signal) => {
			this.daemon = null;
			done(code ?? signal);
		}));
		for (let i = 0; i < 1200; i++) {
			try {
				await fetch(`${this.url}/healthz`);
				return this;
			} catch {
				if (!this.daemon)
					break;
				await sleep(50);
			}
		}
		throw new Error(this.said());
	}

	said() {
		return readFileSync(`${this.dir}/log`, 'utf8');
	}

	async kill(signal = 'SIGKILL') {
		this.daemon?.kill(signal);
		return this.ended;
	}

	async end() {
		const status = await this.kill('SIGTERM');
		const said = this.said();
		delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
		rmSync(this.dir, {recursive: true, force: true});
		if (status !== 0)
			throw new Error(`kexsectd: ${status}\n${said}`);
	}

	sql(db, text) {
		return execFileSync('sqlite3', ['-cmd', '.timeout 20000', db === 'queue' ? `${this.state}/queue.db`
			: `${this.state}/results/kexsect.db`], {encoding: 'utf8', input: text});
	}

	async ask(path, options = {}) {
		const r = await fetch(this.url + path, {...options, headers: {Authorization: `Bearer ${this.tokens.admin}`, ...options.headers}});
		const text = await r.text();
		if (!r.ok)
			throw new Error(`${path}: ${r.status} ${text}`);
		return JSON.parse(text);
	}

	async metrics() {
		const text = await (await fetch(`${this.url}/metrics`)).text();
		return Object.fromEntries(text.split('\n').filter((l) => /^\w+ \d+$/.test(l)).map((l) => l.split(' ')).map(([k, v]) => [k, Number(v)]));
	}

	// The command line, on this daemon.
	kexsect(...words) {
		return execFileSync(`${dirname(KEXSECTD)}/kexsect`, words, {encoding: 'utf8', env: {...process.env, KEXSECT_SOCKET: `${this.state}/socket`}});
	}

	// Gives a trial files.
	evidence(run, number, files) {
		const at = `campaigns/${run}/trials/${number}`, folder = `${this.state}/results/${at}`;
		mkdirSync(folder, {recursive: true});
		for (const [name, text] of Object.entries(files))
			writeFileSync(`${folder}/${name}`, text);
		this.sql('store', `UPDATE trial SET evidence='${at}' WHERE number=${number} AND campaign=(SELECT id FROM campaign WHERE slug='${run}')`);
	}

	// `play` as fake_engine.c has it; `say`: events that it tells at once.
	async submit(name, {play = 'trials=3 ms=5', say = [], title = '', question = '', target = 't1', priority = 0} = {}) {
		const folder = `${this.dir}/configs`;
		mkdirSync(`${folder}/campaigns`, {recursive: true});
		mkdirSync(`${folder}/targets`, {recursive: true});
		writeFileSync(`${folder}/targets/${target}.yaml`, `name: ${target}\ndriver: libvirt\n`);
		const path = `${folder}/campaigns/${name}.yaml`;
		writeFileSync(path, `name: ${name}\n` + (title ? `title: ${JSON.stringify(title)}\n` : '') +
			(question ? `question: ${JSON.stringify(question)}\n` : '') +
			`base: linux-6.1\noracle: vtd-window\nparameters: [nox2apic, maxcpus=1]\ntargets: [${target}]\n# fake: ${play}\n` +
			say.map((e) => `# say: ${JSON.stringify(e)}\n`).join(''));
		const snapshot = JSON.parse(execFileSync(HTTP_PACK, [path], {encoding: 'utf8', maxBuffer: 1 << 28}));
		const {campaign} = await this.ask('/api/v1/campaigns', {method: 'POST', headers: {'Content-Type': 'application/json'},
			body: JSON.stringify({snapshot, priority})});
		return campaign;
	}

	// Lets a campaign of this name go on behind its gate.
	open(name) {
		writeFileSync(`${this.state}/results/open-${name}`, '');
	}

	async wait(id, state) {
		for (let i = 0; i < 1800; i++) {
			const {campaign} = await this.ask(`/api/v1/campaigns/${id}`);
			if (campaign.state === state)
				return campaign;
			await sleep(50);
		}
		throw new Error(`campaign ${id} is not ${state}`);
	}
}
