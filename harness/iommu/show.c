/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iommu/show.h"

#include <string.h>

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define CYAN "\033[36m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

static void append_hex(GString *out, uint64_t n)
{
	char digits[16];
	int i = 16;
	do
		digits[--i] = "0123456789abcdef"[n & 15];
	while (n >>= 4);
	g_string_append_len(out, "0x", 2);
	g_string_append_len(out, digits + i, 16 - i);
}

static void append_number(GString *out, uint64_t n)
{
	char digits[20];
	int i = 20;
	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	g_string_append_len(out, digits + i, 20 - i);
}

/* Bytes that mean nothing to a JSON string, in runs. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\' && c < 0x7f;
}

static void append_escaped(GString *out, const char *text)
{
	g_autofree char *valid = NULL;
	const char *p = text;
	while (is_plain((unsigned char)*p))
		p++;
	if (!*p) { /* almost always */
		g_string_append_len(out, text, p - text);
		return;
	}
	if (!g_utf8_validate(text, -1, NULL))
		text = valid = g_utf8_make_valid(text, -1);
	for (p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (is_plain(c) || c >= 0x80)
			g_string_append_c(out, *p);
		else if (c == '"' || c == '\\')
			g_string_append_printf(out, "\\%c", c);
		else if (c == '\n')
			g_string_append(out, "\\n");
		else
			g_string_append_printf(out, "\\u%04x", c);
	}
}

#define KEY(key) g_string_append_len(out, "," key, sizeof("," key) - 1)

static void append_string(GString *out, const char *text)
{
	if (!text) {
		g_string_append_len(out, "null", 4);
		return;
	}
	g_string_append_c(out, '"');
	append_escaped(out, text);
	g_string_append_c(out, '"');
}

static void append_hex_or_null(GString *out, bool known, uint64_t n)
{
	if (!known) {
		g_string_append_len(out, "null", 4);
		return;
	}
	g_string_append_c(out, '"');
	append_hex(out, n);
	g_string_append_c(out, '"');
}

static void append_number_or_null(GString *out, gint64 n)
{
	if (n < 0)
		g_string_append_len(out, "null", 4);
	else
		append_number(out, (uint64_t)n);
}

void fault_append_json(GString *out, const Fault *f)
{
	g_string_append_len(out, "{\"driver\":", 10);
	append_string(out, f->driver);
	KEY("\"event\":");
	append_string(out, f->event);
	KEY("\"device\":");
	append_string(out, f->device);
	KEY("\"access\":");
	append_string(out, fault_access_name(f->access));
	KEY("\"address\":");
	append_hex_or_null(out, f->has_address, f->address);
	KEY("\"domain\":");
	append_number_or_null(out, f->domain);
	KEY("\"pasid\":");
	append_number_or_null(out, f->pasid);
	KEY("\"flags\":");
	append_hex_or_null(out, f->flags >= 0, (uint64_t)f->flags);
	KEY("\"reason\":");
	append_string(out, f->reason);
	KEY("\"time\":");
	append_number_or_null(out, f->time_us);
	KEY("\"line\":");
	append_number(out, f->line);
	KEY("\"window\":");
	if (f->initcall) {
		g_string_append_c(out, '"');
		append_escaped(out, f->window ? f->window : "");
		g_string_append_c(out, '/');
		append_escaped(out, f->initcall);
		g_string_append_c(out, '"');
	} else {
		append_string(out, f->window);
	}
	KEY("\"region\":");
	append_string(out, f->region);
	KEY("\"raw\":");
	append_string(out, f->raw);
	KEY("\"suppressed\":");
	append_number(out, f->suppressed);
	g_string_append_len(out, "}\n", 2);
}

static void append_safe(GString *out, const char *text)
{
	g_autofree char *valid = NULL;
	const char *p = text;
	while ((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f)
		p++;
	if (!*p) {
		g_string_append_len(out, text, p - text);
		return;
	}
	valid = g_utf8_make_valid(text, -1);
	for (p = valid; *p; p = g_utf8_next_char(p)) {
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
		append_number(out, f->suppressed);
		g_string_append(out, " not printed");
	}
	if (f->reason && *f->reason) {
		g_string_append(out, ": ");
		append_safe(out, f->reason);
	}
	append_place(out, f);
}
