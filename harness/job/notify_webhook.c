/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Webhooks, signed as https://www.standardwebhooks.com describes: headers webhook-id,
 * webhook-timestamp and webhook-signature, HMAC-SHA256 of "id.timestamp.body". */
#include <string.h>

#include "base/error.h"
#include "job/notify-internal.h"

#define SHORTEST_KEY 16 /* bytes */

/* "whsec_" and base64, or the bytes themselves. */
static GBytes *signing_key(const char *path, GError **error)
{
	static const char prefix[] = "whsec_";
	g_autofree char *text = notify_secret(path, error);
	if (!text)
		return NULL;
	gsize len = strlen(text);
	guchar *key = g_str_has_prefix(text, prefix) ? g_base64_decode(text + strlen(prefix), &len)
						     : g_memdup2(text, len);
	memset(text, 0, strlen(text));
	if (len >= SHORTEST_KEY)
		return g_bytes_new_take(key, len);
	g_free(key);
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
		    "%s: a secret of at least %d bytes is wanted, as by: openssl rand -base64 32",
		    path, SHORTEST_KEY);
	return NULL;
}

static char *sign(GBytes *key, const char *signed_text, gsize len)
{
	gsize key_len, size = 32;
	const guchar *bytes = g_bytes_get_data(key, &key_len);
	guint8 digest[32];
	GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, bytes, key_len);
	g_hmac_update(hmac, (const guchar *)signed_text, (gssize)len);
	g_hmac_get_digest(hmac, digest, &size);
	g_hmac_unref(hmac);
	return g_base64_encode(digest, size);
}

static void add_header(Attempt *a, const char *name, const char *value)
{
	g_autofree char *line = g_strdup_printf("%s: %s", name, value);
	a->lists[0] = curl_slist_append(a->lists[0], line);
}

static bool add_signature(Attempt *a, const char *secret_file, GError **error)
{
	g_autofree char *now =
		g_strdup_printf("%" G_GINT64_FORMAT, g_get_real_time() / G_USEC_PER_SEC);
	add_header(a, "webhook-id", a->id);
	add_header(a, "webhook-timestamp", now);
	if (!secret_file)
		return true;
	g_autoptr(GBytes) key = signing_key(secret_file, error);
	if (!key)
		return false;
	gsize len;
	const char *body = g_bytes_get_data(a->body, &len);
	g_autoptr(GString) text = g_string_new(NULL);
	g_string_printf(text, "%s.%s.", a->id, now);
	g_string_append_len(text, body, (gssize)len);
	g_autofree char *digest = sign(key, text->str, text->len);
	g_autofree char *value = g_strconcat("v1,", digest, NULL);
	add_header(a, "webhook-signature", value);
	return true;
}

/* Slack takes <…> for links and mentions: https://api.slack.com/reference/surfaces/formatting */
static char *slack_text(const char *text)
{
	GString *out = g_string_new(text);
	g_string_replace(out, "&", "&amp;", 0);
	g_string_replace(out, "<", "&lt;", 0);
	g_string_replace(out, ">", "&gt;", 0);
	return g_string_free(out, FALSE);
}

static char *iso_time(gint64 us)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC);
	return t ? g_date_time_format(t, "%FT%TZ") : g_strdup("");
}

static json_t *make_body(const Attempt *a, const char *format)
{
	const char *text = kx_json_str(a->message, "text");
	text = text ? text : "";
	if (g_strcmp0(format, "slack") == 0) {
		g_autofree char *inert = slack_text(text);
		return json_pack("{s:o}", "text", kx_json_text(inert));
	}
	if (g_strcmp0(format, "text") == 0)
		return json_pack("{s:o}", "text", kx_json_text(text));
	g_autofree char *time = iso_time(kx_json_int(a->message, "time_us", 0));
	json_t *data = json_deep_copy(a->message);
	json_object_del(data, "type");
	return json_pack("{s:O, s:s, s:o}", "type", json_object_get(a->message, "type"),
			 "timestamp", time, "data", data);
}

bool notify_prepare_webhook(Attempt *a, const json_t *webhook, GError **error)
{
	const char *url_file = kx_json_str(webhook, "url_file");
	g_autofree char *url =
		url_file ? notify_secret(url_file, error) : g_strdup(kx_json_str(webhook, "url"));
	if (!url || !(g_str_has_prefix(url, "https://") || g_str_has_prefix(url, "http://"))) {
		if (!error || !*error)
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
				    "%s: an https:// or http:// address is wanted",
				    url_file ? url_file : "webhook");
		return false;
	}
	g_autoptr(json_t) o = make_body(a, kx_json_str(webhook, "format"));
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	if (!text) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "the message has no type");
		return false;
	}
	a->body = g_bytes_new_take(text, strlen(text));
	add_header(a, "Content-Type", "application/json");
	a->lists[0] = curl_slist_append(a->lists[0], "Expect:");
	if (!add_signature(a, kx_json_str(webhook, "secret_file"), error))
		return false;
	curl_easy_setopt(a->curl, CURLOPT_URL, url);
	curl_easy_setopt(a->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(a->curl, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)g_bytes_get_size(a->body));
	curl_easy_setopt(a->curl, CURLOPT_HTTPHEADER, a->lists[0]);
	curl_easy_setopt(a->curl, CURLOPT_USERAGENT, "kexsect/" KEXSECT_VERSION);
	return true;
}
