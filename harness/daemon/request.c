/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/request.h"

#include <string.h>

#include "base/error.h"
#include "daemon/queue.h"
#include "daemon/snapshot.h"
#include "daemon/window.h"

static const struct {
	const char *name;
	RequestKind kind;
	const char *keys; /* that it may have besides v and do */
} kinds[] = {
	{"ping", REQUEST_PING, ""},
	{"submit", REQUEST_SUBMIT,
	 "snapshot priority window hours boots compile_minutes disk_gib again preflight"},
	{"list", REQUEST_LIST, "state before limit"},
	{"status", REQUEST_STATUS, "id"},
	{"watch", REQUEST_WATCH, "id"},
	{"pause", REQUEST_PAUSE, "id"},
	{"resume", REQUEST_RESUME, "id"},
	{"cancel", REQUEST_CANCEL, "id"},
	{"journal", REQUEST_JOURNAL, "after limit"},
	{"targets", REQUEST_TARGETS, ""},
	{"release", REQUEST_RELEASE, "target"},
	{"quarantine", REQUEST_QUARANTINE, "target reason"},
	{"check", REQUEST_CHECK, "target"},
	{"notices", REQUEST_NOTICES, "before limit"},
	{"notify-test", REQUEST_NOTIFY_TEST, "receiver"},
	{"summary", REQUEST_SUMMARY, "since_us"},
};

/* A stranger's text, fit to be shown. */
static char *shown(const char *text)
{
	char *out = g_strescape(text, NULL);
	if (strlen(out) > 60)
		strcpy(out + 57, "...");
	return out;
}

static bool refuse(GError **error, const char *what, const char *is)
{
	g_autofree char *text = shown(what ? what : "");
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "'%s' %s", text, is);
	return false;
}

static bool take_int(const json_t *o, const char *key, gint64 low, gint64 high, gint64 *ret,
		     GError **error)
{
	const json_t *value = json_object_get(o, key);
	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < low ||
	    json_integer_value(value) > high) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "'%s': a whole number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT
			    " is wanted",
			    key, low, high);
		return false;
	}
	*ret = json_integer_value(value);
	return true;
}

static bool take_number(const json_t *o, const char *key, double *ret, GError **error)
{
	const json_t *value = json_object_get(o, key);
	double number = value ? json_number_value(value) : 0;
	if (value && !(json_is_number(value) && number > 0 && number <= 1e5)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "'%s': a number above 0 and at most 100000 is wanted", key);
		return false;
	}
	*ret = number;
	return true;
}

static bool take_window(const json_t *o, char **ret, GError **error)
{
	const json_t *value = json_object_get(o, "window");
	TimeWindow w;
	if (!value)
		return true;
	if (!json_is_string(value)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "'window': a text is wanted");
		return false;
	}
	if (!window_parse(json_string_value(value), &w, NULL))
		return refuse(error, json_string_value(value),
			      "is no time window: expected two different times of the day such as "
			      "22:00-07:00");
	*ret = g_strdup(json_string_value(value));
	return true;
}

static bool take_bool(const json_t *o, const char *key, bool *ret, GError **error)
{
	const json_t *value = json_object_get(o, key);
	if (json_is_boolean(value))
		*ret = json_is_true(value);
	else if (value)
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "'%s': true or false is wanted", key);
	return !value || json_is_boolean(value);
}

static bool take_submission(const json_t *o, Request *r, GError **error)
{
	gint64 priority = 0, boots = 0;
	bool preflight = true;
	if (!take_bool(o, "again", &r->again, error) ||
	    !take_bool(o, "preflight", &preflight, error))
		return false;
	if (!take_int(o, "priority", -100, 100, &priority, error) ||
	    !take_int(o, "boots", 1, 1000000000, &boots, error) ||
	    !take_number(o, "hours", &r->hours, error) ||
	    !take_number(o, "compile_minutes", &r->compile_minutes, error) ||
	    !take_number(o, "disk_gib", &r->disk_gib, error) ||
	    !take_window(o, &r->window, error) ||
	    !snapshot_check(json_object_get(o, "snapshot"), error))
		return false;
	r->priority = (int)priority;
	r->boots = (unsigned)boots;
	r->no_preflight = !preflight;
	r->snapshot = json_incref(json_object_get(o, "snapshot"));
	return true;
}

static bool take_list(const json_t *o, Request *r, GError **error)
{
	const json_t *state = json_object_get(o, "state");
	gint64 limit = 100;
	if (state && (r->state = submission_state_of(json_string_value(state))) < 0)
		return refuse(error, json_string_value(state), "is no state of a submission");
	if (!take_int(o, "before", 0, G_MAXINT64, &r->before, error) ||
	    !take_int(o, "after", 0, G_MAXINT64, &r->after, error) ||
	    !take_int(o, "limit", 1, 1000, &limit, error))
		return false;
	r->limit = (unsigned)limit;
	return true;
}

/* A short text without what a terminal obeys. */
static bool take_text(const json_t *o, const char *key, size_t most, char **ret, GError **error)
{
	const json_t *value = json_object_get(o, key);
	const char *text = json_string_value(value);
	if (!value)
		return true;
	bool good = text && *text && json_string_length(value) <= most &&
		    strlen(text) == json_string_length(value);
	for (const char *p = text; good && *p; p++)
		good = !g_ascii_iscntrl(*p);
	if (good)
		*ret = g_strdup(text);
	else
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "'%s': a text of 1 to %zu bytes in one line is wanted", key, most);
	return good;
}

static bool take_target(const json_t *o, Request *r, GError **error)
{
	if (!take_text(o, "target", 64, &r->target, error) ||
	    !take_text(o, "reason", 500, &r->reason, error))
		return false;
	if (!r->target)
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "the key target is missing");
	return r->target != NULL;
}

static bool take_receiver(const json_t *o, Request *r, GError **error)
{
	if (!take_text(o, "receiver", 64, &r->receiver, error))
		return false;
	if (!r->receiver)
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "the key receiver is missing");
	return r->receiver != NULL;
}

static bool has_id(const Request *r, GError **error)
{
	if (r->id > 0)
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "the key id is missing");
	return false;
}

static bool take_kind(const json_t *o, Request *r, const char **ret_keys, GError **error)
{
	if (!json_is_object(o) || kx_json_int(o, "v", 0) != REQUEST_VERSION) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "a request is an object with \"v\": %d; is kexsect of the same version "
			    "as the daemon?",
			    REQUEST_VERSION);
		return false;
	}
	const char *name = kx_json_str(o, "do");
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (g_strcmp0(name, kinds[i].name) == 0) {
			r->kind = kinds[i].kind;
			*ret_keys = kinds[i].keys;
			return true;
		}
	return refuse(error, name, "is no request that this daemon knows");
}

static bool check_keys(json_t *o, const char *allowed, GError **error)
{
	g_auto(GStrv) names = g_strsplit(allowed, " ", -1);
	const char *key;
	json_t *value;
	json_object_foreach (o, key, value)
		if (!g_str_equal(key, "v") && !g_str_equal(key, "do") &&
		    !g_strv_contains((const char *const *)names, key))
			return refuse(error, key, "is no key of this request");
	return true;
}

static bool take(json_t *o, Request *r, GError **error)
{
	const char *keys = NULL;
	if (!take_kind(o, r, &keys, error) || !check_keys(o, keys, error) ||
	    !take_int(o, "id", 1, G_MAXINT64, &r->id, error))
		return false;
	switch (r->kind) {
	case REQUEST_PING:
	case REQUEST_TARGETS:
		return true;
	case REQUEST_RELEASE:
	case REQUEST_QUARANTINE:
	case REQUEST_CHECK:
		return take_target(o, r, error);
	case REQUEST_SUMMARY:
		return take_int(o, "since_us", 0, G_MAXINT64, &r->since_us, error);
	case REQUEST_NOTIFY_TEST:
		return take_receiver(o, r, error);
	case REQUEST_SUBMIT:
		return take_submission(o, r, error);
	case REQUEST_LIST:
	case REQUEST_NOTICES:
	case REQUEST_JOURNAL:
		return take_list(o, r, error);
	default:
		return has_id(r, error);
	}
}

bool request_parse(const char *line, size_t len, Request *ret, GError **error)
{
	g_auto(Request) r = {.state = -1};
	json_error_t why;
	g_autoptr(json_t) o = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (!o) {
		g_autofree char *text = shown(why.text);
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "this is no JSON: %s", text);
		return false;
	}
	if (!take(o, &r, error))
		return false;
	if (r.kind != REQUEST_SUBMIT && len > REQUEST_MAX_PLAIN) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "the request is too long");
		return false;
	}
	*ret = r;
	r = (Request){0};
	return true;
}

void request_clear(Request *r)
{
	json_decref(r->snapshot);
	g_free(r->window);
	g_free(r->target);
	g_free(r->receiver);
	g_free(r->reason);
	*r = (Request){0};
}

/* ---- answers ---- */

json_t *request_answer(void)
{
	return json_pack("{s:i, s:b}", "v", REQUEST_VERSION, "ok", 1);
}

static const struct {
	KxErrorCode code;
	const char *name;
} codes[] = {
	{KX_ERROR_INPUT, "input"},     {KX_ERROR_MISSING, "missing"},
	{KX_ERROR_DIGEST, "digest"},   {KX_ERROR_NO_SPACE, "no_space"},
	{KX_ERROR_BUSY, "busy"},       {KX_ERROR_TIMEOUT, "timeout"},
	{KX_ERROR_REFUSED, "refused"}, {KX_ERROR_FAILED, "failed"},
};

const char *request_error_code(const GError *error)
{
	for (guint i = 0; i < G_N_ELEMENTS(codes); i++)
		if (g_error_matches(error, KX_ERROR, codes[i].code))
			return codes[i].name;
	return "failed";
}

json_t *request_refusal(const GError *error)
{
	return json_pack("{s:i, s:b, s:{s:s, s:o}}", "v", REQUEST_VERSION, "ok", 0, "error", "code",
			 request_error_code(error), "message", kx_json_text(error->message));
}

GError *request_answer_error(const json_t *answer)
{
	if (kx_json_bool(answer, "ok", false))
		return NULL;
	const json_t *e = json_object_get(answer, "error");
	const char *name = kx_json_str(e, "code"), *text = kx_json_str(e, "message");
	KxErrorCode code = KX_ERROR_FAILED;
	for (guint i = 0; i < G_N_ELEMENTS(codes); i++)
		if (g_strcmp0(codes[i].name, name) == 0)
			code = codes[i].code;
	return g_error_new_literal(KX_ERROR, (gint)code, text ? text : "the daemon refused");
}
