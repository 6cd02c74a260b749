/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page at /: files that are part of the program, without anything of the lab in them. What
 * they show they ask the API for, as anybody else would. */
#include "http/http-internal.h"

/* Nothing from elsewhere, nothing inline, no text that becomes code. */
#define POLICY                                                                                     \
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "            \
	"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "            \
	"require-trusted-types-for 'script'; trusted-types 'none'"

static const char index_html[] = {
#include "index.html.inc"
};
static const char style_css[] = {
#include "style.css.inc"
};
static const char icon_svg[] = {
#include "icon.svg.inc"
};
static const char api_js[] = {
#include "api.js.inc"
};
static const char campaign_js[] = {
#include "campaign.js.inc"
};
static const char chart_js[] = {
#include "chart.js.inc"
};
static const char dom_js[] = {
#include "dom.js.inc"
};
static const char lab_js[] = {
#include "lab.js.inc"
};
static const char log_js[] = {
#include "log.js.inc"
};
static const char main_js[] = {
#include "main.js.inc"
};
static const char overview_js[] = {
#include "overview.js.inc"
};
static const char results_js[] = {
#include "results.js.inc"
};
static const char state_js[] = {
#include "state.js.inc"
};
static const char summary_js[] = {
#include "summary.js.inc"
};
static const char trial_js[] = {
#include "trial.js.inc"
};
static const char words_js[] = {
#include "words.js.inc"
};

static const char script[] = "text/javascript; charset=utf-8";

static const struct {
	const char *name, *type, *text;
} files[] = {
	{"index.html", "text/html; charset=utf-8", index_html},
	{"style.css", "text/css; charset=utf-8", style_css},
	{"icon.svg", "image/svg+xml", icon_svg},
	{"api.js", script, api_js},
	{"campaign.js", script, campaign_js},
	{"chart.js", script, chart_js},
	{"dom.js", script, dom_js},
	{"lab.js", script, lab_js},
	{"log.js", script, log_js},
	{"main.js", script, main_js},
	{"overview.js", script, overview_js},
	{"results.js", script, results_js},
	{"state.js", script, state_js},
	{"summary.js", script, summary_js},
	{"trial.js", script, trial_js},
	{"words.js", script, words_js},
};

HttpReply http_page(const char *path)
{
	const char *name = path ? path : "index.html";
	for (guint i = 0; i < G_N_ELEMENTS(files); i++)
		if (g_str_equal(name, files[i].name))
			return (HttpReply){.status = 200,
					   .text = g_strdup(files[i].text),
					   .type = files[i].type,
					   .policy = POLICY};
	return http_reply_refusal(404, KX_ERROR_MISSING, "the page has no such file");
}
