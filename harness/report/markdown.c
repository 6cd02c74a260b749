/* SPDX-License-Identifier: GPL-2.0-or-later */
/* To paste to a mailing list or an issue: short, and readable as it stands. */
#include "report-internal.h"

#include <string.h>

#include "timeline/timeline.h"

#define LOG_LINES 40
#define VARIANTS_MAX 40
#define TIMELINE_LINES 48

static void words(GString *out, const char *s)
{
	report_put_md(out, s, REPORT_TITLE_MAX);
}

static void name(GString *out, const char *s)
{
	report_put_md_code(out, s, REPORT_NAME_MAX);
}

static const ReportSpeech speech = {words, name};

static void put_labelled(GString *out, const char *label, const json_t *named)
{
	if (!*report_str(named, "name"))
		return;
	g_string_append_printf(out, "- %s: ", label);
	name(out, report_str(named, "name"));
	if (*report_str(named, "title")) {
		g_string_append(out, " ");
		words(out, report_str(named, "title"));
	}
	g_string_append_c(out, '\n');
}

static void put_head(GString *out, const json_t *doc)
{
	g_autofree char *took = report_duration(report_num(doc, "time.total", 0));
	const char *note = report_state_note(doc);
	g_string_append(out, "# ");
	report_say_headline(doc, &speech, out);
	g_string_append(out, "\n\n");
	if (*report_str(doc, "campaign.title")) {
		g_string_append(out, "Campaign ");
		name(out, report_str(doc, "campaign.slug"));
		g_string_append(out, ": ");
		words(out, report_str(doc, "campaign.title"));
		g_string_append(out, "\n\n");
	}
	if (*report_str(doc, "campaign.question")) {
		g_string_append(out, "Question: ");
		report_put_md(out, report_str(doc, "campaign.question"), REPORT_TEXT_MAX);
		g_string_append(out, "\n\n");
	}
	if (note)
		g_string_append_printf(out, "%s\n\n", note);
	g_string_append_printf(out, "%.0f boots of %.0f variants in %s.",
			       report_num(doc, "totals.trials", 0),
			       report_num(doc, "totals.variants", 0), took);
	if (*report_str(doc, "verdict.reason")) {
		g_string_append(out, " Why: ");
		words(out, report_str(doc, "verdict.reason"));
	}
	if (report_effects_of_none(doc)) {
		g_string_append(out, " What was measured: ");
		report_put_md(out, report_effects_of_none(doc), REPORT_TEXT_MAX);
		g_string_append_c(out, '.');
	}
	g_string_append(out, "\n\n");
	put_labelled(out, "base", report_at(doc, "campaign.base"));
	size_t i;
	json_t *x;
	json_array_foreach ((json_t *)report_at(doc, "campaign.fixtures"), i, x)
		put_labelled(out, "fixture", x);
	json_array_foreach ((json_t *)report_at(doc, "campaign.targets"), i, x)
		put_labelled(out, "target", x);
	put_labelled(out, "oracle", report_at(doc, "campaign.oracle"));
}

static void put_evidence(GString *out, const json_t *doc)
{
	const json_t *evidence = report_at(doc, "verdict.evidence");
	size_t i;
	json_t *e;
	if (json_array_size(evidence) == 0)
		return;
	g_string_append(out, "\n## Evidence\n\n| booted | kexec | cold | clean rebuild |\n"
			     "|---|---|---|---|\n");
	json_array_foreach ((json_t *)evidence, i, e) {
		g_string_append(out, "| ");
		report_say_role(e, &speech, out);
		for (size_t g = 0; g < G_N_ELEMENTS(report_groups); g++) {
			const json_t *all = json_object_get(e, "all");
			g_autofree char *count = report_say_count(
				all && g == 0 ? all : json_object_get(e, report_groups[g].key));
			g_string_append_printf(out, " | %s", count);
		}
		g_string_append(out, " |\n");
	}
}

static void put_variants(GString *out, const json_t *doc)
{
	const json_t *variants = json_object_get(doc, "variants");
	size_t i;
	json_t *v;
	if (json_array_size(variants) == 0)
		return;
	g_string_append(out, "\n## Variants\n\n| kernel with | faults | clean | other | build |\n"
			     "|---|---:|---:|---:|---|\n");
	json_array_foreach ((json_t *)variants, i, v) {
		if (i == VARIANTS_MAX) {
			g_string_append_printf(out, "\nand %zu more.\n",
					       json_array_size(variants) - i);
			break;
		}
		double faults = report_num(v, "faults", 0), cleans = report_num(v, "cleans", 0);
		g_string_append(out, "| ");
		report_say_set(json_object_get(v, "members"), "the base", &speech, out);
		g_string_append_printf(out, " | %.0f | %.0f | %.0f | ", faults, cleans,
				       report_num(v, "boots", 0) - faults - cleans);
		if (strcmp(report_str(v, "status"), "ok") == 0) {
			name(out, report_str(v, "identity"));
		} else {
			words(out, report_str(v, "status"));
			g_string_append(out, ": ");
			words(out, report_str(v, "reason"));
		}
		g_string_append(out, " |\n");
	}
}

static void put_grid(GString *out, const GPtrArray *grid)
{
	size_t wide = g_strv_length(grid->pdata[0]);
	for (guint i = 0; i < grid->len; i++) {
		char **line = grid->pdata[i];
		g_string_append_c(out, '|');
		for (size_t k = 0; k < wide; k++) {
			g_string_append_c(out, ' ');
			if (k < g_strv_length(line))
				words(out, line[k]);
			g_string_append(out, " |");
		}
		g_string_append_c(out, '\n');
		for (size_t k = 0; i == 0 && k < wide; k++)
			g_string_append(out, k ? "---|" : "|---|");
		if (i == 0)
			g_string_append_c(out, '\n');
	}
}

static void put_survey(GString *out, const json_t *doc)
{
	if (!json_object_get(doc, "survey"))
		return;
	g_autoptr(GPtrArray) grid = report_survey_grid(doc);
	g_autoptr(GPtrArray) parts = report_survey_parts_grid(doc);
	size_t i;
	json_t *sentence;
	g_string_append(out, "\n## The table\n\n" REPORT_SURVEY_LEGEND "\n\n");
	put_grid(out, grid);
	if (parts) {
		g_string_append_c(out, '\n');
		put_grid(out, parts);
	}
	g_string_append_c(out, '\n');
	json_array_foreach ((json_t *)report_at(doc, "survey.statements"), i, sentence) {
		g_string_append(out, "- ");
		report_put_md(out, json_string_value(sentence), REPORT_TEXT_MAX);
		g_string_append_c(out, '\n');
	}
}

static void put_measures(GString *out, const json_t *doc)
{
	size_t i;
	json_t *e;
	if (!json_object_get(doc, "measures"))
		return;
	if (!json_object_get(doc, "survey")) {
		g_autoptr(GPtrArray) grid = report_measures_grid(doc);
		g_string_append(out, "\n## How much, and where in the window\n\n");
		put_grid(out, grid);
	}
	json_array_foreach (json_object_get(doc, "measures"), i, e) {
		if (!*report_str(e, "warning"))
			continue;
		g_string_append(out, "\n- ");
		report_say_set(json_object_get(e, "members"), "the base", &speech, out);
		g_string_append_printf(out,
				       ", %s: ", *report_str(e, "mode") == 'c' ? "cold" : "kexec");
		words(out, report_str(e, "warning"));
		g_string_append_c(out, '\n');
	}
	if (!json_object_get(doc, "effects"))
		return;
	g_autoptr(GPtrArray) effects = report_effects_grid(doc);
	g_string_append(out, "\n## What each candidate does to it\n\n");
	report_put_md(out, report_str(doc, "effects.sentence"), REPORT_TEXT_MAX);
	g_string_append(out, ".\n\n");
	put_grid(out, effects);
}

/* Every line of the block starts with a mark and a number, so none can end it. */
static void put_log(GString *out, const json_t *doc)
{
	const json_t *example = json_array_get(report_at(doc, "faults.examples"), 0);
	const json_t *lines = json_object_get(example, "lines");
	if (json_array_size(lines) == 0)
		return;
	g_string_append_printf(out,
			       "\n## The fault in its window\n\nTrial %.0f (`|` window, `>` "
			       "fault):\n\n```\n",
			       report_num(example, "trial", 0));
	for (size_t i = 0; i < MIN(json_array_size(lines), (size_t)LOG_LINES); i++) {
		const json_t *line = json_array_get(lines, i);
		g_string_append_printf(out, "%c%c %5.0f  ",
				       kx_json_bool(line, "fault", false) ? '>' : ' ',
				       kx_json_bool(line, "window", false) ? '|' : ' ',
				       report_num(line, "number", 0));
		report_put_log_line(out, line);
		g_string_append_c(out, '\n');
	}
	g_string_append(out, "```\n");
}

/* Indented code, like the commands below. */
static void put_timeline(GString *out, const json_t *doc)
{
	const json_t *compared = report_at(doc, "timeline.document");
	if (!json_array_size(json_object_get(compared, "boots")))
		return;
	g_string_append(out, "\n## What moved\n\n");
	report_put_md(out, report_str(doc, "timeline.sentence"), REPORT_TEXT_MAX);
	g_string_append(out, "\n\n");
	g_autofree char *text = timeline_table(compared);
	g_auto(GStrv) lines = g_strsplit(text, "\n", TIMELINE_LINES + 1);
	for (size_t i = 0; i < TIMELINE_LINES && lines[i] && *lines[i]; i++) {
		g_string_append(out, "    ");
		report_put_plain(out, lines[i], REPORT_LINE_MAX);
		g_string_append_c(out, '\n');
	}
}

static void put_hypotheses(GString *out, const json_t *doc)
{
	const json_t *hypotheses = json_object_get(doc, "hypotheses");
	if (json_array_size(hypotheses) == 0)
		return;
	g_string_append(out, "\n## Hypotheses\n\n| hypothesis | probability |\n|---|---:|\n");
	for (size_t i = 0; i < MIN(json_array_size(hypotheses), (size_t)5); i++) {
		const json_t *h = json_array_get(hypotheses, i);
		g_autofree char *p = report_probability(report_num(h, "probability", 0));
		g_string_append(out, "| ");
		report_say_hypothesis(doc, h, &speech, out);
		g_string_append(out, " | ");
		words(out, p);
		g_string_append(out, " |\n");
	}
}

/* Indented code: it ends only at a line that is not indented. */
static void put_command(GString *out, const char *command)
{
	if (!command || *command == '\0')
		return;
	g_string_append(out, "    ");
	report_put_plain(out, command, REPORT_TEXT_MAX);
	g_string_append_c(out, '\n');
}

static void put_repeat(GString *out, const json_t *doc)
{
	size_t i;
	json_t *line;
	g_string_append(out, "\n## Again\n\n");
	put_command(out, report_str(doc, "repeat.run"));
	put_command(out, report_str(doc, "repeat.trial"));
	json_array_foreach ((json_t *)report_at(doc, "repeat.apply"), i, line)
		put_command(out, json_string_value(line));
	g_autofree char *parameters = report_say_parameters(doc);
	put_command(out, parameters);
	g_string_append(out, "\n");
	json_array_foreach ((json_t *)json_object_get(doc, "environment"), i, line) {
		g_string_append(out, "- ");
		words(out, report_str(line, "name"));
		g_string_append(out, ": ");
		words(out, report_str(line, "value"));
		g_string_append_c(out, '\n');
	}
	g_string_append(out, "- made by ");
	words(out, report_str(doc, "generator"));
	g_string_append(out, "\n");
}

static char *render(const json_t *doc, bool colour)
{
	GString *out = g_string_new(NULL);
	put_head(out, doc);
	put_evidence(out, doc);
	put_survey(out, doc);
	put_measures(out, doc);
	put_timeline(out, doc);
	put_log(out, doc);
	put_variants(out, doc);
	put_hypotheses(out, doc);
	put_repeat(out, doc);
	return g_string_free(out, FALSE);
}

const ReportFormat report_format_markdown = {
	.name = "md",
	.alias = "markdown",
	.extension = "md",
	.title = "for a mailing list or an issue",
	.render = render,
};
