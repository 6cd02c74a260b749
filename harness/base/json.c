/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"

#define MAX_JSON (64u << 20)

static json_t *parse(const char *text, size_t len, const char *what, GError **error)
{
	json_error_t e;
	json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (!value)
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s:%d:%d: not valid JSON: %s", what,
			    e.line, e.column, e.text);
	return value;
}

json_t *kx_json_load(const char *path, GError **error)
{
	size_t len;
	g_autofree char *text = kx_read_file(path, MAX_JSON, &len, error);
	return text ? parse(text, len, path, error) : NULL;
}

json_t *kx_json_parse(const char *text, const char *what, GError **error)
{
	return parse(text, strlen(text), what, error);
}

bool kx_json_save(const char *path, const json_t *value, GError **error)
{
	char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));
	if (!text) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: cannot write as JSON", path);
		return false;
	}
	g_autofree char *whole = g_strconcat(text, "\n", NULL);
	free(text);
	return kx_write_file(path, whole, -1, error);
}

bool kx_json_line(const json_t *value)
{
	return json_dumpf(value, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10)) == 0 &&
	       putchar('\n') != EOF && fflush(stdout) == 0;
}

const char *kx_json_str(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

gint64 kx_json_int(const json_t *object, const char *key, gint64 fallback)
{
	const json_t *v = json_object_get(object, key);
	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

double kx_json_num(const json_t *object, const char *key, double fallback)
{
	const json_t *v = json_object_get(object, key);
	return json_is_number(v) ? json_number_value(v) : fallback;
}

bool kx_json_bool(const json_t *object, const char *key, bool fallback)
{
	const json_t *v = json_object_get(object, key);
	return json_is_boolean(v) ? json_is_true(v) : fallback;
}

char **kx_json_strv(const json_t *object, const char *key)
{
	g_autoptr(GStrvBuilder) out = g_strv_builder_new();
	size_t i;
	json_t *v;
	json_array_foreach (json_object_get(object, key), i, v)
		if (json_is_string(v))
			g_strv_builder_add(out, json_string_value(v));
	return g_strv_builder_end(out);
}

json_t *kx_json_from_strv(const char *const *strv)
{
	json_t *out = json_array();
	for (; strv && *strv; strv++)
		json_array_append_new(out, kx_json_text(*strv));
	return out;
}

json_t *kx_json_text(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
	return json_string(valid);
}
