/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the morning report says, in words. */
#include <string.h>

#include "report-internal.h"
#include "summary-internal.h"

#define MOST 15 /* items of a section that is not about verdicts */
#define MOST_VERDICTS 100
#define DAY_US (G_GINT64_CONSTANT(86400) * G_USEC_PER_SEC)

static void item_free(gpointer p)
{
	SummaryItem *i = p;
	g_free(i->name);
	g_free(i->text);
	g_free(i->command);
	g_free(i);
}

static void section_free(gpointer p)
{
	SummarySection *s = p;
	g_free(s->title);
	g_ptr_array_unref(s->items);
	g_free(s);
}

static SummarySection *section_new(const char *title, bool bad)
{
	SummarySection *s = g_new0(SummarySection, 1);
	*s = (SummarySection){.title = g_strdup(title),
			      .bad = bad,
			      .items = g_ptr_array_new_with_free_func(item_free)};
	return s;
}

/* Takes over text and command. */
static void add(SummarySection *s, const char *name, char *text, char *command)
{
	SummaryItem *i = g_new0(SummaryItem, 1);
	*i = (SummaryItem){g_strdup(name ? name : ""), text, command};
	g_ptr_array_add(s->items, i);
}

/* Quoted when a shell would not take it as it is. */
static char *shell_word(const char *text)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-_./";
	return *text && strspn(text, safe) == strlen(text) ? g_strdup(text) : g_shell_quote(text);
}

/* "p = 0.9983", "p > 0.9999" */
static void append_p(GString *out, double p)
{
	g_autofree char *text = report_probability(p);
	bool is_bound = *text == '<' || *text == '>';
	g_string_append_printf(out, " (p %s%s)", is_bound ? "" : "= ", text);
}

/* ---- times ---- */

static char *clock_of(const json_t *doc, gint64 us)
{
	bool long_ago = kx_json_int(doc, "until_us", 0) - us > DAY_US;
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_local(us / G_USEC_PER_SEC);
	return t ? g_date_time_format(t, long_ago ? "%F %H:%M" : "%H:%M") : g_strdup("?");
}

char *summary_title(const json_t *doc)
{
	g_autofree char *from = clock_of(doc, kx_json_int(doc, "since_us", 0));
	g_autofree char *to = clock_of(doc, kx_json_int(doc, "until_us", 0));
	return g_strdup_printf("%s, from %s to %s", report_str(doc, "host"), from, to);
}

static void append_duration(GString *out, double seconds)
{
	g_autofree char *text = report_duration(seconds);
	g_string_append(out, text);
}

/* ---- campaigns ---- */

static const char *state_of(const json_t *s)
{
	return report_str(s, "state");
}

static bool is_state(const json_t *s, const char *const *states)
{
	return g_strv_contains(states, state_of(s));
}

/* "; 212 boots, 6 builds" since the moment, else what the engine counted. */
static void append_work(GString *out, const json_t *s)
{
	const json_t *work = json_object_get(s, "work");
	gint64 boots =
		work ? kx_json_int(work, "boots", 0) : (gint64)report_num(s, "progress.trials", 0);
	gint64 builds =
		work ? kx_json_int(work, "builds", 0) : (gint64)report_num(s, "progress.builds", 0);
	gint64 all = work ? kx_json_int(work, "boots_in_all", 0) : 0;
	if (boots)
		g_string_append_printf(out, "; %" G_GINT64_FORMAT " boots", boots);
	if (boots && all > boots)
		g_string_append_printf(out, " (%" G_GINT64_FORMAT " with those before)", all);
	if (builds)
		g_string_append_printf(out, ", %" G_GINT64_FORMAT " builds", builds);
}

static char *report_command(const json_t *doc, const json_t *s)
{
	const char *run = report_str(s, "run"), *results = report_str(doc, "results");
	g_autofree char *quoted = shell_word(results);
	return *run ? g_strdup_printf("kexsect report %s --results %s", run, quoted) : NULL;
}

static char *verdict_text(const json_t *s)
{
	GString *out = g_string_new(report_str(s, "verdict.sentence"));
	if (out->len) {
		append_p(out, report_num(s, "verdict.probability", 0));
	} else {
		g_string_append_printf(out, "inconclusive: %s", report_str(s, "verdict.reason"));
	}
	append_work(out, s);
	return g_string_free(out, FALSE);
}

static char *running_text(const json_t *doc, const json_t *s)
{
	GString *out = g_string_new(NULL);
	g_string_append_printf(out, "on %s", report_str(s, "target"));
	const char *leader = report_str(s, "progress.leading.name");
	if (*leader) {
		g_string_append_printf(out, "; %s leads", leader);
		append_p(out, report_num(s, "progress.leading.probability", 0));
	}
	append_work(out, s);
	double left = report_num(s, "progress.seconds_left", 0);
	if (left > 0) {
		g_string_append(out, "; about ");
		append_duration(out, left);
		g_string_append(out, " left");
	}
	gint64 stalled = (gint64)report_num(s, "progress.stalled_us", 0);
	if (stalled) {
		g_autofree char *since = clock_of(doc, stalled);
		g_string_append_printf(out, "; STALLED, noticed at %s", since);
	}
	return g_string_free(out, FALSE);
}

static char *waiting_text(const json_t *s)
{
	const char *waits = report_str(s, "waits_for"), *reason = report_str(s, "reason");
	GString *out = g_string_new(*waits ? waits : state_of(s));
	if (*reason && !strstr(waits, reason))
		g_string_append_printf(out, "; %s", reason);
	append_work(out, s);
	return g_string_free(out, FALSE);
}

static char *failed_text(const json_t *s)
{
	GString *out = g_string_new(*report_str(s, "reason") ? report_str(s, "reason") : "?");
	append_work(out, s);
	return g_string_free(out, FALSE);
}

static void more(SummarySection *section, guint left)
{
	if (left)
		add(section, "", g_strdup_printf("and %u more: kexsect list", left), NULL);
}

static SummarySection *campaigns(const json_t *doc, const char *title, bool bad,
				 const char *const *states, guint most)
{
	SummarySection *out = section_new(title, bad);
	guint left = 0;
	size_t i;
	json_t *s;
	json_array_foreach (json_object_get(doc, "submissions"), i, s) {
		if (!is_state(s, states))
			continue;
		if (out->items->len >= most) {
			left++;
			continue;
		}
		const char *name = report_str(s, "name"), *state = state_of(s);
		if (json_object_get(s, "verdict") && g_str_equal(state, "done"))
			add(out, name, verdict_text(s), report_command(doc, s));
		else if (g_str_equal(state, "running") || g_str_equal(state, "stopping"))
			add(out, name, running_text(doc, s), NULL);
		else if (g_str_equal(state, "failed"))
			add(out, name, failed_text(s),
			    g_strdup_printf("kexsect resume %d", (int)kx_json_int(s, "id", 0)));
		else
			add(out, name, waiting_text(s), NULL);
	}
	more(out, left);
	return out;
}

/* ---- what was interrupted, and went on ---- */

static const struct {
	const char *kind, *words;
} breaks[] = {
	{"orphan", "lost its daemon"}, {"retry", "failed and was started again"},
	{"stopped", "was stopped"},    {"stall", "stalled"},
	{"paused", "was paused"},
};

static char *interrupted_text(const json_t *s)
{
	g_autoptr(GString) out = g_string_new(NULL);
	for (guint i = 0; i < G_N_ELEMENTS(breaks); i++) {
		const json_t *note = json_object_get(json_object_get(s, "notes"), breaks[i].kind);
		gint64 n = kx_json_int(note, "count", 0);
		const char *last = report_str(note, "text");
		if (!n)
			continue;
		g_string_append_printf(out, "%s%s", out->len ? "; " : "", breaks[i].words);
		if (n > 1)
			g_string_append_printf(out, " %" G_GINT64_FORMAT " times", n);
		if (*last && !g_str_equal(breaks[i].kind, "orphan"))
			g_string_append_printf(out, " (%s)", last);
	}
	return out->len ? g_strdup(out->str) : NULL;
}

static SummarySection *interrupted(const json_t *doc)
{
	SummarySection *out = section_new("Interrupted, and went on", false);
	guint left = 0;
	size_t i;
	json_t *s;
	json_array_foreach (json_object_get(doc, "submissions"), i, s) {
		char *text = g_str_equal(state_of(s), "failed") ? NULL : interrupted_text(s);
		if (text && out->items->len < MOST) {
			add(out, report_str(s, "name"), text, NULL);
		} else {
			left += text != NULL;
			g_free(text);
		}
	}
	more(out, left);
	return out;
}

/* ---- targets and disks ---- */

static SummarySection *targets_now(const json_t *doc)
{
	SummarySection *out = section_new("Targets in quarantine", true);
	size_t i;
	json_t *t;
	json_array_foreach (json_object_get(doc, "targets"), i, t) {
		if (!g_str_equal(report_str(t, "health"), "quarantined"))
			continue;
		g_autofree char *since = clock_of(doc, kx_json_int(t, "since_us", 0));
		const char *name = report_str(t, "name");
		g_autofree char *quoted = shell_word(name);
		add(out, name, g_strdup_printf("since %s: %s", since, report_str(t, "reason")),
		    g_strdup_printf("kexsect target check %s", quoted));
	}
	return out;
}

static SummarySection *lab_lines(const json_t *doc, const char *title, const char *const *kinds)
{
	SummarySection *out = section_new(title, false);
	const json_t *lines = json_object_get(doc, "lab");
	size_t i;
	json_t *line;
	guint found = 0;
	json_array_foreach (lines, i, line)
		found += g_strv_contains(kinds, report_str(line, "kind"));
	guint skip = found > MOST ? found - MOST : 0; /* the newest ones stay */
	if (skip)
		add(out, "", g_strdup_printf("%u earlier ones", skip), NULL);
	json_array_foreach (lines, i, line) {
		if (!g_strv_contains(kinds, report_str(line, "kind")) || (skip && skip--))
			continue;
		g_autofree char *at = clock_of(doc, kx_json_int(line, "time_us", 0));
		add(out, at, g_strdup(report_str(line, "text")), NULL);
	}
	return out;
}

static SummarySection *disks(const json_t *doc)
{
	static const char *const kinds[] = {"disk", "disk-back", NULL};
	SummarySection *out = lab_lines(doc, "Disks and database", kinds);
	const char *trouble = report_str(doc, "trouble");
	if (*trouble) {
		out->bad = true;
		add(out, "now", g_strdup_printf("nothing starts: %s", trouble), NULL);
	}
	if (!out->items->len)
		return out;
	g_autoptr(GString) room = g_string_new(NULL);
	const char *key;
	json_t *free_bytes;
	json_object_foreach (json_object_get(doc, "disks"), key, free_bytes)
		g_string_append_printf(room, "%s%s %.1f GiB", room->len ? ", " : "", key,
				       json_number_value(free_bytes) / (1 << 30));
	add(out, "free", g_strdup(room->str), NULL);
	return out;
}

/* ---- numbers ---- */

static char *work_text(const json_t *doc)
{
	const json_t *work = json_object_get(doc, "work");
	double boots = report_num(work, "boots", 0), builds = report_num(work, "builds", 0);
	double infra = report_num(work, "infra", 0);
	GString *out = g_string_new(NULL);
	g_string_append_printf(out, "%.0f boots", boots);
	if (boots > 0) {
		g_string_append(out, " in ");
		append_duration(out, report_num(work, "boot_s", 0));
		g_string_append_printf(out, ", %.0f of them (%.1f %%) lost by the lab", infra,
				       100 * infra / boots);
	}
	g_string_append_printf(out, "; %.0f builds", builds);
	if (builds > 0) {
		g_string_append(out, " in ");
		append_duration(out, report_num(work, "compile_s", 0));
	}
	const char *why = report_str(doc, "work_why");
	if (*why)
		g_string_append_printf(out, "; %s", why);
	return g_string_free(out, FALSE);
}

static void add_daemon(SummarySection *out, const json_t *doc)
{
	int starts = (int)report_num(doc, "daemon.starts", 0);
	int killed = (int)report_num(doc, "daemon.killed", 0);
	if (starts == 1)
		add(out, "daemon",
		    g_strdup_printf("started once%s", killed ? ", after it was killed" : ""), NULL);
	else if (starts)
		add(out, "daemon",
		    g_strdup_printf("started %d times, %d of them after it was killed", starts,
				    killed),
		    NULL);
}

static SummarySection *numbers(const json_t *doc)
{
	SummarySection *out = section_new("Numbers", false);
	if (json_object_get(doc, "work"))
		add(out, "work", work_text(doc), NULL);
	add_daemon(out, doc);
	gint64 pending = (gint64)report_num(doc, "notices.pending", 0);
	gint64 given_up = (gint64)report_num(doc, "notices.given_up", 0);
	if (pending || given_up)
		add(out, "notices",
		    g_strdup_printf("%" G_GINT64_FORMAT " not delivered yet, %" G_GINT64_FORMAT
				    " given up",
				    pending, given_up),
		    g_strdup("kexsect notify list"));
	return out;
}

/* ---- all ---- */

static void take(GPtrArray *all, SummarySection *s)
{
	if (s->items->len)
		g_ptr_array_add(all, s);
	else
		section_free(s);
}

GPtrArray *summary_sections(const json_t *doc)
{
	static const char *const done[] = {"done", NULL}, *const failed[] = {"failed", NULL};
	static const char *const running[] = {"running", "stopping", NULL};
	static const char *const waiting[] = {"queued", "waiting", "paused", NULL};
	static const char *const cancelled[] = {"cancelled", NULL};
	static const char *const health[] = {"quarantine", "released", NULL};
	GPtrArray *all = g_ptr_array_new_with_free_func(section_free);
	take(all, campaigns(doc, "Verdicts", false, done, MOST_VERDICTS));
	take(all, campaigns(doc, "Failed", true, failed, MOST));
	take(all, campaigns(doc, "Still running", false, running, MOST));
	take(all, campaigns(doc, "Waiting", false, waiting, MOST));
	take(all, campaigns(doc, "Cancelled", false, cancelled, MOST));
	take(all, targets_now(doc));
	take(all, interrupted(doc));
	take(all, lab_lines(doc, "Targets: quarantines and recoveries", health));
	take(all, disks(doc));
	take(all, numbers(doc));
	return all;
}
