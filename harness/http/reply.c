/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/request.h"
#include "http/http-internal.h"
#include "http/parse.h"

void http_reply_clear(HttpReply *r)
{
	json_decref(r->json);
	g_free(r->text);
	g_free(r->location);
	if (r->fd > 0)
		close(r->fd);
	*r = (HttpReply){0};
}

static unsigned status_of(const GError *error)
{
	static const struct {
		KxErrorCode code;
		unsigned status;
	} statuses[] = {{KX_ERROR_INPUT, 400}, {KX_ERROR_MISSING, 404}, {KX_ERROR_REFUSED, 409},
			{KX_ERROR_BUSY, 503},  {KX_ERROR_TIMEOUT, 504}, {KX_ERROR_NO_SPACE, 507}};
	for (guint i = 0; i < G_N_ELEMENTS(statuses); i++)
		if (g_error_matches(error, KX_ERROR, statuses[i].code))
			return statuses[i].status;
	return 500;
}

HttpReply http_reply_error(unsigned status, const GError *error)
{
	return (HttpReply){.status = status ? status : status_of(error),
			   .json = json_pack("{s:{s:s, s:o}}", "error", "code",
					     request_error_code(error), "message",
					     kx_json_text(error->message))};
}

HttpReply http_reply_refusal(unsigned status, KxErrorCode code, const char *text)
{
	g_autoptr(GError) error = g_error_new_literal(KX_ERROR, (gint)code, text);
	return http_reply_error(status, error);
}

HttpReply http_reply_json(json_t *json)
{
	return (HttpReply){.status = 200, .json = json};
}

static const char *header(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static struct MHD_Response *empty(void)
{
	static char nothing[1];
	return MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *file_response(HttpReply *r, struct MHD_Connection *c, const char *etag)
{
	guint64 from = 0, len = r->size;
	const char *when = header(c, "If-Range");
	HttpRange ranged = HTTP_RANGE_ALL;
	if (!when || (etag && g_str_equal(when, etag)))
		ranged = http_parse_range(header(c, "Range"), r->size, &from, &len);
	g_autofree char *range = NULL;
	struct MHD_Response *response;
	if (ranged == HTTP_RANGE_OUTSIDE) {
		r->status = 416;
		range = g_strdup_printf("bytes */%" G_GUINT64_FORMAT, r->size);
		response = empty();
	} else {
		if (ranged == HTTP_RANGE_PART) {
			r->status = 206;
			range = g_strdup_printf("bytes %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT
						"/%" G_GUINT64_FORMAT,
						from, from + len - 1, r->size);
		}
		response = MHD_create_response_from_fd_at_offset64(len, r->fd, from);
		if (response)
			r->fd = 0; /* it closes it */
	}
	if (response && range)
		MHD_add_response_header(response, "Content-Range", range);
	if (response)
		MHD_add_response_header(response, "Accept-Ranges", "bytes");
	return response;
}

void http_add_headers(struct MHD_Response *response, const HttpReply *r, const char *etag)
{
	const struct {
		const char *name, *value;
	} headers[] = {
		{"Content-Type", r->type},
		{"ETag", etag},
		{"Cache-Control", etag ? "private, no-cache" : "no-store"},
		{"Allow", r->allow},
		{"Location", r->location},
		{"WWW-Authenticate", r->status == 401 ? "Bearer realm=\"kexsect\"" : NULL},
		{"Connection", r->last ? "close" : NULL},
		{"Retry-After", r->status == 503 ? "5" : NULL},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Content-Security-Policy",
		 r->policy ? r->policy : "default-src 'none'; frame-ancestors 'none'; sandbox"},
	};
	for (guint i = 0; i < G_N_ELEMENTS(headers); i++)
		if (headers[i].value)
			MHD_add_response_header(response, headers[i].name, headers[i].value);
}

enum MHD_Result http_reply_send(HttpReply *r, struct MHD_Connection *c, unsigned *ret_status)
{
	g_autofree char *etag = NULL;
	if (r->json) {
		char *text = json_dumps(r->json, HTTP_JSON);
		r->text = g_strconcat(text ? text : "{}", "\n", NULL);
		r->type = "application/json";
		free(text);
	}
	if (r->changes) {
		/* what was done once is not answered from a cache */
	} else if (r->fd > 0 && r->status == 200) {
		etag = g_strdup_printf("\"%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER
				       "x-%" G_GINT64_MODIFIER "x\"",
				       r->inode, r->size, (guint64)r->changed_ns);
	} else if (r->status == 200 && r->text) {
		g_autofree char *sum =
			g_compute_checksum_for_string(G_CHECKSUM_SHA256, r->text, -1);
		etag = g_strdup_printf("\"%.32s\"", sum);
	}
	struct MHD_Response *response;
	if (etag && http_parse_has_etag(header(c, "If-None-Match"), etag)) {
		r->status = 304;
		response = empty();
	} else if (r->fd > 0) {
		response = file_response(r, c, etag);
	} else {
		char *text = r->text ? g_steal_pointer(&r->text) : g_strdup("");
		response = MHD_create_response_from_buffer_with_free_callback(strlen(text), text,
									      g_free);
		if (!response)
			g_free(text);
	}
	enum MHD_Result ok = MHD_NO;
	*ret_status = r->status;
	if (response) {
		http_add_headers(response, r, etag);
		ok = MHD_queue_response(c, r->status, response);
		MHD_destroy_response(response);
	}
	http_reply_clear(r);
	return ok;
}
