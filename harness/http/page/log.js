// SPDX-License-Identifier: GPL-2.0-or-later
// A file of the evidence as text: a piece of it at a time, so that its size does not matter, and a
// long line in pieces, so that its length does not.
import {get, range} from './api.js';
import {bdi, h} from './dom.js';
import {bytes} from './words.js';

const PIECE = 128 << 10, LINE = 4000;
const FAULT = /IO_PAGE_FAULT|DMAR:.*(fault|\[DMA|\[INTR)|arm-smmu.*(fault|event)|\bkernel panic\b|\bOops\b|\bBUG:/i;

// From bytes to lines; a piece begins and ends anywhere.
function lines(data) {
	return new TextDecoder().decode(data).replace(/\r+\n/g, '\n').split('\n');
}

function line(text) {
	const parts = [];
	for (let at = 0; at < text.length; at += LINE)
		parts.push(text.slice(at, at + LINE));
	const fault = FAULT.test(text.slice(0, LINE));
	return h('span', {class: fault ? 'l f' : 'l', dir: 'ltr'}, parts.length ? parts : ' ', '\n');
}

export function log(lab, slug, number, name) {
	const url = `/api/v1/runs/${encodeURIComponent(slug)}/trials/${number}/files`;
	let file = null, at = 0, size = 0, body = null;

	async function read(from) {
		const piece = await range(file, Math.max(0, from), Math.max(0, from) + PIECE);
		at = piece.from;
		size = piece.size;
		body = {data: piece.data, lines: lines(piece.data)};
	}
	async function find() {
		const {files} = await get(url);
		const found = files.find((f) => f.name === name);
		if (!found)
			throw new Error(`trial ${number} has no file ${name}`);
		return found;
	}
	return {
		title: `${name}, trial ${number} of ${slug}`,
		async load() {
			const found = await find();
			file = found.url;
			await read(0);
		},
		act(what) {
			const last = Math.max(0, Math.floor((size - 1) / PIECE) * PIECE);
			return read({start: 0, before: at - PIECE, after: at + PIECE, end: last}[what] ?? 0);
		},
		render() {
			const back = `#/run/${encodeURIComponent(slug)}/trial/${number}`;
			const top = h('h1', {'data-key': 'h1'}, bdi(name, 255), ' ', h('span', {class: 'quiet'}, 'of ',
				h('a', {href: back}, `trial ${number}`)));
			if (!body)
				return [top, h('p', {class: 'quiet'}, 'Reading …')];
			const end = at + body.data.length;
			const button = (act, text, on) => h('button', {type: 'button', 'data-act': act, 'data-key': act, disabled: !on}, text);
			return [top,
				h('p', {class: 'row', 'data-key': 'pieces', role: 'group', 'aria-label': 'Pieces of the file'},
					button('start', 'Start', at > 0), button('before', 'Before', at > 0),
					h('span', {'data-key': 'span'}, end < size || at ? `${bytes(at)} to ${bytes(end)} of ${bytes(size)}` : bytes(size)),
					button('after', 'After', end < size), button('end', 'End', end < size),
					h('a', {href: file, 'data-open': '', 'data-key': 'raw'}, 'as it is')),
				h('pre', {class: 'log', tabindex: '0', 'aria-label': `Text of ${name}`, 'data-key': `p${at}`}, body.lines.map(line))];
		},
	};
}
