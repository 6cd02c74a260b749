/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sections of the page, each appended to `out`; one that has nothing to show appends nothing.
 */
#pragma once

#include "report-internal.h"

extern const ReportSpeech report_speech_html;

/* Text of data with the limit for titles; a name as <code>. */
void report_html_text(GString *out, const char *s);
void report_html_code(GString *out, const char *s);
/* "<section id=…><h2>…</h2>"; close with "</section>\n". */
void report_html_section(GString *out, const char *id, const char *title);

void report_html_sure(GString *out, const json_t *doc);	      /* html_trials.c */
void report_html_survey(GString *out, const json_t *doc);     /* html_survey.c */
void report_html_variants(GString *out, const json_t *doc);   /* html_trials.c */
void report_html_timeline(GString *out, const json_t *doc);   /* html_timeline.c */
void report_html_measures(GString *out, const json_t *doc);   /* html_measures.c */
void report_html_faults(GString *out, const json_t *doc);     /* html_log.c */
void report_html_belief(GString *out, const json_t *doc);     /* html_search.c */
void report_html_candidates(GString *out, const json_t *doc); /* html_search.c */
void report_html_conflicts(GString *out, const json_t *doc);  /* html_search.c */
void report_html_repeat(GString *out, const json_t *doc);     /* html_end.c */
void report_html_time(GString *out, const json_t *doc);	      /* html_end.c */
void report_html_setting(GString *out, const json_t *doc);    /* html_end.c */
void report_html_events(GString *out, const json_t *doc);     /* html_end.c */
