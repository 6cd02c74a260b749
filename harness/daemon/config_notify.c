/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config_notify.h"

#include <stdio.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/yaml.h"

#define TEXT(key, member)                                                                          \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, ConfigNotify,        \
			       member, 1, 2000)
#define LIST(key, member)                                                                          \
	CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, ConfigNotify, member,  \
			     &kx_yaml_string_entry, 1, 100)

static const cyaml_schema_field_t fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, ConfigNotify, name, 1, 64),
	TEXT("webhook", webhook),
	TEXT("webhook_file", webhook_file),
	TEXT("secret_file", secret_file),
	TEXT("format", format),
	LIST("mail", mail),
	TEXT("from", from),
	TEXT("smtp", smtp),
	TEXT("user", user),
	TEXT("password_file", password_file),
	KX_YAML_BOOL("starttls", CYAML_FLAG_OPTIONAL, ConfigNotify, starttls),
	TEXT("ca_file", ca_file),
	LIST("kinds", kinds),
	LIST("campaigns", campaigns),
	LIST("owners", owners),
	TEXT("at", at),
	CYAML_FIELD_UINT("per_minute", CYAML_FLAG_OPTIONAL, ConfigNotify, per_minute),
	CYAML_FIELD_END,
};
const cyaml_schema_value_t config_notify_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, ConfigNotify, fields),
};

/* All that the journal has; docs/daemon.md. */
static const char *const kinds[] = {
	"submitted",  "started",    "stopped",	"paused",    "resumed",	  "cancelled",	 "verdict",
	"failed",     "retry",	    "orphan",	"stopping",  "disk",	  "disk-back",	 "stall",
	"stall-over", "quarantine", "released", "unhealthy", "preflight", "undelivered", NULL};
static const char *const usual_kinds[] = {"verdict",	"failed", "quarantine", "released", "stall",
					  "stall-over", "disk",	  "disk-back",	NULL};

static bool bad(const char *path, unsigned i, const char *key, GError **error, const char *format,
		...) G_GNUC_PRINTF(5, 6);

static bool bad(const char *path, unsigned i, const char *key, GError **error, const char *format,
		...)
{
	g_autofree char *full = g_strdup_printf("notify.%u.%s", i, key);
	g_autofree char *where = kx_yaml_where(path, full);
	va_list args;
	va_start(args, format);
	g_autofree char *what = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: %s", where, what);
	return false;
}

static bool is_given(const char *path, unsigned i, const char *key)
{
	g_autofree char *full = g_strdup_printf("notify.%u.%s", i, key);
	g_autofree char *where = kx_yaml_where(path, full);
	return !g_str_equal(where, path);
}

static bool is_name(const char *name)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if (g_ascii_iscntrl(*text))
			return true;
	return false;
}

/* local@domain of printable ASCII without what a header or SMTP would take for something else. */
static bool is_address(const char *text)
{
	const char *at = strrchr(text, '@');
	if (!at || at == text || !at[1] || strlen(text) > 254)
		return false;
	for (const char *p = text; *p; p++)
		if (!g_ascii_isgraph(*p) || strchr("<>()[]\\,;:\"", *p))
			return false;
	return strchr(text, '@') == at;
}

static bool has_scheme(const char *url, const char *one, const char *other)
{
	for (const char *p = url; *p; p++)
		if (!g_ascii_isgraph(*p))
			return false;
	return g_str_has_prefix(url, one) || g_str_has_prefix(url, other);
}

static bool check_webhook(const ConfigNotify *n, unsigned i, const char *path, GError **error)
{
	if (n->webhook && !has_scheme(n->webhook, "https://", "http://"))
		return bad(path, i, "webhook", error, "an https:// or http:// address is wanted");
	if (n->webhook && n->webhook_file)
		return bad(path, i, "webhook_file", error, "there is webhook: already");
	if (!g_str_equal(n->format, "json") && !g_str_equal(n->format, "text") &&
	    !g_str_equal(n->format, "slack"))
		return bad(path, i, "format", error, "json, text or slack is wanted");
	if (n->from || n->smtp || n->user || n->password_file)
		return bad(path, i, "name", error,
			   "from, smtp, user and password_file belong to mail:");
	return true;
}

static bool check_mail(const ConfigNotify *n, unsigned i, const char *path, GError **error)
{
	for (unsigned m = 0; m < n->mail_count; m++)
		if (!is_address(n->mail[m]))
			return bad(path, i, "mail", error,
				   "an address such as lab@example.org is "
				   "wanted");
	if (!n->from || !is_address(n->from))
		return bad(path, i, n->from ? "from" : "name", error,
			   "mail needs from:, an address such as kexsect@example.org");
	if (!n->smtp || !has_scheme(n->smtp, "smtp://", "smtps://"))
		return bad(path, i, n->smtp ? "smtp" : "name", error,
			   "mail needs smtp:, such as smtp://mail.example.org:587 or smtps://…");
	if (!n->user != !n->password_file)
		return bad(path, i, "name", error, "user and password_file belong together");
	if (!n->starttls && n->password_file)
		return bad(path, i, "starttls", error,
			   "a password is never sent without TLS; leave out user and "
			   "password_file, or starttls: no");
	if (n->secret_file)
		return bad(path, i, "secret_file", error, "mail is not signed; it is for webhook:");
	return true;
}

static bool check_at(ConfigNotify *n, unsigned i, const char *path, GError **error)
{
	unsigned hour, minute;
	char end;
	if (!n->at)
		return true;
	if (strlen(n->at) != 5 || sscanf(n->at, "%2u:%2u%c", &hour, &minute, &end) != 2 ||
	    hour > 23 || minute > 59)
		return bad(path, i, "at", error, "a time of the day such as \"07:00\" is wanted");
	n->at_minutes = hour * 60 + minute;
	return true;
}

/* libcyaml frees with free(), as g_strdup() allocates. */
static void resolve(char **file, const char *path)
{
	g_autofree char *here = g_path_get_dirname(path);
	static const char credential[] = "credential:";
	const char *folder = g_getenv("CREDENTIALS_DIRECTORY");
	if (!*file)
		return;
	char *full = g_str_has_prefix(*file, credential)
			     ? g_canonicalize_filename(*file + strlen(credential),
						       folder ? folder : "/run/credentials")
			     : g_canonicalize_filename(*file, here);
	g_free(*file);
	*file = full;
}

static bool check_lists(ConfigNotify *n, unsigned i, const char *path, GError **error)
{
	for (unsigned k = 0; k < n->kinds_count; k++)
		if (!g_strv_contains(kinds, n->kinds[k])) {
			g_autofree char *all = g_strjoinv(", ", (char **)kinds);
			return bad(path, i, "kinds", error, "one of %s is wanted", all);
		}
	if (!n->kinds_count) {
		n->kinds_count = g_strv_length((char **)usual_kinds);
		n->kinds = g_new0(char *, n->kinds_count);
		for (unsigned k = 0; k < n->kinds_count; k++)
			n->kinds[k] = g_strdup(usual_kinds[k]);
	}
	return true;
}

bool config_notify_check(ConfigNotify *n, unsigned i, const char *path, GError **error)
{
	if (!is_name(n->name))
		return bad(path, i, "name", error, "a name of a-z, 0-9 and - is wanted");
	bool mail = n->mail_count > 0;
	if (mail + (n->webhook || n->webhook_file) != 1)
		return bad(path, i, "name", error,
			   "one of webhook, webhook_file and mail is "
			   "wanted");
	const char *const texts[] = {n->webhook, n->smtp, n->user, n->from};
	for (guint t = 0; t < G_N_ELEMENTS(texts); t++)
		if (texts[t] && has_control(texts[t]))
			return bad(path, i, "name", error, "there is a control character in it");
	if (!n->format)
		n->format = g_strdup(mail ? "text" : "json");
	if (!is_given(path, i, "starttls"))
		n->starttls = 1;
	if (!is_given(path, i, "per_minute"))
		n->per_minute = 20;
	if (n->per_minute < 1 || n->per_minute > 1000)
		return bad(path, i, "per_minute", error, "expected 1 to 1000");
	resolve(&n->webhook_file, path);
	resolve(&n->secret_file, path);
	resolve(&n->password_file, path);
	resolve(&n->ca_file, path);
	return (mail ? check_mail(n, i, path, error) : check_webhook(n, i, path, error)) &&
	       check_at(n, i, path, error) && check_lists(n, i, path, error);
}

static bool matches(char *const *patterns, unsigned n, const char *text)
{
	for (unsigned i = 0; i < n; i++)
		if (g_pattern_match_simple(patterns[i], text))
			return true;
	return !n || !text;
}

bool config_notify_wants(const ConfigNotify *n, const char *kind, const char *campaign,
			 const char *owner)
{
	bool told = false;
	for (unsigned i = 0; i < n->kinds_count && !told; i++)
		told = g_str_equal(n->kinds[i], kind);
	return told && (!campaign || matches(n->campaigns, n->campaigns_count, campaign)) &&
	       (!owner || matches(n->owners, n->owners_count, owner));
}
