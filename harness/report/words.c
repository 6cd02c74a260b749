/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document in sentences. */
#include "report-internal.h"

#include <string.h>

const json_t *report_at(const json_t *doc, const char *dotted_path)
{
	g_auto(GStrv) keys = g_strsplit(dotted_path, ".", -1);
	for (char **k = keys; *k && doc; k++)
		doc = json_object_get(doc, *k);
	return doc;
}

const char *report_str(const json_t *doc, const char *dotted_path)
{
	const char *s = json_string_value(report_at(doc, dotted_path));
	return s ? s : "";
}

double report_num(const json_t *doc, const char *dotted_path, double fallback)
{
	const json_t *v = report_at(doc, dotted_path);
	return json_is_number(v) ? json_number_value(v) : fallback;
}

bool report_has_name(const json_t *names, const char *name)
{
	size_t i;
	json_t *n;
	json_array_foreach ((json_t *)names, i, n) {
		if (g_strcmp0(json_string_value(n), name) == 0)
			return true;
	}
	return false;
}

/* ---- outcomes ---- */

const ReportOutcome report_outcomes[] = {
	{"fault", "F", "fault"},	 {"clean", "c", "clean"},
	{"hang", "H", "hang"},		 {"panic", "P", "panic"},
	{"noboot", "N", "did not boot"}, {"infra", "i", "the lab's failure, no evidence"},
	{NULL, "?", "unknown"},
};

const ReportOutcome *report_outcome(const char *name)
{
	const ReportOutcome *o = report_outcomes;
	while (o->name && g_strcmp0(o->name, name) != 0)
		o++;
	return o;
}

const ReportGroup report_groups[3] = {
	{"kexec", "kexec"},
	{"cold", "cold"},
	{"clean_rebuild", "clean rebuild"},
};

bool report_in_group(const json_t *trial, const ReportGroup *group)
{
	const char *key = kx_json_bool(trial, "clean_build", false) ? "clean_rebuild"
								    : report_str(trial, "mode");
	return strcmp(key, group->key) == 0;
}

/* ---- sentences ---- */

static void plain_words(GString *out, const char *s)
{
	report_put_plain(out, s, REPORT_TITLE_MAX);
}

static void plain_name(GString *out, const char *s)
{
	report_put_plain(out, s, REPORT_NAME_MAX);
}

const ReportSpeech report_speech_plain = {plain_words, plain_name};

static bool causes(const json_t *doc)
{
	return strcmp(report_str(doc, "verdict.effect"), "causes") == 0;
}

void report_say_set(const json_t *members, const char *nothing, const ReportSpeech *say,
		    GString *out)
{
	size_t n = json_array_size(members);
	if (n == 0)
		say->words(out, nothing);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			say->words(out, i == n - 1 ? " and " : ", ");
		const char *name = json_string_value(json_array_get(members, i));
		say->name(out, name ? name : "");
	}
}

static bool is_order(const json_t *doc)
{
	return strcmp(report_str(doc, "campaign.space"), "order") == 0;
}

static bool is_history(const json_t *doc)
{
	return strcmp(report_str(doc, "campaign.space"), "history") == 0;
}

void report_say_title(const json_t *doc, const char *name, const ReportSpeech *say, GString *out)
{
	const json_t *candidates = json_object_get(doc, "candidates");
	size_t i;
	json_t *c;
	json_array_foreach ((json_t *)candidates, i, c) {
		if (strcmp(report_str(c, "name"), name) != 0 || *report_str(c, "title") == '\0')
			continue;
		say->words(out, " (");
		say->words(out, report_str(c, "title"));
		say->words(out, ")");
		return;
	}
}

/* "commit 0123456789ab (its subject)" */
static void say_commit(const json_t *doc, const json_t *members, const ReportSpeech *say,
		       GString *out)
{
	const char *name = json_string_value(json_array_get(members, 0));
	say->words(out, "commit ");
	say->name(out, name ? name : "");
	report_say_title(doc, name ? name : "", say, out);
}

static void say_either(const json_t *members, const ReportSpeech *say, GString *out)
{
	for (size_t i = 0; i < json_array_size(members); i++) {
		const char *name = json_string_value(json_array_get(members, i));
		say->words(out, i ? " or " : "either ");
		say->name(out, name ? name : "");
	}
}

void report_say_hypothesis(const json_t *doc, const json_t *hypothesis, const ReportSpeech *say,
			   GString *out)
{
	const char *kind = report_str(hypothesis, "kind");
	const json_t *members = json_object_get(hypothesis, "members");
	if (is_history(doc)) {
		if (strcmp(kind, "none") == 0)
			say->words(out, causes(doc) ? "no commit of the range brought it"
						    : "no commit of the range fixed it");
		else if (strcmp(kind, "empty") == 0)
			say->words(out, causes(doc) ? "the start of the range faults already"
						    : "the start of the range does not fault");
		else
			say_commit(doc, members, say, out);
	} else if (strcmp(kind, "either") == 0) {
		say_either(members, say, out);
		say->words(out, ", each alone");
	} else if (strcmp(kind, "none") == 0)
		say->words(out,
			   causes(doc) ? "no combination causes it" : "no combination removes it");
	else if (strcmp(kind, "empty") == 0)
		say->words(out, causes(doc) ? "the base faults by itself"
					    : "the fault does not show here");
	else
		report_say_set(members, "nothing", say, out);
}

static void say_probability(const json_t *doc, const ReportSpeech *say, GString *out)
{
	g_autofree char *p = report_probability(report_num(doc, "verdict.probability", 0));
	g_autofree char *text = g_strdup_printf(" (p %s%s)", g_ascii_isdigit(*p) ? "= " : "", p);
	say->words(out, text);
}

static void say_cause(const json_t *doc, const ReportSpeech *say, GString *out)
{
	const json_t *members = report_at(doc, "verdict.members");
	bool either = json_is_true(report_at(doc, "verdict.either"));
	size_t n = either ? 1 : json_array_size(members);
	if (is_history(doc)) {
		say_commit(doc, members, say, out);
		say->words(out, causes(doc) ? " brought the fault" : " fixed the fault");
		say_probability(doc, say, out);
		return;
	}
	if (either)
		say_either(members, say, out);
	else
		report_say_set(members, "nothing", say, out);
	say->words(out, n == 1 ? " alone " : " together ");
	if (causes(doc))
		say->words(out, n == 1 ? "makes the fault appear" : "make the fault appear");
	else
		say->words(out, n == 1 ? "removes the fault" : "remove the fault");
	say_probability(doc, say, out);
}

static void say_none(const json_t *doc, const ReportSpeech *say, GString *out)
{
	const char *why = report_str(doc, "verdict.why");
	bool history = is_history(doc);
	if (strcmp(why, "no_fault") == 0) {
		say->words(out, history ? "The fault does not show at the start of the range"
					: "The fault does not show on the base");
	} else if (history && strcmp(why, "base_faults") == 0) {
		say->words(out, "The start of the range faults already");
	} else if (history) {
		g_autofree char *text =
			g_strdup_printf("None of the %.0f commits of the range %s the fault",
					report_num(doc, "campaign.candidates", 0),
					causes(doc) ? "brought" : "fixed");
		say->words(out, text);
	} else if (is_order(doc)) {
		say->words(out, strcmp(why, "base_faults") == 0 ? "The good order faults as well"
								: "The order does not matter");
	} else if (strcmp(why, "base_faults") == 0) {
		say->words(out, "The base faults by itself, so no candidate causes it");
	} else {
		g_autofree char *text =
			g_strdup_printf("No combination of the %zu candidates %s the fault",
					json_array_size(json_object_get(doc, "candidates")),
					causes(doc) ? "causes" : "removes");
		say->words(out, text);
	}
	say_probability(doc, say, out);
}

static void say_leading(const json_t *doc, const ReportSpeech *say, GString *out)
{
	const json_t *leading = report_at(doc, "verdict.leading");
	if (!leading)
		return;
	say->words(out, ": ");
	report_say_hypothesis(doc, leading, say, out);
	say->words(out, " leads");
	say_probability(doc, say, out);
}

static void say_inconclusive(const json_t *doc, const ReportSpeech *say, GString *out)
{
	const char *state = report_str(doc, "campaign.state");
	const char *why = report_str(doc, "verdict.why");
	if (report_num(doc, "totals.trials", 0) == 0) {
		say->words(out, "No verdict: no trial was made yet");
		return;
	}
	if (strcmp(state, "done") != 0)
		say->words(out, "No verdict yet");
	else if (strcmp(why, "untestable") == 0)
		say->words(out, "No verdict, what would decide cannot be tested");
	else if (strcmp(why, "cold_differs") == 0)
		say->words(out, "No verdict, cold boots or clean kernels contradict the search");
	else
		say->words(out, "No verdict when the budget ended");
	say_leading(doc, say, out);
}

void report_say_headline(const json_t *doc, const ReportSpeech *say, GString *out)
{
	const char *kind = report_str(doc, "verdict.kind");
	const char *order = report_str(doc, "verdict.order.sentence");
	if (strcmp(kind, "cause") == 0 && *order) {
		say->words(out, order);
		say_probability(doc, say, out);
	} else if (strcmp(kind, "cause") == 0)
		say_cause(doc, say, out);
	else if (strcmp(kind, "none") == 0)
		say_none(doc, say, out);
	else if (json_is_false(report_at(doc, "survey.after_verdict")))
		report_say_survey(doc, say, out);
	else
		say_inconclusive(doc, say, out);
}

void report_say_role(const json_t *entry, const ReportSpeech *say, GString *out)
{
	const char *role = report_str(entry, "role");
	const json_t *members = json_object_get(entry, "members");
	double variants = report_num(entry, "variants", 0);
	static const struct {
		const char *role, *words;
	} commits[] = {{"commit", "at commit "}, {"parent", "just before it, at "}};
	for (size_t i = 0; i < G_N_ELEMENTS(commits); i++) {
		if (strcmp(role, commits[i].role) != 0)
			continue;
		say->words(out, commits[i].words);
		report_say_set(members, "nothing", say, out);
		return;
	}
	if (strcmp(role, "base") == 0) {
		say->words(out, "the base, without any candidate");
	} else if (strcmp(role, "start") == 0) {
		say->words(out, "the start of the range");
	} else if (strcmp(role, "before") == 0 || strcmp(role, "since") == 0) {
		g_autofree char *text =
			g_strdup_printf("all %.0f commits %s ", variants,
					strcmp(role, "since") == 0 ? "that have" : "that have not");
		say->words(out, text);
		report_say_set(members, "nothing", say, out);
	} else if (strcmp(role, "with") == 0) {
		say->words(out, "with ");
		report_say_set(members, "nothing", say, out);
		say->words(out, " only");
	} else if (strcmp(role, "less") == 0) {
		say->words(out, "with ");
		report_say_set(members, "nothing", say, out);
		say->words(out, " but not ");
		report_say_set(json_object_get(entry, "absent"), "nothing", say, out);
	} else if (strcmp(role, "all") == 0) {
		g_autofree char *text = g_strdup_printf("all %.0f variants together", variants);
		say->words(out, variants == 1 ? "the one variant" : text);
	} else {
		bool with = strcmp(role, "all_with") == 0;
		g_autofree char *text = g_strdup_printf(
			"%s %.0f variant%s %s ", variants == 1 ? "the" : "all", variants,
			variants == 1 ? "" : "s", with ? "with" : "without");
		say->words(out, text);
		report_say_set(members, "nothing", say, out);
	}
}

char *report_say_count(const json_t *count)
{
	gint64 boots = kx_json_int(count, "boots", 0), faults = kx_json_int(count, "faults", 0);
	if (boots <= 0)
		return g_strdup("");
	if (faults == 0)
		return boots == 1 ? g_strdup("1 boot, no fault")
				  : g_strdup_printf("none of %" G_GINT64_FORMAT " boots faults",
						    boots);
	if (faults == boots)
		return boots == 1 ? g_strdup("1 boot, it faults")
		       : boots == 2
			       ? g_strdup("both boots fault")
			       : g_strdup_printf("all %" G_GINT64_FORMAT " boots fault", boots);
	return g_strdup_printf("%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " boots fault%s", faults,
			       boots, faults == 1 ? "s" : "");
}

char *report_say_parameters(const json_t *doc)
{
	const json_t *all = report_at(doc, "repeat.parameters");
	GString *out = g_string_new(NULL);
	size_t i;
	json_t *p;
	json_array_foreach ((json_t *)all, i, p)
		g_string_append_printf(out, "%s%s",
				       i ? " " : "# on its command line: ", json_string_value(p));
	return g_string_free(out, FALSE);
}

void report_put_log_line(GString *out, const json_t *line)
{
	const char *time = report_str(line, "time");
	const char *second = strchr(time, 'T');
	/* kernel time as dmesg shows it; of the host's only the time of day */
	if (second)
		time = second + 1;
	if (*time) {
		g_autoptr(GString) clean = g_string_new(NULL);
		report_put_plain(clean, time, 20);
		g_string_append_printf(out, second ? "%s " : "[%12s] ", clean->str);
	}
	report_put_plain(out, report_str(line, "text"), REPORT_LINE_MAX);
}

const char *report_state_note(const json_t *doc)
{
	const char *state = report_str(doc, "campaign.state");
	if (strcmp(state, "running") == 0)
		return "The campaign is still running: this is what stands so far.";
	if (strcmp(state, "stopped") == 0)
		return "The campaign was stopped before it ended: this is what stands so far. "
		       "Running it again goes on from here.";
	if (strcmp(state, "failed") == 0)
		return "The campaign ended with an error: this is what stands.";
	return NULL;
}
