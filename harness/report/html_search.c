/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page: what the search believed and believes. */
#include "html-internal.h"

#include <string.h>

#define MATRIX_MAX 40 /* candidates; a larger grid says nothing to the eye */

static void put_probability(GString *out, double p)
{
	g_autofree char *text = report_probability(p);
	report_html_text(out, text);
}

static void put_line_keys(GString *out, const json_t *doc)
{
	const json_t *hypotheses = report_at(doc, "history.hypotheses");
	g_string_append(out, "<ul class=\"keys\">\n");
	for (size_t i = 0; i < json_array_size(hypotheses) && i < REPORT_HISTORY_LINES; i++) {
		g_string_append(out, "<li>");
		report_svg_line_key(out, i);
		report_say_hypothesis(doc, json_array_get(hypotheses, i), &report_speech_html, out);
		g_string_append(out, "</li>\n");
	}
	g_string_append(out, "</ul>\n");
}

#define STEPS_MAX 300

static void put_letters(GString *out, const json_t *trials, const ReportStep *s)
{
	for (size_t i = s->first; i < s->first + s->count; i++) {
		const json_t *t = json_array_get(trials, i);
		const ReportOutcome *o = report_outcome(report_str(t, "outcome"));
		g_string_append_printf(out, "<span class=\"t t-%s\">%s</span>",
				       o->name ? o->name : "unknown", o->letter);
	}
}

/* What is believed most after a step. */
static void put_leader(GString *out, const json_t *doc, const json_t *point)
{
	const json_t *leading = json_object_get(point, "leading");
	if (!leading)
		return;
	report_say_hypothesis(doc, leading, &report_speech_html, out);
	g_string_append_c(out, ' ');
	put_probability(out, report_num(leading, "probability", 0));
}

static void put_why(GString *out, const json_t *why)
{
	if (!why) {
		g_string_append(out, "<span class=\"none\">–</span>");
		return;
	}
	const char *reason = report_str(why, "reason");
	report_html_text(out, reason);
	if (strstr(reason, " bits in ")) /* search says it itself */
		return;
	g_autofree char *cost = report_duration(report_num(why, "cost_s", 0));
	g_string_append_printf(out, "<br><small>%.2f bits expected, for %s; P(fault) %.2f</small>",
			       report_num(why, "bits", 0), cost, report_num(why, "p_fault", 0));
}

static void put_step(GString *out, const json_t *doc, const ReportStep *s)
{
	const json_t *trials = json_object_get(doc, "trials");
	const json_t *t = json_array_get(trials, s->first);
	double first = report_num(t, "number", 0);
	g_string_append_printf(out, "<tr><td class=\"n\">%.0f", first);
	if (s->count > 1)
		g_string_append_printf(out, "–%.0f", first + (double)s->count - 1);
	g_string_append(out, "</td><th scope=\"row\">");
	report_say_set(json_object_get(t, "members"), "the base", &report_speech_html, out);
	g_string_append_printf(out, "<br><small>%s%s</small></th><td data-label=\"why\">",
			       strcmp(report_str(t, "mode"), "cold") == 0 ? "cold" : "kexec",
			       kx_json_bool(t, "clean_build", false) ? ", clean build" : "");
	put_why(out, s->why);
	g_string_append(out, "</td><td class=\"trials\" data-label=\"outcome\">");
	put_letters(out, trials, s);
	g_string_append(out, "</td><td data-label=\"then ahead\">");
	if (s->after)
		put_leader(out, doc, s->after);
	g_string_append(out, "</td></tr>\n");
}

/* Why each boot was made, and what came of it. */
static void put_steps(GString *out, const json_t *doc)
{
	g_autoptr(GArray) steps = report_steps(doc, STEPS_MAX);
	if (!steps->len)
		return;
	g_string_append(out, "<details open><summary>Step by step</summary>\n"
			     "<table class=\"cards steps\">\n<thead><tr><th class=\"n\">Boots</th>"
			     "<th>Kernel with</th><th>Why this one</th><th>Outcome</th>"
			     "<th>Then ahead</th></tr></thead>\n<tbody>\n");
	for (guint i = 0; i < steps->len; i++)
		put_step(out, doc, &g_array_index(steps, ReportStep, i));
	g_string_append(out, "</tbody></table></details>\n");
}

void report_html_belief(GString *out, const json_t *doc)
{
	const json_t *hypotheses = json_object_get(doc, "hypotheses");
	size_t i;
	json_t *h;
	if (json_array_size(hypotheses) == 0)
		return;
	report_html_section(out, "belief", "How the answer came about");
	if (json_array_size(report_at(doc, "history.points")) >= 2) {
		g_string_append(out,
				"<p>Probability of the leading hypotheses after each boot. Below: "
				"the boots, long strokes fault, short ones are clean.</p>\n"
				"<div class=\"plot-box\">");
		report_svg_history(out, doc);
		g_string_append(out, "</div>\n");
		put_line_keys(out, doc);
	}
	g_string_append(out, "<details><summary>All leading hypotheses</summary>\n<table>\n"
			     "<thead><tr><th>Hypothesis</th><th class=\"n\">Probability</th></tr>"
			     "</thead>\n<tbody>\n");
	json_array_foreach ((json_t *)hypotheses, i, h) {
		g_string_append(out, "<tr><td>");
		report_say_hypothesis(doc, h, &report_speech_html, out);
		g_string_append(out, "</td><td class=\"n\">");
		put_probability(out, report_num(h, "probability", 0));
		g_string_append(out, "</td></tr>\n");
	}
	g_string_append(out, "</tbody></table></details>\n");
	put_steps(out, doc);
	g_string_append(out, "</section>\n");
}

/* ---- candidates ---- */

/* What a candidate without a title is. */
static void put_kind(GString *out, const json_t *c)
{
	static const struct {
		const char *kind, *words;
	} kinds[] = {{"parameter", "boot parameter"},
		     {"initcall", "move of an initcall"},
		     {"config", "kconfig option"}};
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (strcmp(report_str(c, "kind"), kinds[i].kind) == 0)
			g_string_append(out, kinds[i].words);
	}
}

static void put_candidate(GString *out, const json_t *c, size_t number)
{
	double p = report_num(c, "probability", 0);
	const json_t *depends = json_object_get(c, "depends");
	g_string_append_printf(out, "<tr%s><td class=\"n\">%zu</td><th scope=\"row\">",
			       kx_json_bool(c, "in_cause", false) ? " class=\"chosen\"" : "",
			       number);
	report_html_code(out, report_str(c, "name"));
	g_string_append(out, "</th><td>");
	if (*report_str(c, "title"))
		report_html_text(out, report_str(c, "title"));
	else
		put_kind(out, c);
	if (json_array_size(depends) > 0) {
		g_string_append(out, "<br><small>needs ");
		report_say_set(depends, "", &report_speech_html, out);
		g_string_append(out, "</small>");
	}
	g_autofree char *file = g_path_get_basename(report_str(c, "file"));
	if (*report_str(c, "file") && !strstr(file, report_str(c, "name"))) {
		g_string_append(out, "<br><small class=\"file\">");
		report_html_text(out, file);
		g_string_append(out, "</small>");
	}
	g_string_append(out, "</td><td class=\"n p\" data-label=\"in the cause\">");
	put_probability(out, p);
	g_string_append_printf(
		out,
		"<svg class=\"meter\" width=\"60\" height=\"4\" aria-hidden=\"true\">"
		"<rect width=\"60\" height=\"4\"/><rect class=\"v\" width=\"%d\" "
		"height=\"4\"/></svg></td></tr>\n",
		(int)(60 * report_clamp(p, 0, 1) + 0.5));
}

void report_html_candidates(GString *out, const json_t *doc)
{
	const json_t *candidates = json_object_get(doc, "candidates");
	size_t i;
	json_t *c;
	if (json_array_size(candidates) == 0)
		return;
	report_html_section(out, "candidates", "Candidates");
	g_string_append(out, "<table class=\"cards candidates\">\n<thead><tr><th class=\"n\">#</th>"
			     "<th>Name</th><th>Change</th><th class=\"n\">P(in the cause)</th>"
			     "</tr></thead>\n<tbody>\n");
	json_array_foreach ((json_t *)candidates, i, c)
		put_candidate(out, c, (size_t)report_num(c, "number", (double)i + 1));
	g_string_append(out, "</tbody></table>\n</section>\n");
}

/* ---- what goes with what ---- */

static const struct {
	const char *relation, *css, *sign, *words;
} relations[] = {
	{"conflicts", "x", "×", "do not apply together"},
	{"needs", "d", "→", "the row needs the column"},
	{"unbuildable", "u", "!", "does not build"},
};
#define NEEDS 1

static gint64 relation_of(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(relations); i++) {
		if (strcmp(relations[i].relation, name) == 0)
			return (gint64)i;
	}
	return -1;
}

static const char *member(const json_t *conflict, size_t i)
{
	const char *name =
		json_string_value(json_array_get(json_object_get(conflict, "members"), i));
	return name ? name : "";
}

/* "row\ncolumn" → index of relations[] + 1. A set of one is on the diagonal; sets of three and more
 * are in the list only. */
static GHashTable *cells_of(const json_t *conflicts)
{
	GHashTable *cells = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	size_t i;
	json_t *c;
	json_array_foreach ((json_t *)conflicts, i, c) {
		size_t n = json_array_size(json_object_get(c, "members"));
		const char *a = member(c, 0), *b = member(c, n - 1);
		gint64 r = relation_of(report_str(c, "relation"));
		if (r < 0 || n == 0 || n > 2)
			continue;
		g_hash_table_insert(cells, g_strdup_printf("%s\n%s", a, b),
				    GINT_TO_POINTER((int)r + 1));
		if (r != NEEDS)
			g_hash_table_insert(cells, g_strdup_printf("%s\n%s", b, a),
					    GINT_TO_POINTER((int)r + 1));
	}
	return cells;
}

static void put_matrix_row(GString *out, const json_t *candidates, size_t row, GHashTable *cells)
{
	const char *a = report_str(json_array_get(candidates, row), "name");
	g_string_append_printf(out, "<tr><th scope=\"row\">");
	report_html_code(out, a);
	g_string_append_printf(out, " <span class=\"num\">%zu</span></th>", row + 1);
	for (size_t col = 0; col < json_array_size(candidates); col++) {
		const char *b = report_str(json_array_get(candidates, col), "name");
		g_autofree char *key = g_strdup_printf("%s\n%s", a, b);
		int r = GPOINTER_TO_INT(g_hash_table_lookup(cells, key)) - 1;
		if (r >= 0)
			g_string_append_printf(out, "<td class=\"m-%s\" title=\"%s\">%s</td>",
					       relations[r].css, relations[r].words,
					       relations[r].sign);
		else
			g_string_append(out,
					col == row ? "<td class=\"m-self\"></td>" : "<td></td>");
	}
	g_string_append(out, "</tr>\n");
}

static void put_matrix(GString *out, const json_t *doc)
{
	const json_t *candidates = json_object_get(doc, "candidates");
	size_t n = json_array_size(candidates);
	g_autoptr(GHashTable) cells = cells_of(json_object_get(doc, "conflicts"));
	g_string_append(out,
			"<div class=\"scroll\"><table class=\"matrix\">\n<thead><tr><td></td>");
	for (size_t i = 0; i < n; i++)
		g_string_append_printf(out, "<th scope=\"col\">%zu</th>", i + 1);
	g_string_append(out, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < n; i++)
		put_matrix_row(out, candidates, i, cells);
	g_string_append(out, "</tbody></table></div>\n<p class=\"legend\">");
	for (size_t i = 0; i < G_N_ELEMENTS(relations); i++)
		g_string_append_printf(out, "<span><span class=\"mark m-%s\">%s</span> %s</span> ",
				       relations[i].css, relations[i].sign, relations[i].words);
	g_string_append(out, "</p>\n");
}

static void put_conflict(GString *out, const json_t *c)
{
	const json_t *members = json_object_get(c, "members");
	gint64 r = relation_of(report_str(c, "relation"));
	g_string_append(out, "<li>");
	if (r == NEEDS) {
		report_html_code(out, member(c, 0));
		g_string_append(out, " needs ");
		report_html_code(out, member(c, 1));
	} else {
		bool one = json_array_size(members) == 1;
		report_say_set(members, "nothing", &report_speech_html, out);
		g_string_append(out, r == 0 ? one ? " does not apply" : " do not apply together"
				     : one  ? " does not build"
					    : " do not build together");
	}
	if (*report_str(c, "reason")) {
		g_string_append(out, ": ");
		report_html_text(out, report_str(c, "reason"));
	}
	g_string_append(out, "</li>\n");
}

static void put_conflict_list(GString *out, const json_t *conflicts)
{
	size_t i;
	json_t *c;
	g_string_append(out, "<ul class=\"conflicts\">\n");
	json_array_foreach ((json_t *)conflicts, i, c)
		put_conflict(out, c);
	g_string_append(out, "</ul>\n");
}

void report_html_conflicts(GString *out, const json_t *doc)
{
	const json_t *conflicts = json_object_get(doc, "conflicts");
	size_t n = json_array_size(json_object_get(doc, "candidates"));
	if (json_array_size(conflicts) == 0)
		return;
	report_html_section(out, "conflicts", "What goes with what");
	if (n <= MATRIX_MAX) {
		put_matrix(out, doc);
		g_string_append(out, "<details><summary>Reasons</summary>\n");
		put_conflict_list(out, conflicts);
		g_string_append(out, "</details>\n");
	} else {
		put_conflict_list(out, conflicts);
	}
	g_string_append(out, "</section>\n");
}
