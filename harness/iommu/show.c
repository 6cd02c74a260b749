/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iommu/show.h"

#include <string.h>

#include "iommu/bytes.h"

/* More than the keys and numbers between two texts of a record take. */
#define ROOM 512

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define CYAN "\033[36m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

/* Writes behind the text; grow() made room. */
typedef struct {
	GString *out;
	char *p;
} Writer;

static void grow(Writer *w, size_t need)
{
	size_t used = (size_t)(w->p - w->out->str);
	if (used + need < w->out->allocated_len)
		return;
	w->out->len = used;
	w->out->str[used] = '\0';
	g_string_set_size(w->out, used + need);
	w->p = w->out->str + used;
}

static void put(Writer *w, const char *text, size_t len)
{
	memcpy(w->p, text, len);
	w->p += len;
}

#define PUT(w, text) put(w, text, sizeof(text) - 1)

static void put_hex(Writer *w, uint64_t n)
{
	unsigned digits = n ? (67 - (unsigned)__builtin_clzll(n)) / 4 : 1;
	PUT(w, "0x");
	while (digits--)
		*w->p++ = "0123456789abcdef"[n >> 4 * digits & 15];
}

static void put_number(Writer *w, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);
	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	put(w, digits + i, sizeof(digits) - i);
}

static void put_escaped(Writer *w, const char *text)
{
	g_autofree char *valid = NULL;
	size_t len = strlen(text);
	grow(w, len + ROOM);
	if (!fault_has_special(text, text + len)) { /* almost always */
		put(w, text, len);
		return;
	}
	if (!g_utf8_validate(text, -1, NULL))
		text = valid = g_utf8_make_valid(text, -1);
	grow(w, 6 * strlen(text) + ROOM);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '\n') {
			PUT(w, "\\n");
		} else if (c < 0x20 || c == 0x7f) {
			w->p += g_snprintf(w->p, 7, "\\u%04x", c);
		} else {
			if (c == '"' || c == '\\')
				*w->p++ = '\\';
			*w->p++ = (char)c;
		}
	}
}

static void put_string(Writer *w, const char *text)
{
	if (!text) {
		PUT(w, "null");
		return;
	}
	*w->p++ = '"';
	put_escaped(w, text);
	*w->p++ = '"';
}

static void put_hex_or_null(Writer *w, bool known, uint64_t n)
{
	if (!known) {
		PUT(w, "null");
		return;
	}
	*w->p++ = '"';
	put_hex(w, n);
	*w->p++ = '"';
}

static void put_number_or_null(Writer *w, gint64 n)
{
	if (n < 0)
		PUT(w, "null");
	else
		put_number(w, (uint64_t)n);
}

static void put_window(Writer *w, const Fault *f)
{
	if (!f->initcall) {
		put_string(w, f->window);
		return;
	}
	*w->p++ = '"';
	put_escaped(w, f->window ? f->window : "");
	*w->p++ = '/';
	put_escaped(w, f->initcall);
	*w->p++ = '"';
}

/* put_escaped() leaves room for the keys and numbers of a few members. */
void fault_append_json(GString *out, const Fault *f)
{
	Writer w = {out, out->str + out->len};
	grow(&w, ROOM);
	PUT(&w, "{\"driver\":");
	put_string(&w, f->driver);
	PUT(&w, ",\"event\":");
	put_string(&w, f->event);
	PUT(&w, ",\"device\":");
	put_string(&w, f->device);
	PUT(&w, ",\"access\":");
	put_string(&w, fault_access_name(f->access));
	PUT(&w, ",\"address\":");
	put_hex_or_null(&w, f->has_address, f->address);
	PUT(&w, ",\"domain\":");
	put_number_or_null(&w, f->domain);
	PUT(&w, ",\"pasid\":");
	put_number_or_null(&w, f->pasid);
	PUT(&w, ",\"flags\":");
	put_hex_or_null(&w, f->flags >= 0, (uint64_t)f->flags);
	PUT(&w, ",\"reason\":");
	put_string(&w, f->reason);
	grow(&w, ROOM);
	PUT(&w, ",\"time\":");
	put_number_or_null(&w, f->time_us);
	PUT(&w, ",\"line\":");
	put_number(&w, f->line);
	PUT(&w, ",\"window\":");
	put_window(&w, f);
	PUT(&w, ",\"region\":");
	put_string(&w, f->region);
	PUT(&w, ",\"raw\":");
	put_string(&w, f->raw);
	grow(&w, ROOM);
	PUT(&w, ",\"suppressed\":");
	put_number(&w, f->suppressed);
	PUT(&w, "}\n");
	out->len = (gsize)(w.p - out->str);
	out->str[out->len] = '\0';
}

static void append_hex(GString *out, uint64_t n)
{
	g_string_append_printf(out, "0x%llx", (unsigned long long)n);
}

static void append_safe(GString *out, const char *text)
{
	g_autofree char *valid = NULL;
	size_t len = strlen(text);
	if (!fault_has_special(text, text + len)) {
		g_string_append_len(out, text, (gssize)len);
		return;
	}
	valid = g_utf8_make_valid(text, -1);
	for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		g_string_append_unichar(out, g_unichar_iscntrl(c) ? ' ' : c);
	}
}

static void append_place(GString *out, const Fault *f)
{
	const char *between = " (";
	if (f->window) {
		g_string_append(out, between);
		append_safe(out, f->window);
		between = ", ";
	}
	if (f->initcall) {
		g_string_append_printf(out, "%sin ", between);
		append_safe(out, f->initcall);
		between = ", ";
	}
	if (f->region) {
		g_string_append(out, *between == ',' ? "; " : between);
		append_safe(out, f->region);
		between = ", ";
	}
	if (*between == ',')
		g_string_append_c(out, ')');
}

void fault_append_text(GString *out, const Fault *f, bool colour)
{
	static const char *const colours[] = {RED, YELLOW, CYAN};
	if (f->time_us >= 0)
		g_string_append_printf(out, "%s[%5" G_GINT64_FORMAT ".%06d]%s ", colour ? DIM : "",
				       f->time_us / G_USEC_PER_SEC,
				       (int)(f->time_us % G_USEC_PER_SEC), colour ? PLAIN : "");
	if (colour)
		g_string_append(out, colours[f->kind]);
	g_string_append(out, f->driver);
	g_string_append_c(out, ' ');
	append_safe(out, f->event);
	if (f->device) {
		g_string_append_c(out, ' ');
		append_safe(out, f->device);
	}
	if (f->access != FAULT_ACCESS_UNKNOWN) {
		g_string_append_c(out, ' ');
		g_string_append(out, fault_access_name(f->access));
	}
	if (f->has_address) {
		g_string_append_c(out, ' ');
		append_hex(out, f->address);
	}
	if (f->pasid >= 0) {
		g_string_append(out, " pasid ");
		append_hex(out, (uint64_t)f->pasid);
	}
	if (colour)
		g_string_append(out, PLAIN);
	if (f->suppressed) {
		g_string_append(out, strcmp(f->event, "OVERFLOW") == 0 ? " at least " : " ");
		g_string_append_printf(out, "%" G_GUINT64_FORMAT " not printed", f->suppressed);
	}
	if (f->reason && *f->reason) {
		g_string_append(out, ": ");
		append_safe(out, f->reason);
	}
	append_place(out, f);
}
