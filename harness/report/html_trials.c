/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page: how sure, and the variants with their trials. */
#include "html-internal.h"

#include <string.h>

/* ---- how sure, and why ---- */

static void put_figure(GString *out, const char *label, const char *value)
{
	g_string_append_printf(out, "<div><dt>%s</dt><dd>%s</dd></div>\n", label, value);
}

static void put_figures(GString *out, const json_t *doc)
{
	g_autofree char *p = report_probability(report_num(doc, "verdict.probability", 0));
	g_autofree char *safe_p = g_markup_escape_text(p, -1);
	g_autofree char *asked =
		g_strdup_printf("%g", report_num(doc, "campaign.parameters.confidence", 0));
	g_autofree char *boots = g_strdup_printf("%.0f", report_num(doc, "totals.trials", 0));
	g_autofree char *variants = g_strdup_printf("%.0f", report_num(doc, "totals.variants", 0));
	g_autofree char *took = report_duration(report_num(doc, "time.total", 0));
	g_string_append(out, "<dl class=\"figures\">\n");
	if (report_at(doc, "verdict.leading"))
		put_figure(out, "probability", safe_p);
	if (report_num(doc, "campaign.parameters.confidence", 0) > 0)
		put_figure(out, "asked for", asked);
	put_figure(out, "boots", boots);
	put_figure(out, "variants", variants);
	if (report_num(doc, "time.total", 0) > 0)
		put_figure(out, "time", took);
	g_string_append(out, "</dl>\n");
}

static void put_count(GString *out, const json_t *entry, const char *key, const char *title)
{
	const json_t *count = json_object_get(entry, key);
	g_autofree char *words = report_say_count(count);
	const char *expected = report_str(entry, "expected");
	gint64 boots = kx_json_int(count, "boots", 0), faults = kx_json_int(count, "faults", 0);
	bool as_expected = *expected == '\0' || (strcmp(expected, "fault") == 0) == (faults > 0);
	g_string_append_printf(out, "<td data-label=\"%s\"%s>", title,
			       boots && !as_expected ? " class=\"odd\"" : "");
	g_string_append(out, boots ? words : "<span class=\"none\">–</span>");
	if (strcmp(key, "clean_rebuild") == 0 &&
	    json_is_boolean(json_object_get(entry, "same_vmlinux")))
		g_string_append(out, kx_json_bool(entry, "same_vmlinux", false)
					     ? "<br><small>the same vmlinux</small>"
					     : "<br><small>another vmlinux</small>");
	g_string_append(out, "</td>");
}

static void put_claim(GString *out, const json_t *entry)
{
	g_string_append(out, "<tr><th scope=\"row\">");
	report_say_role(entry, &report_speech_html, out);
	g_string_append(out, "</th>");
	if (json_object_get(entry, "all")) {
		g_autofree char *words = report_say_count(json_object_get(entry, "all"));
		g_string_append_printf(out, "<td colspan=\"3\" data-label=\"any boot\">%s</td>",
				       words);
	} else {
		for (size_t i = 0; i < G_N_ELEMENTS(report_groups); i++)
			put_count(out, entry, report_groups[i].key, report_groups[i].title);
	}
	g_string_append(out, "</tr>\n");
}

static void put_rates(GString *out, const json_t *doc)
{
	const json_t *faulty = report_at(doc, "rates.faulty"), *good = report_at(doc, "rates.good");
	if (!faulty || !good)
		return;
	g_string_append_printf(
		out,
		"<p>A kernel with the fault shows it in %.0f %% of boots (%.0f to %.0f %%); one "
		"without it in %.1f %% (%.1f to %.1f %%). 95 %% intervals.</p>\n",
		100 * report_num(faulty, "mean", 0), 100 * report_num(faulty, "low", 0),
		100 * report_num(faulty, "high", 0), 100 * report_num(good, "mean", 0),
		100 * report_num(good, "low", 0), 100 * report_num(good, "high", 0));
}

void report_html_sure(GString *out, const json_t *doc)
{
	const json_t *evidence = report_at(doc, "verdict.evidence");
	const char *reason = report_str(doc, "verdict.reason");
	bool survey = json_is_false(report_at(doc, "survey.after_verdict"));
	report_html_section(out, "sure", survey ? "What was done" : "How sure, and why");
	put_figures(out, doc);
	if (*reason) {
		g_string_append(out, "<p>");
		report_html_text(out, reason);
		g_string_append(out, "</p>\n");
	}
	if (report_effects_of_none(doc)) {
		g_string_append(out, "<p>");
		report_put_html(out, report_effects_of_none(doc), REPORT_TEXT_MAX);
		g_string_append(out, ".</p>\n");
	}
	if (json_array_size(evidence) > 0) {
		g_string_append(out, "<table class=\"cards claims\">\n<thead><tr><th>Booted</th>");
		for (size_t i = 0; i < G_N_ELEMENTS(report_groups); i++)
			g_string_append_printf(out, "<th>%s</th>", report_groups[i].title);
		g_string_append(out, "</tr></thead>\n<tbody>\n");
		size_t i;
		json_t *e;
		json_array_foreach ((json_t *)evidence, i, e)
			put_claim(out, e);
		g_string_append(out, "</tbody></table>\n");
	}
	put_rates(out, doc);
	g_string_append(out, "</section>\n");
}

/* ---- variants ---- */

static void put_trial(GString *out, const json_t *trial)
{
	const ReportOutcome *o = report_outcome(report_str(trial, "outcome"));
	g_autoptr(GString) href = g_string_new(NULL);
	bool link = report_put_href(href, report_str(trial, "link"));
	g_string_append_printf(out, "<%s class=\"t t-%s\" title=\"trial %.0f: %s",
			       link ? "a" : "span", o->name ? o->name : "unknown",
			       report_num(trial, "number", 0), o->words);
	if (*report_str(trial, "reason")) {
		g_string_append(out, ", ");
		report_html_text(out, report_str(trial, "reason"));
	}
	if (*report_str(trial, "recovery")) {
		g_string_append(out, "; ");
		report_html_text(out, report_str(trial, "recovery"));
	}
	g_string_append_c(out, '"');
	if (link)
		g_string_append_printf(out, " href=\"%s/\"", href->str);
	g_string_append_printf(out, ">%s</%s>", o->letter, link ? "a" : "span");
}

static void put_group(GString *out, const json_t *trials, const ReportGroup *group)
{
	bool any = false;
	for (size_t i = 0; i < json_array_size(trials); i++) {
		const json_t *t = json_array_get(trials, i);
		if (!report_in_group(t, group))
			continue;
		if (!any)
			g_string_append_printf(out, "<div class=\"group\"><span>%s</span><div>",
					       group->title);
		put_trial(out, t);
		any = true;
	}
	if (any)
		g_string_append(out, "</div></div>");
}

static void put_members(GString *out, const json_t *variant, const json_t *doc)
{
	const json_t *members = json_object_get(variant, "members");
	const json_t *set = report_at(doc, "verdict.leading.members");
	size_t i;
	json_t *m;
	if (json_array_size(members) == 0)
		g_string_append(out, "<span class=\"base\">the base</span>");
	json_array_foreach ((json_t *)members, i, m) {
		const char *name = json_string_value(m);
		bool in = report_has_name(set, name);
		g_string_append(out, i ? " " : "");
		g_string_append(out, in ? "<b>" : "");
		report_html_code(out, name);
		g_string_append(out, in ? "</b>" : "");
	}
}

static void put_build(GString *out, const json_t *variant)
{
	const char *status = report_str(variant, "status");
	if (strcmp(status, "ok") != 0) {
		g_string_append(out, "<span class=\"bad\">");
		report_html_text(out, status);
		g_string_append(out, "</span>");
		return;
	}
	report_html_code(out, report_str(variant, "identity"));
	double seconds = report_num(variant, "build_seconds", -1);
	if (seconds >= 0) {
		g_autofree char *took = report_duration(seconds);
		g_string_append_printf(out, "<br><small>%s</small>", took);
	}
}

static void put_variant(GString *out, const json_t *doc, const json_t *variant,
			const json_t *trials)
{
	const json_t *rate = json_object_get(variant, "rate");
	g_string_append(out, "<tr><th scope=\"row\">");
	put_members(out, variant, doc);
	g_string_append(out, "</th><td class=\"trials\">");
	for (size_t i = 0; i < G_N_ELEMENTS(report_groups); i++)
		put_group(out, trials, &report_groups[i]);
	if (json_array_size(trials) == 0)
		g_string_append(out, "<span class=\"none\">not booted</span>");
	if (*report_str(variant, "reason")) {
		g_string_append(out, "<br><small>");
		report_html_text(out, report_str(variant, "reason"));
		g_string_append(out, "</small>");
	}
	g_string_append(out, "</td><td data-label=\"faults\">");
	if (rate) {
		report_svg_rate(out, rate);
		g_string_append_printf(
			out, "<br><small>%.0f of %.0f</small>", report_num(variant, "faults", 0),
			report_num(variant, "faults", 0) + report_num(variant, "cleans", 0));
	} else {
		g_string_append(out, "<span class=\"none\">–</span>");
	}
	g_string_append(out, "</td><td data-label=\"kernel\">");
	put_build(out, variant);
	g_string_append(out, "</td></tr>\n");
}

static void put_legend(GString *out)
{
	g_string_append(out, "<p class=\"legend\">");
	for (const ReportOutcome *o = report_outcomes; o->name; o++)
		g_string_append_printf(out, "<span><span class=\"t t-%s\">%s</span> %s</span> ",
				       o->name, o->letter, o->words);
	g_string_append(out, "</p>\n");
}

void report_html_variants(GString *out, const json_t *doc)
{
	const json_t *variants = json_object_get(doc, "variants");
	const json_t *trials = json_object_get(doc, "trials");
	if (json_array_size(variants) == 0)
		return;
	/* trials of each variant, in one pass */
	g_autoptr(json_t) by_variant = json_array();
	size_t i;
	json_t *x;
	json_array_foreach ((json_t *)variants, i, x)
		json_array_append_new(by_variant, json_array());
	json_array_foreach ((json_t *)trials, i, x) {
		gint64 v = kx_json_int(x, "variant", -1);
		json_array_append(v < 0 ? NULL : json_array_get(by_variant, (size_t)v), x);
	}
	report_html_section(out, "variants", "What was booted");
	g_string_append(out, "<p>Each square is one boot and leads to its evidence.</p>\n");
	put_legend(out);
	g_string_append(out,
			"<table class=\"cards variants\">\n<thead><tr><th>Kernel with</th>"
			"<th>Boots</th><th>Fault rate</th><th>Build</th></tr></thead>\n<tbody>\n");
	json_array_foreach ((json_t *)variants, i, x)
		put_variant(out, doc, x, json_array_get(by_variant, i));
	g_string_append(out, "</tbody></table>\n</section>\n");
}
