// SPDX-License-Identifier: GPL-2.0-or-later
// Elements from data. There is one way from a stranger's text to the screen: a text node (or an
// attribute of a short list), with what hides or turns its neighbours made visible.

const SVG = 'http://www.w3.org/2000/svg';
const SVG_TAGS = new Set(['svg', 'g', 'path', 'rect', 'line', 'polyline', 'circle', 'text']);
const ATTRIBUTE = new RegExp('^(aria-[a-z]+|data-[a-z]+|class|id|type|title|datetime|role|for|scope|' +
	'colspan|tabindex|disabled|hidden|value|max|min|name|lang|dir|selected|download|open|' +
	'viewBox|preserveAspectRatio|d|x|y|x1|x2|y1|y2|r|cx|cy|width|height|points|text-anchor)$');
// Ours: a view of this page, or something that the API serves. Nothing else is ever linked.
const ADDRESS = /^(#\/[^\s<>"'\\]*|\/api\/v1\/[^\s<>"'\\]*)$/;
// Controls but tab and line end; what turns or joins text, or is not seen.
const UNSEEN = new RegExp('[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u115f\\u1160\\u180e' +
	'\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}]', 'gu');

function seen(c) {
	const n = c.codePointAt(0);
	return n < 0x20 ? String.fromCodePoint(0x2400 + n)
		: n === 0x7f ? '␡' : `⟨U+${n.toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

// Whatever it is, as text.
export function plain(value) {
	return typeof value === 'string' ? value : value === null || value === undefined ? ''
		: typeof value === 'object' ? JSON.stringify(value) : String(value);
}

// The text as it can be shown: nothing in it is invisible or changes the direction of what follows.
export function clean(text) {
	return plain(text).replace(UNSEEN, seen);
}

// The same, cut where it gets too long for its place.
export function short(text, most = 400) {
	const s = plain(text);
	return clean(s.length > most ? `${s.slice(0, most)} … (${s.length} characters)` : s);
}

export function address(href) {
	return ADDRESS.test(href) ? href : null;
}

function put(node, children) {
	for (const c of children.flat(9)) {
		if (c === null || c === undefined || c === false || c === '')
			continue;
		node.append(c instanceof Node ? c : document.createTextNode(clean(c)));
	}
}

// h('td', {class: 'n'}, 'text', element, [more], null)
export function h(tag, attributes, ...children) {
	const node = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (value === null || value === undefined || value === false)
			continue;
		if (name === 'href' && tag === 'a' && address(value))
			node.setAttribute('href', value);
		else if (ATTRIBUTE.test(name))
			node.setAttribute(name, value === true ? '' : clean(value));
	}
	put(node, children);
	return node;
}

// A stranger's text in a line of ours: its direction stays its own.
export function bdi(text, most) {
	return h('bdi', null, short(text, most));
}

export function code(text, most) {
	return h('code', {dir: 'auto'}, short(text, most));
}

function keyOf(node) {
	return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute('data-key') : null;
}

function alike(a, b) {
	return a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
}

function morphAttributes(now, want) {
	for (const a of [...now.attributes])
		if (!want.hasAttribute(a.name) && a.name !== 'open') // that is the reader's
			now.removeAttribute(a.name);
	for (const a of want.attributes)
		if (now.getAttribute(a.name) !== a.value)
			now.setAttribute(a.name, a.value);
}

// Makes `now` (which is on the page) like `want`, changing only what differs: focus, selection and
// opened details stay. Children with data-key are known again wherever they have moved to.
export function morph(now, want) {
	if (now.nodeType === Node.TEXT_NODE) {
		if (now.data !== want.data)
			now.data = want.data;
		return;
	}
	morphAttributes(now, want);
	morphChildren(now, want);
}

export function morphChildren(now, want) {
	const wanted = new Set([...want.childNodes].map(keyOf).filter(Boolean));
	const known = new Map();
	for (const c of [...now.childNodes]) {
		const key = keyOf(c);
		if (key && !wanted.has(key))
			c.remove();
		else if (key)
			known.set(key, c);
	}
	const used = new Set();
	let at = now.firstChild;
	for (const w of [...want.childNodes]) {
		const c = keyOf(w) ? known.get(keyOf(w)) : at;
		if (c && !used.has(c) && alike(c, w)) {
			if (c !== at)
				now.insertBefore(c, at);
			morph(c, w);
			used.add(c);
			at = c.nextSibling;
		} else {
			now.insertBefore(w, at);
			used.add(w);
		}
	}
	for (const c of [...now.childNodes])
		if (!used.has(c))
			c.remove();
}
