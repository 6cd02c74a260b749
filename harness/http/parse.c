/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http/parse.h"

#include <string.h>

HttpRange http_parse_range(const char *text, guint64 size, guint64 *ret_from, guint64 *ret_len)
{
	if (!text || !g_str_has_prefix(text, "bytes="))
		return HTTP_RANGE_ALL;
	g_auto(GStrv) ends = g_strsplit(text + strlen("bytes="), "-", -1);
	guint64 a = 0, b = 0;
	if (g_strv_length(ends) != 2)
		return HTTP_RANGE_ALL;
	bool has_a = g_ascii_string_to_unsigned(ends[0], 10, 0, G_MAXINT64, &a, NULL);
	bool has_b = g_ascii_string_to_unsigned(ends[1], 10, 0, G_MAXINT64, &b, NULL);
	if ((!has_a && *ends[0]) || (!has_b && *ends[1]) || (!has_a && !has_b) ||
	    (has_a && has_b && b < a))
		return HTTP_RANGE_ALL;
	if (!has_a) {
		*ret_from = b < size ? size - b : 0;
		*ret_len = size - *ret_from;
		return *ret_len ? HTTP_RANGE_PART : HTTP_RANGE_OUTSIDE;
	}
	if (a >= size)
		return HTTP_RANGE_OUTSIDE;
	*ret_from = a;
	*ret_len = (has_b && b < size ? b + 1 : size) - a;
	return HTTP_RANGE_PART;
}

bool http_parse_has_etag(const char *list, const char *etag)
{
	g_auto(GStrv) tags = g_strsplit(list ? list : "", ",", 64);
	for (char **t = tags; *t; t++) {
		const char *tag = g_strstrip(*t);
		if (g_str_equal(tag, "*") || g_str_equal(tag, etag) ||
		    (g_str_has_prefix(tag, "W/") && g_str_equal(tag + 2, etag)))
			return true;
	}
	return false;
}

char *http_parse_host(const char *text)
{
	const char *end = *text == '[' ? strchr(text, ']') : NULL;
	return end ? g_strndup(text + 1, (gsize)(end - text - 1))
		   : g_strndup(text, strcspn(text, ":"));
}

bool http_parse_is_json(const char *type)
{
	return type && (g_ascii_strcasecmp(type, "application/json") == 0 ||
			g_ascii_strcasecmp(type, "application/json; charset=utf-8") == 0);
}
