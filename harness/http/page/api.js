// SPDX-License-Identifier: GPL-2.0-or-later
// The API: requests with the token of this tab, and the events as they happen.

const KEY = 'kexsect-token', WANTED = 'kexsect-token-wanted';
const SILENT_MS = 20000; // the daemon says every few seconds that it lives

export class ApiError extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

const memory = new Map(); // where the browser lets no page store anything

function recall(key) {
	try {
		return sessionStorage.getItem(key) ?? memory.get(key) ?? '';
	} catch {
		return memory.get(key) ?? '';
	}
}

function keep(key, text) {
	memory.set(key, text);
	try {
		sessionStorage.setItem(key, text);
	} catch { /* memory has it */ }
}

// Of this tab; gone with it.
export const token = {
	get: () => recall(KEY),
	set: (text) => keep(KEY, text),
	// reading takes one too, so that a plain link does not work
	isWanted: () => recall(WANTED) !== '',
	want: () => keep(WANTED, '1'),
};

function headers(more) {
	const t = token.get();
	return t ? {...more, Authorization: `Bearer ${t}`} : more;
}

async function refusal(r) {
	let message = `the daemon answers ${r.status}`;
	try {
		message = (await r.json()).error.message;
	} catch { /* what it says is no JSON */ }
	return new ApiError(r.status, message);
}

async function ask(path, options) {
	let r;
	try {
		r = await fetch(path, {...options, headers: headers(options?.headers), redirect: 'error'});
	} catch (e) {
		if (e.name === 'AbortError')
			throw e;
		throw new ApiError(0, 'the daemon does not answer');
	}
	if (r.status === 401 && !token.get() && !options?.method)
		token.want();
	if (!r.ok)
		throw await refusal(r);
	return r;
}

export async function get(path) {
	return (await ask(path)).json();
}

export async function post(path) {
	return (await ask(path, {method: 'POST'})).json();
}

// Bytes from…to (without `to`) of a file: {data, size, from}.
export async function range(path, from, to) {
	const r = await ask(path, {headers: {Range: `bytes=${from}-${to - 1}`}}).catch((e) => {
		if (e.status === 416) // an empty file has no byte at all
			return null;
		throw e;
	});
	if (!r)
		return {data: new Uint8Array(), size: 0, from: 0};
	const at = /^bytes (\d+)-\d+\/(\d+)$/.exec(r.headers.get('Content-Range') ?? '');
	const data = new Uint8Array(await r.arrayBuffer());
	return {data, size: at ? Number(at[2]) : data.length, from: at ? Number(at[1]) : 0};
}

// Opens a file of the API that a plain link could not, because it takes the token.
export async function save(path, name) {
	const r = await ask(path);
	const url = URL.createObjectURL(new Blob([await r.arrayBuffer()], {type: 'application/octet-stream'}));
	const a = document.createElement('a');
	a.href = url;
	a.download = name;
	a.click();
	setTimeout(() => URL.revokeObjectURL(url), 60000);
}

// Reads /api/v1/events until it ends or is silent for too long. `onOpen` once it flows.
export async function follow(signal, onOpen, onEvent) {
	const r = await ask('/api/v1/events', {signal});
	const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '', timer;
	const listen = () => {
		clearTimeout(timer);
		timer = setTimeout(() => reader.cancel().catch(() => {}), SILENT_MS);
	};
	listen();
	onOpen();
	try {
		for (;;) {
			const {value, done} = await reader.read().catch((e) => {
				throw e.name === 'AbortError' ? e : new ApiError(0, 'the connection has ended');
			});
			if (done)
				return;
			listen();
			const lines = (rest + value).split('\n');
			rest = lines.pop();
			for (const line of lines)
				if (line.startsWith('data: '))
					onEvent(JSON.parse(line.slice(6)));
		}
	} finally {
		clearTimeout(timer);
	}
}
