/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mail: one text/plain message (RFC 5322, 2045, 2047) by SMTP. All that strangers wrote is base64,
 * so no byte of it can be a header, a line of SMTP, or too long for either. */
#include <string.h>

#include "base/error.h"
#include "job/notify-internal.h"

#define LONGEST_SUBJECT 200 /* bytes */
#define WORD 39		    /* bytes in an encoded word: a line of at most 76 with them */

static void append_subject(GString *out, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	if (strlen(valid) > LONGEST_SUBJECT)
		*g_utf8_find_prev_char(valid, valid + LONGEST_SUBJECT + 1) = '\0';
	g_string_append(out, "Subject:");
	for (const char *p = valid; *p;) {
		const char *end = p; /* no character is cut in two */
		while (*end && g_utf8_next_char(end) - p <= WORD)
			end = g_utf8_next_char(end);
		g_autofree char *word = g_base64_encode((const guchar *)p, (gsize)(end - p));
		g_string_append_printf(out, "%s=?UTF-8?B?%s?=", p == valid ? " " : "\r\n ", word);
		p = end;
	}
	g_string_append(out, "\r\n");
}

/* English names whatever the locale. */
static void append_date(GString *out, gint64 us)
{
	static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC);
	if (t)
		g_string_append_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n",
				       days[g_date_time_get_day_of_week(t) - 1],
				       g_date_time_get_day_of_month(t),
				       months[g_date_time_get_month(t) - 1],
				       g_date_time_get_year(t), g_date_time_get_hour(t),
				       g_date_time_get_minute(t), g_date_time_get_second(t));
}

static void append_body(GString *out, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	g_autofree char *coded = g_base64_encode((const guchar *)valid, strlen(valid));
	for (const char *p = coded; *p; p += strnlen(p, 76))
		g_string_append_printf(out, "%.76s\r\n", p);
}

static GBytes *make_mail(const Attempt *a, char *const *to, const char *from)
{
	GString *out = g_string_new(NULL);
	const char *title = kx_json_str(a->message, "title");
	const char *text = kx_json_str(a->message, "text");
	g_autofree char *all = g_strjoinv(",\r\n ", (char **)to);
	append_date(out, kx_json_int(a->message, "time_us", 0));
	g_string_append_printf(out, "From: kexsect <%s>\r\nTo: %s\r\n", from, all);
	append_subject(out, title ? title : "kexsect");
	g_string_append_printf(out, "Message-ID: <%s@%s>\r\n", a->id, strrchr(from, '@') + 1);
	g_string_append(out, "MIME-Version: 1.0\r\n"
			     "Content-Type: text/plain; charset=utf-8\r\n"
			     "Content-Transfer-Encoding: base64\r\n"
			     "Auto-Submitted: auto-generated\r\n\r\n");
	append_body(out, text ? text : "");
	return g_string_free_to_bytes(out);
}

/* The configuration was checked; a request may be written by hand. */
static bool is_address(const char *text)
{
	const char *at = text ? strchr(text, '@') : NULL;
	for (const char *p = text; p && *p; p++)
		if (!g_ascii_isgraph(*p) || strchr("<>()[]\\,;:\"", *p))
			return false;
	return at && at != text && at[1] && !strchr(at + 1, '@');
}

static bool are_addresses(char *const *to, const char *from)
{
	for (char *const *t = to; *t; t++)
		if (!is_address(*t))
			return false;
	return *to && is_address(from);
}

static bool set_login(Attempt *a, const json_t *mail, GError **error)
{
	const char *user = kx_json_str(mail, "user"), *file = kx_json_str(mail, "password_file");
	if (!user || !file)
		return true;
	g_autofree char *password = notify_secret(file, error);
	if (!password)
		return false;
	curl_easy_setopt(a->curl, CURLOPT_USERNAME, user);
	curl_easy_setopt(a->curl, CURLOPT_PASSWORD, password);
	memset(password, 0, strlen(password));
	return true;
}

bool notify_prepare_mail(Attempt *a, const json_t *mail, GError **error)
{
	const char *from = kx_json_str(mail, "from"), *smtp = kx_json_str(mail, "smtp");
	bool tls = kx_json_bool(mail, "starttls", true) || kx_json_str(mail, "password_file");
	g_auto(GStrv) to = kx_json_strv(mail, "to");
	if (!are_addresses(to, from) || !smtp ||
	    !(g_str_has_prefix(smtp, "smtp://") || g_str_has_prefix(smtp, "smtps://"))) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "mail: addresses to and from, and smtp://host or smtps://host are "
			    "wanted");
		return false;
	}
	if (!set_login(a, mail, error))
		return false;
	a->body = make_mail(a, to, from);
	for (char *const *t = to; *t; t++)
		a->lists[0] = curl_slist_append(a->lists[0], *t);
	curl_easy_setopt(a->curl, CURLOPT_URL, smtp);
	curl_easy_setopt(a->curl, CURLOPT_USE_SSL, (long)(tls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
	curl_easy_setopt(a->curl, CURLOPT_MAIL_FROM, from);
	curl_easy_setopt(a->curl, CURLOPT_MAIL_RCPT, a->lists[0]);
	curl_easy_setopt(a->curl, CURLOPT_UPLOAD, 1L);
	return true;
}
