/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "iommu/bytes.h"
#include "iommu/fault.h"

static const char *const access_names[FAULT_ACCESS_MAX] = {"unknown", "read", "write", "exec",
							   "interrupt"};
static const char *const kind_names[FAULT_KIND_MAX] = {"fault", "error", "suppressed"};

const char *fault_access_name(FaultAccess a)
{
	return a >= 0 && a < FAULT_ACCESS_MAX ? access_names[a] : NULL;
}

const char *fault_kind_name(FaultKind k)
{
	return k >= 0 && k < FAULT_KIND_MAX ? kind_names[k] : NULL;
}

static int index_of(const char *name, const char *const *names, int count)
{
	for (int i = 0; name && i < count; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -EINVAL;
}

FaultAccess fault_access_from_name(const char *name)
{
	return (FaultAccess)index_of(name, access_names, FAULT_ACCESS_MAX);
}

FaultKind fault_kind_from_name(const char *name)
{
	return (FaultKind)index_of(name, kind_names, FAULT_KIND_MAX);
}

/* One hex number of at most `max`, with or without 0x; moves *p behind it. -1: none. */
static long take_hex(const char **p, const char *end, long max)
{
	const char *s = *p;
	if (end - s > 1 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	if (s == end || fault_hex_digit(*s) < 0)
		return -1;
	long n = 0;
	for (; s < end && fault_hex_digit(*s) >= 0; s++) {
		n = n * 16 + fault_hex_digit(*s);
		if (n > max)
			return -1;
	}
	*p = s;
	return n;
}

/* At least `digits` of them. */
static char *put_hex(char *to, unsigned long n, unsigned digits)
{
	static const char hex[] = "0123456789abcdef";
	if (n)
		digits = MAX(digits, (67 - (unsigned)__builtin_clzl(n)) / 4);
	while (digits--)
		*to++ = hex[n >> 4 * digits & 15];
	return to;
}

char *fault_format_device(unsigned segment, unsigned bus, unsigned dev, unsigned fn)
{
	char *text = g_malloc(24), *p = put_hex(text, segment, 4);
	*p++ = ':';
	p = put_hex(p, bus & 0xff, 2);
	*p++ = ':';
	p = put_hex(p, dev & 0x1f, 2);
	*p++ = '.';
	p = put_hex(p, fn & 7, 1);
	*p = '\0';
	return text;
}

char *fault_normalise_device_n(const char *text, size_t len)
{
	const char *end = text + len;
	while (text < end && (*text == '[' || *text == ' '))
		text++;
	long part[3] = {0};
	int count = 0;
	for (;;) {
		if (count == 3 || (part[count++] = take_hex(&text, end, 0x7fffffff)) < 0)
			return NULL;
		if (text == end || *text != ':')
			break;
		text++;
	}
	if (count < 2 || text == end || *text++ != '.')
		return NULL;
	long segment = count == 3 ? part[0] : 0;
	long bus = part[count - 2], dev = part[count - 1], fn = take_hex(&text, end, 7);
	while (text < end && (*text == ']' || *text == ' '))
		text++;
	if (bus > 0xff || dev > 0x1f || fn < 0 || text < end)
		return NULL;
	return fault_format_device((unsigned)segment, (unsigned)bus, (unsigned)dev, (unsigned)fn);
}

char *fault_normalise_device(const char *text)
{
	return fault_normalise_device_n(text, strlen(text));
}

static char *put_text(char *to, const char *text, char *end)
{
	size_t n = MIN(strlen(text), (size_t)(end - to));
	memcpy(to, text, n);
	return to + n;
}

char *fault_make_signature(const Fault *f)
{
	char text[512], *p = text, *end = text + sizeof(text) - 64;
	p = put_text(p, f->driver, end);
	*p++ = ' ';
	p = put_text(p, f->event, end);
	*p++ = ' ';
	p = put_text(p, f->device ? f->device : "-", end);
	*p++ = ' ';
	p = put_text(p, fault_access_name(f->access), end);
	*p++ = ' ';
	if (f->flags >= 0 && f->kind != FAULT_KIND_SUPPRESSED) {
		*p++ = '0';
		*p++ = 'x';
		p = put_hex(p, (unsigned long)f->flags, 1);
	} else {
		*p++ = '-';
	}
	*p++ = ' ';
	/* Devices walk through buffers: 64 KiB holds one together, and two buffers apart. */
	if (f->has_address && f->kind == FAULT_KIND_FAULT) {
		*p++ = '0';
		*p++ = 'x';
		p = put_hex(p, f->address & ~0xffffUL, 1);
	} else {
		*p++ = '-';
	}
	return fault_dup(text, (gsize)(p - text));
}

Fault *fault_copy(const Fault *f)
{
	Fault *c = g_memdup2(f, sizeof(*f));
	c->event = g_strdup(f->event);
	c->device = g_strdup(f->device);
	c->reason = g_strdup(f->reason);
	c->raw = g_strdup(f->raw);
	c->signature = g_strdup(f->signature);
	c->window = g_strdup(f->window);
	c->initcall = g_strdup(f->initcall);
	c->region = g_strdup(f->region);
	return c;
}

void fault_free(Fault *f)
{
	if (!f)
		return;
	g_free(f->event);
	g_free(f->device);
	g_free(f->reason);
	g_free(f->raw);
	g_free(f->signature);
	g_free(f->window);
	g_free(f->initcall);
	g_free(f->region);
	g_free(f);
}

static json_t *text_or_null(const char *s)
{
	return s ? kx_json_text(s) : json_null();
}

static json_t *hex_or_null(bool known, uint64_t n)
{
	return known ? json_sprintf("0x%llx", (unsigned long long)n) : json_null();
}

static json_t *number_or_null(gint64 n)
{
	return n >= 0 ? json_integer(n) : json_null();
}

json_t *fault_to_json(const Fault *f)
{
	json_t *o = json_object();
	json_object_set_new(o, "kind", json_string(fault_kind_name(f->kind)));
	json_object_set_new(o, "driver", text_or_null(f->driver));
	json_object_set_new(o, "event", text_or_null(f->event));
	json_object_set_new(o, "device", text_or_null(f->device));
	json_object_set_new(o, "access", json_string(fault_access_name(f->access)));
	json_object_set_new(o, "address", hex_or_null(f->has_address, f->address));
	json_object_set_new(o, "domain", number_or_null(f->domain));
	json_object_set_new(o, "pasid", number_or_null(f->pasid));
	json_object_set_new(o, "flags", hex_or_null(f->flags >= 0, (uint64_t)f->flags));
	json_object_set_new(o, "reason", text_or_null(f->reason));
	json_object_set_new(o, "time", number_or_null(f->time_us));
	json_object_set_new(o, "line", json_integer((json_int_t)f->line));
	json_object_set_new(o, "window", text_or_null(f->window));
	if (f->initcall)
		json_object_set_new(o, "initcall", text_or_null(f->initcall));
	json_object_set_new(o, "region", text_or_null(f->region));
	json_object_set_new(o, "suppressed", json_integer((json_int_t)f->suppressed));
	json_object_set_new(o, "signature", text_or_null(f->signature));
	json_object_set_new(o, "raw", text_or_null(f->raw));
	return o;
}

static bool read_text(const json_t *object, const char *key, char **ret, GError **error)
{
	const json_t *v = json_object_get(object, key);
	if (v && !json_is_null(v) && !json_is_string(v)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "fault record: '%s' must be a string or null", key);
		return false;
	}
	*ret = g_strdup(json_string_value(v));
	return true;
}

static bool read_number(const json_t *object, const char *key, gint64 *ret, GError **error)
{
	const json_t *v = json_object_get(object, key);
	if (!v || json_is_null(v))
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < 0) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "fault record: '%s' must be a number from 0 up or null", key);
		return false;
	}
	*ret = json_integer_value(v);
	return true;
}

static bool read_hex(const json_t *object, const char *key, bool *ret_known, uint64_t *ret,
		     GError **error)
{
	g_autofree char *text = NULL;
	if (!read_text(object, key, &text, error))
		return false;
	if (!text)
		return true;
	guint64 n;
	if (strncmp(text, "0x", 2) != 0 ||
	    !g_ascii_string_to_unsigned(text + 2, 16, 0, G_MAXUINT64, &n, NULL)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "fault record: '%s' is '%s', not a number like \"0x1f\"", key, text);
		return false;
	}
	*ret_known = true;
	*ret = n;
	return true;
}

Fault *fault_from_json(const json_t *object, GError **error)
{
	g_autoptr(Fault) f = g_new0(Fault, 1);
	f->domain = f->pasid = f->flags = f->time_us = -1;
	g_autofree char *kind = NULL, *access = NULL, *driver = NULL;
	gint64 line = 0, suppressed = 0;
	bool has_flags = false;
	uint64_t flags = 0;
	if (!read_text(object, "kind", &kind, error) ||
	    !read_text(object, "driver", &driver, error) ||
	    !read_text(object, "event", &f->event, error) ||
	    !read_text(object, "device", &f->device, error) ||
	    !read_text(object, "access", &access, error) ||
	    !read_hex(object, "address", &f->has_address, &f->address, error) ||
	    !read_number(object, "domain", &f->domain, error) ||
	    !read_number(object, "pasid", &f->pasid, error) ||
	    !read_hex(object, "flags", &has_flags, &flags, error) ||
	    !read_text(object, "reason", &f->reason, error) ||
	    !read_number(object, "time", &f->time_us, error) ||
	    !read_number(object, "line", &line, error) ||
	    !read_text(object, "window", &f->window, error) ||
	    !read_text(object, "initcall", &f->initcall, error) ||
	    !read_text(object, "region", &f->region, error) ||
	    !read_number(object, "suppressed", &suppressed, error) ||
	    !read_text(object, "signature", &f->signature, error) ||
	    !read_text(object, "raw", &f->raw, error))
		return NULL;
	f->kind = fault_kind_from_name(kind);
	f->access = fault_access_from_name(access);
	if ((int)f->kind < 0 || (int)f->access < 0 || !driver) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "fault record: kind '%s', access '%s' or driver '%s' is not known",
			    kind ? kind : "", access ? access : "", driver ? driver : "");
		return NULL;
	}
	f->driver = g_intern_string(driver);
	f->flags = has_flags ? (gint64)flags : -1;
	f->line = (uint64_t)line;
	f->suppressed = (uint64_t)suppressed;
	return g_steal_pointer(&f);
}
