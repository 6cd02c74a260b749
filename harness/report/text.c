/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For a terminal: what `kexsect run` ends with and `kexsect report` prints. */
#include "report-internal.h"

#include <string.h>

#define COLUMNS 100
#define LOG_LINES 24 /* of an example */
#define LOG_AFTER 6  /* of these, the first fault and after it */

typedef struct {
	GString *out;
	bool colour;
} Text;

#define BOLD "1"
#define DIM "2"
#define FAULT "1;31"
#define CLEAN "36"
#define ODD "35"

static void begin(Text *t, const char *style)
{
	if (t->colour)
		g_string_append_printf(t->out, "\033[%sm", style);
}

static void end(Text *t)
{
	if (t->colour)
		g_string_append(t->out, "\033[0m");
}

static void put_styled(Text *t, const char *style, const char *s)
{
	begin(t, style);
	g_string_append(t->out, s);
	end(t);
}

static void put_heading(Text *t, const char *title)
{
	g_string_append_c(t->out, '\n');
	put_styled(t, BOLD, title);
	g_string_append_c(t->out, '\n');
}

/* Text of data, indented and filled. */
static void put_para(Text *t, const char *s, size_t indent, size_t max)
{
	g_autoptr(GString) clean = g_string_new(NULL);
	report_put_plain(clean, s, max);
	g_string_append_printf(t->out, "%*s", (int)indent, "");
	report_put_filled(t->out, clean->str, indent, indent, COLUMNS);
	g_string_append_c(t->out, '\n');
}

/* At most `columns`, cut with "…", and filled up with spaces when `pad`. */
static void put_cell(Text *t, const char *s, size_t columns, bool pad)
{
	g_autoptr(GString) clean = g_string_new(NULL);
	size_t at = 0;
	report_put_plain(clean, s, REPORT_TEXT_MAX);
	bool cut = report_columns(clean->str) > columns;
	for (const char *p = clean->str; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		size_t w = g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
		if (at + w > columns - (cut ? 1 : 0))
			break;
		g_string_append_unichar(t->out, c);
		at += w;
	}
	if (cut) {
		g_string_append(t->out, "…");
		at++;
	}
	if (pad && at < columns)
		g_string_append_printf(t->out, "%*s", (int)(columns - at), "");
}

static void put_head(Text *t, const json_t *doc)
{
	g_autoptr(GString) headline = g_string_new(NULL);
	g_autofree char *took = report_duration(report_num(doc, "time.total", 0));
	report_say_headline(doc, &report_speech_plain, headline);
	begin(t, BOLD);
	report_put_filled(t->out, headline->str, 0, 0, COLUMNS);
	end(t);
	g_string_append_c(t->out, '\n');
	put_para(t, report_str(doc, "campaign.title"), 2, REPORT_TITLE_MAX);
	double confidence = report_num(doc, "campaign.parameters.confidence", 0);
	g_autofree char *asked =
		confidence > 0 ? g_strdup_printf("; asked for a probability of %g", confidence)
			       : g_strdup("");
	g_autofree char *figures = g_strdup_printf(
		"%.0f boots of %.0f variants in %s%s.", report_num(doc, "totals.trials", 0),
		report_num(doc, "totals.variants", 0), took, asked);
	put_para(t, figures, 2, REPORT_TITLE_MAX);
	if (*report_str(doc, "verdict.reason"))
		put_para(t, report_str(doc, "verdict.reason"), 2, REPORT_TITLE_MAX);
	if (report_effects_of_none(doc))
		put_para(t, report_effects_of_none(doc), 2, REPORT_TEXT_MAX);
	const char *note = report_state_note(doc);
	if (note)
		put_para(t, note, 2, REPORT_TITLE_MAX);
}

/* ---- evidence ---- */

static void put_ratio(Text *t, const json_t *count, const char *expected)
{
	gint64 boots = kx_json_int(count, "boots", 0), faults = kx_json_int(count, "faults", 0);
	g_autofree char *ratio =
		boots ? g_strdup_printf("%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT, faults, boots)
		      : g_strdup("-");
	bool odd = boots && *expected && (strcmp(expected, "fault") == 0) != (faults > 0);
	g_autofree char *cell = g_strdup_printf("%14s", ratio);
	if (odd)
		put_styled(t, FAULT, cell);
	else
		g_string_append(t->out, cell);
}

static void put_evidence(Text *t, const json_t *doc)
{
	const json_t *evidence = report_at(doc, "verdict.evidence");
	size_t i;
	json_t *e;
	if (json_array_size(evidence) == 0)
		return;
	put_heading(t, "Faults / boots");
	g_autofree char *header =
		g_strdup_printf("  %-54s%14s%14s%14s\n", "", "kexec", "cold", "clean rebuild");
	put_styled(t, DIM, header);
	json_array_foreach ((json_t *)evidence, i, e) {
		g_autoptr(GString) role = g_string_new(NULL);
		report_say_role(e, &report_speech_plain, role);
		g_string_append(t->out, "  ");
		put_cell(t, role->str, 54, true);
		if (json_object_get(e, "all")) {
			put_ratio(t, json_object_get(e, "all"), report_str(e, "expected"));
		} else {
			for (size_t g = 0; g < G_N_ELEMENTS(report_groups); g++)
				put_ratio(t, json_object_get(e, report_groups[g].key),
					  report_str(e, "expected"));
		}
		g_string_append_c(t->out, '\n');
	}
}

static void put_hypotheses(Text *t, const json_t *doc)
{
	const json_t *hypotheses = json_object_get(doc, "hypotheses");
	if (json_array_size(hypotheses) == 0)
		return;
	put_heading(t, "Hypotheses");
	for (size_t i = 0; i < MIN(json_array_size(hypotheses), (size_t)5); i++) {
		const json_t *h = json_array_get(hypotheses, i);
		g_autoptr(GString) words = g_string_new(NULL);
		double p = report_clamp(report_num(h, "probability", 0), 0, 1);
		g_autofree char *figure = report_probability(p);
		report_say_hypothesis(doc, h, &report_speech_plain, words);
		g_string_append_printf(t->out, "  %8s  ", figure);
		for (int k = 0; k < 20; k++)
			g_string_append(t->out, k < (int)(p * 20 + 0.5) ? "━" : "·");
		g_string_append(t->out, "  ");
		put_cell(t, words->str, COLUMNS - 34, false);
		g_string_append_c(t->out, '\n');
	}
}

/* ---- variants ---- */

static const char *style_of(const char *letter)
{
	return *letter == 'F' ? FAULT : *letter == 'c' ? CLEAN : *letter == 'i' ? DIM : ODD;
}

/* Letters of the trials in a group, wrapped at `from`. */
static void put_letters(Text *t, const json_t *doc, gint64 variant, const ReportGroup *group)
{
	const json_t *trials = json_object_get(doc, "trials");
	const size_t from = 20;
	size_t at = 0, i;
	json_t *x;
	json_array_foreach ((json_t *)trials, i, x) {
		if (kx_json_int(x, "variant", -1) != variant || !report_in_group(x, group))
			continue;
		const char *letter = report_outcome(report_str(x, "outcome"))->letter;
		if (at == 0)
			g_string_append_printf(t->out, "    %-*s", (int)from - 4, group->title);
		if (from + at == COLUMNS) {
			g_string_append_printf(t->out, "\n%*s", (int)from, "");
			at = 0;
		}
		put_styled(t, style_of(letter), letter);
		at++;
	}
	if (at)
		g_string_append_c(t->out, '\n');
}

static void put_variants(Text *t, const json_t *doc)
{
	const json_t *variants = json_object_get(doc, "variants");
	size_t i;
	json_t *v;
	if (json_array_size(variants) == 0)
		return;
	put_heading(t, "Variants");
	put_styled(t, DIM,
		   "  F fault  c clean  H hang  P panic  N did not boot  i the lab's failure\n");
	json_array_foreach ((json_t *)variants, i, v) {
		g_autoptr(GString) words = g_string_new(NULL);
		report_say_set(json_object_get(v, "members"), "the base", &report_speech_plain,
			       words);
		const char *status = report_str(v, "status");
		if (strcmp(status, "ok") != 0)
			g_string_append_printf(words, " (%s)", status);
		put_para(t, words->str, 2, REPORT_TEXT_MAX);
		if (strcmp(status, "ok") != 0 && *report_str(v, "reason"))
			put_para(t, report_str(v, "reason"), 4, REPORT_TITLE_MAX);
		for (size_t g = 0; g < G_N_ELEMENTS(report_groups); g++)
			put_letters(t, doc, (gint64)i, &report_groups[g]);
	}
}

/* ---- what moved ---- */

static void put_timeline(Text *t, const json_t *doc)
{
	if (!*report_str(doc, "timeline.sentence"))
		return;
	put_heading(t, "What moved");
	put_para(t, report_str(doc, "timeline.sentence"), 2, REPORT_TEXT_MAX);
	g_autofree char *trials = g_strdup_printf("By the logs of trials %.0f and %.0f: kexsect "
						  "timeline with their folders shows them.",
						  report_num(doc, "timeline.first", 0),
						  report_num(doc, "timeline.second", 0));
	put_para(t, trials, 2, REPORT_TEXT_MAX);
}

/* ---- surveys ---- */

/* The widest cell of column `k`, without those that take the rest of a line. */
static size_t width_of(const GPtrArray *grid, size_t k)
{
	size_t width = 0, wide = g_strv_length(grid->pdata[0]);
	for (guint i = 0; i < grid->len; i++) {
		char **line = grid->pdata[i];
		if (g_strv_length(line) == wide)
			width = MAX(width, report_columns(line[k]));
	}
	return MIN(width, (size_t)COLUMNS / 2);
}

static void put_cells(Text *t, const GPtrArray *grid, char **line)
{
	size_t n = g_strv_length(line);
	while (n > 2 && !*line[n - 1])
		n--;
	g_string_append(t->out, "    ");
	for (size_t k = 1; k < n; k++) {
		bool last = k + 1 == n;
		put_cell(t, line[k], last ? COLUMNS : width_of(grid, k), !last);
		g_string_append(t->out, last ? "\n" : "  ");
	}
}

/* The name stands above its boots, because it can be long. */
static void put_grid(Text *t, const GPtrArray *grid)
{
	const char *name = "";
	begin(t, DIM);
	put_cells(t, grid, grid->pdata[0]);
	end(t);
	for (guint i = 1; i < grid->len; i++) {
		char **line = grid->pdata[i];
		if (strcmp(name, line[0]) != 0)
			put_para(t, line[0], 2, REPORT_TEXT_MAX);
		name = line[0];
		put_cells(t, grid, line);
	}
}

static void put_survey(Text *t, const json_t *doc)
{
	if (!json_object_get(doc, "survey"))
		return;
	g_autoptr(GPtrArray) grid = report_survey_grid(doc);
	g_autoptr(GPtrArray) parts = report_survey_parts_grid(doc);
	size_t i;
	json_t *sentence;
	put_heading(t, "The table");
	put_para(t, REPORT_SURVEY_LEGEND, 2, REPORT_TEXT_MAX);
	put_grid(t, grid);
	if (parts) {
		put_heading(t, "Accesses in each part of the window");
		put_grid(t, parts);
	}
	put_heading(t, "What it says");
	json_array_foreach ((json_t *)report_at(doc, "survey.statements"), i, sentence)
		put_para(t, json_string_value(sentence), 2, REPORT_TEXT_MAX);
}

/* ---- measures and effects ---- */

/* Too wide for a table: what each line says, one after the other. */
static void put_records(Text *t, const GPtrArray *grid)
{
	char **head = grid->pdata[0];
	for (guint i = 1; i < grid->len; i++) {
		char **line = grid->pdata[i];
		g_autoptr(GString) s = g_string_new(NULL);
		for (size_t k = 1; line[k]; k++)
			if (*line[k] && strcmp(line[k], "–") != 0)
				g_string_append_printf(s, "%s%s: %s", s->len ? "; " : "", head[k],
						       line[k]);
		put_para(t, line[0], 2, REPORT_TITLE_MAX);
		put_para(t, s->str, 4, REPORT_TEXT_MAX);
	}
}

static void put_warnings(Text *t, const json_t *doc)
{
	size_t i;
	json_t *e;
	json_array_foreach (json_object_get(doc, "measures"), i, e) {
		g_autoptr(GString) s = g_string_new(NULL);
		if (!*report_str(e, "warning"))
			continue;
		report_say_set(json_object_get(e, "members"), "the base", &report_speech_plain, s);
		g_string_append_printf(s, ", %s: %s", report_str(e, "mode"),
				       report_str(e, "warning"));
		put_para(t, s->str, 2, REPORT_TEXT_MAX);
	}
}

/* A survey's own table has the measures already. */
static void put_measures(Text *t, const json_t *doc)
{
	if (!json_object_get(doc, "measures"))
		return;
	if (!json_object_get(doc, "survey")) {
		g_autoptr(GPtrArray) grid = report_measures_grid(doc);
		put_heading(t, "How much, and where in the window");
		put_records(t, grid);
	}
	put_warnings(t, doc);
	if (!json_object_get(doc, "effects"))
		return;
	g_autoptr(GPtrArray) effects = report_effects_grid(doc);
	put_heading(t, "What each candidate does to it");
	put_para(t, report_str(doc, "effects.sentence"), 2, REPORT_TEXT_MAX);
	if (*report_str(doc, "effects.warning"))
		put_para(t, report_str(doc, "effects.warning"), 2, REPORT_TITLE_MAX);
	put_records(t, effects);
}

/* ---- the log, the time, the commands ---- */

/* "[    0.218480] text"; a fault is never cut. */
static void put_log_text(Text *t, const json_t *line, bool whole)
{
	g_autoptr(GString) text = g_string_new(NULL);
	report_put_log_line(text, line);
	if (whole)
		report_put_filled(t->out, text->str, 10, 10, COLUMNS);
	else
		put_cell(t, text->str, COLUMNS - 10, false);
}

/* Of a long excerpt, from where the first fault comes with what went before it. */
static size_t first_line(const json_t *lines)
{
	size_t n = json_array_size(lines), fault = 0;
	while (fault < n && !kx_json_bool(json_array_get(lines, fault), "fault", false))
		fault++;
	if (fault == n || n <= LOG_LINES || fault + LOG_AFTER < LOG_LINES)
		return 0;
	return MIN(fault + LOG_AFTER, n) - LOG_LINES;
}

static void put_log(Text *t, const json_t *doc)
{
	const json_t *example = json_array_get(report_at(doc, "faults.examples"), 0);
	const json_t *lines = json_object_get(example, "lines");
	if (json_array_size(lines) == 0)
		return;
	g_autofree char *title =
		g_strdup_printf("Trial %.0f (| window, > fault)", report_num(example, "trial", 0));
	put_heading(t, title);
	size_t first = first_line(lines);
	for (size_t i = first; i < MIN(json_array_size(lines), first + LOG_LINES); i++) {
		const json_t *line = json_array_get(lines, i);
		bool fault = kx_json_bool(line, "fault", false);
		bool window = kx_json_bool(line, "window", false);
		if (fault)
			begin(t, FAULT);
		else if (!window)
			begin(t, DIM);
		g_string_append_printf(t->out, "%c%c %5.0f  ", fault ? '>' : ' ',
				       window ? '|' : ' ', report_num(line, "number", 0));
		put_log_text(t, line, fault);
		if (fault || !window)
			end(t);
		g_string_append_c(t->out, '\n');
	}
}

static void put_time(Text *t, const json_t *doc)
{
	const json_t *parts = report_at(doc, "time.parts");
	size_t i;
	json_t *p;
	if (report_num(doc, "time.total", 0) <= 0)
		return;
	put_heading(t, "Time");
	json_array_foreach ((json_t *)parts, i, p) {
		g_autofree char *took = report_duration(report_num(p, "seconds", 0));
		g_string_append_printf(t->out, "  %12s %5.1f %%  ", took,
				       report_num(p, "percent", 0));
		put_cell(t, report_str(p, "title"), 60, false);
		g_string_append_c(t->out, '\n');
	}
}

/* Breaks at spaces with a backslash, so that it can still be copied. */
static void put_command(Text *t, const char *command)
{
	if (*command == '\0')
		return;
	g_autoptr(GString) clean = g_string_new(NULL);
	report_put_plain(clean, command, REPORT_TEXT_MAX);
	g_auto(GStrv) words = g_strsplit(clean->str, " ", -1);
	size_t at = 2;
	g_string_append(t->out, "  ");
	for (char **w = words; *w; w++) {
		size_t width = report_columns(*w);
		if (w != words && at + 1 + width > COLUMNS - 2) {
			g_string_append(t->out, " \\\n      ");
			at = 6;
		} else if (w != words) {
			g_string_append_c(t->out, ' ');
			at++;
		}
		g_string_append(t->out, *w);
		at += width;
	}
	g_string_append_c(t->out, '\n');
}

static void put_repeat(Text *t, const json_t *doc)
{
	const json_t *apply = report_at(doc, "repeat.apply");
	size_t i;
	json_t *line;
	put_heading(t, "Again");
	put_command(t, report_str(doc, "repeat.run"));
	put_command(t, report_str(doc, "repeat.trial"));
	json_array_foreach ((json_t *)apply, i, line)
		put_command(t, json_string_value(line));
	g_autofree char *parameters = report_say_parameters(doc);
	put_command(t, parameters);
}

static char *render(const json_t *doc, bool colour)
{
	Text t = {.out = g_string_new(NULL), .colour = colour};
	put_head(&t, doc);
	put_evidence(&t, doc);
	put_survey(&t, doc);
	put_measures(&t, doc);
	put_timeline(&t, doc);
	put_hypotheses(&t, doc);
	put_variants(&t, doc);
	put_log(&t, doc);
	put_time(&t, doc);
	put_repeat(&t, doc);
	return g_string_free(t.out, FALSE);
}

const ReportFormat report_format_text = {
	.name = "text",
	.alias = "txt",
	.extension = "txt",
	.title = "for a terminal",
	.render = render,
};
