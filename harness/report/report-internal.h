/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the renderers share: safe text, figures, sentences. */
#pragma once

#include "report/report.h"

/* ---- safe text (escape.c) ----
 *
 * Input is any bytes or NULL. Invalid UTF-8, control characters and characters that reorder or hide
 * text (U+202A–202E, U+2066–2069, zero-width, tags) become U+FFFD, each run of white space that is
 * not a plain space becomes one space. At most `max` characters, then "…". */

#define REPORT_NAME_MAX 80   /* names of candidates, targets, … */
#define REPORT_TITLE_MAX 300 /* titles, reasons */
#define REPORT_LINE_MAX 400  /* lines of a log */
#define REPORT_TEXT_MAX 2000 /* a question, a command */

void report_put_plain(GString *out, const char *s, size_t max);
/* For text and for attribute values in either quotes. */
void report_put_html(GString *out, const char *s, size_t max);
/* Free text; also safe inside a table cell. */
void report_put_md(GString *out, const char *s, size_t max);
/* A code span; also inside a table cell. */
void report_put_md_code(GString *out, const char *s, size_t max);
/* A relative address for href: percent-encoded, with "./" in front. False, and nothing written,
 * for absolute paths and paths with "..". */
bool report_put_href(GString *out, const char *path);
/* Terminal columns of valid UTF-8 (wide characters are 2). */
size_t report_columns(const char *utf8);
/* Appends `words`, filled into lines of at most `columns`, the first line starting at column
 * `at`, the others behind `indent` spaces. `words` is valid UTF-8 without control characters. */
void report_put_filled(GString *out, const char *words, size_t at, size_t indent, size_t columns);

/* ---- figures (figures.c); new strings ---- */

/* 0.9983; never rounded up to a certainty: "> 0.9999". */
char *report_probability(double p);
/* "0.4 s", "41 s", "3 min 12 s", "1 h 04 min". */
char *report_duration(double seconds);
/* "2026-11-22 14:41 UTC" of an ISO 8601 time in UTC; "" for NULL. */
char *report_time(const char *iso);
double report_clamp(double x, double low, double high);

/* ---- access (words.c) ---- */

const json_t *report_at(const json_t *doc, const char *dotted_path); /* NULL when missing */
const char *report_str(const json_t *doc, const char *dotted_path);  /* "" when missing */
double report_num(const json_t *doc, const char *dotted_path, double fallback);
bool report_has_name(const json_t *names, const char *name);

/* ---- plots (svg.c): inline SVG; widths in percent, so that they fit any column ---- */

/* Probability of the leading hypotheses against trial number, and the trials. Nothing when fewer
 * than two points are known. */
void report_svg_history(GString *out, const json_t *doc);
/* A key to line number `i` of the plot above. */
void report_svg_line_key(GString *out, size_t i);
/* Where the time went: one bar. */
void report_svg_time(GString *out, const json_t *time);
/* A rate with its interval on a scale from 0 to 1: {"mean", "low", "high"}. */
void report_svg_rate(GString *out, const json_t *rate);

#define REPORT_HISTORY_LINES 6 /* that the style sheet has a look for */

/* ---- sentences (words.c) ----
 *
 * The same sentences in all formats; a format says how plain words and names are written. */

typedef struct {
	void (*words)(GString *out, const char *s); /* ours, or text from data: to be escaped */
	void (*name)(GString *out, const char *s);  /* of a candidate */
} ReportSpeech;

extern const ReportSpeech report_speech_plain;

/* "split-enable alone removes the fault (p = 0.9983)" */
void report_say_headline(const json_t *doc, const ReportSpeech *say, GString *out);
/* Names of a set: "a", "a and b", "a, b and c"; `nothing` when it is empty. */
void report_say_set(const json_t *members, const char *nothing, const ReportSpeech *say,
		    GString *out);
/* A hypothesis: "a and b", "no combination", … */
void report_say_hypothesis(const json_t *doc, const json_t *hypothesis, const ReportSpeech *say,
			   GString *out);
/* " (title)" of a candidate, when it has one and is in the document. */
void report_say_title(const json_t *doc, const char *name, const ReportSpeech *say, GString *out);
/* An entry of verdict.evidence: "the base, without any candidate", "all 6 variants
 * with split-enable". */
void report_say_role(const json_t *entry, const ReportSpeech *say, GString *out);
/* "15 of 18 boots fault", "none of 21 boots faults" of {"faults", "boots"}; "" when there are none.
 */
char *report_say_count(const json_t *count);
/* "# on its command line: iommu=pt", what repeat.parameters adds; "" when it is nothing. */
char *report_say_parameters(const json_t *doc);
/* A line of an excerpt, "[    0.218480] text", as plain text. */
void report_put_log_line(GString *out, const json_t *line);
/* What the state of the run adds to the headline, NULL for a finished run. */
const char *report_state_note(const json_t *doc);

/* ---- surveys (survey_words.c) ---- */

#define REPORT_SURVEY_LEGEND                                                                       \
	"One figure: the same in every boot; two: the least and the most. Accesses are those "     \
	"that "                                                                                    \
	"were refused inside the window."

/* What can be read off the table: a new array of sentences. */
json_t *report_survey_statements(const json_t *survey);
/* The table, and the parts of the window (NULL: none were measured), as lines of cells (char **);
 * the first line is the head, a shorter line's last cell takes the rest of it. Cells are not
 * escaped. g_ptr_array_unref(). */
GPtrArray *report_survey_grid(const json_t *doc);
GPtrArray *report_survey_parts_grid(const json_t *doc);
/* "3 of 4 kernels fault, 1 never" */
void report_say_survey(const json_t *doc, const ReportSpeech *speech, GString *out);

/* ---- steps (steps.c) ----
 *
 * The boots in the order in which they were chosen: consecutive ones of one experiment. */

typedef struct {
	size_t first, count; /* trials */
	const json_t *why;   /* of the first; NULL: not recorded */
	const json_t *after; /* the point of the history after the last; NULL: no evidence came */
} ReportStep;

/* At most `max`, the last ones, as an array of ReportStep (g_array_unref). */
GArray *report_steps(const json_t *doc, size_t max);

/* ---- measures and effects (measures_words.c) ----
 *
 * Grids are arrays of string vectors, the first one the head (g_ptr_array_unref). */

GPtrArray *report_measures_grid(const json_t *doc);
GPtrArray *report_effects_grid(const json_t *doc);
/* "−45 % (−60 to −21 %)", "none measurable", "not measured" of an entry of effects.candidates. */
char *report_say_effect(const json_t *effect);
/* What stands beside the verdict that there is no answer: the effects, ranked; else NULL. */
const char *report_effects_of_none(const json_t *doc);
/* The parts of the window of an entry of `measures`, on a scale that all entries share. */
void report_svg_parts(GString *out, const json_t *doc, const json_t *entry);

/* ---- outcomes (words.c) ---- */

typedef struct {
	const char *name; /* as in the document */
	const char *letter;
	const char *words; /* for the legend */
} ReportOutcome;

/* NULL-terminated by name. */
extern const ReportOutcome report_outcomes[];
/* Of an unknown name: a question mark. */
const ReportOutcome *report_outcome(const char *name);

/* The groups of trials of a variant, by how they were booted. */
typedef struct {
	const char *key; /* kexec, cold, clean_rebuild: keys in variants[].outcomes and evidence */
	const char *title;
} ReportGroup;

extern const ReportGroup report_groups[3];
bool report_in_group(const json_t *trial, const ReportGroup *group);
