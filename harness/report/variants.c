/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document: variants and trials. */
#include "model.h"
#include "report-internal.h"

#include <math.h>
#include <string.h>

/* Where the trials of a kind of boot are counted. */
static const char *group_of(const StoreTrial *t)
{
	return t->clean ? "clean_rebuild" : strcmp(t->mode, "cold") == 0 ? "cold" : "kexec";
}

/* Wilson's interval for k of n at 95 % (E. B. Wilson, JASA 22, 1927). */
static json_t *rate(double k, double n)
{
	const double z = 1.959964;
	double p = k / n, d = 1 + z * z / n;
	double centre = (p + z * z / (2 * n)) / d;
	double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d;
	json_t *o = json_object();
	json_object_set_new(o, "mean", json_real(p));
	json_object_set_new(o, "low", json_real(k == 0 ? 0 : report_clamp(centre - half, 0, p)));
	json_object_set_new(o, "high", json_real(k == n ? 1 : report_clamp(centre + half, p, 1)));
	return o;
}

static void put_outcomes(const Model *m, json_t *o, uint64_t mask)
{
	json_t *outcomes = json_object(), *numbers = json_array();
	double faults = 0, cleans = 0, boots = 0;
	for (guint i = 0; i < m->trials->len; i++) {
		const StoreTrial *t = m->trials->pdata[i];
		if (t->mask != mask)
			continue;
		json_t *group = json_object_get(outcomes, group_of(t));
		if (!group) {
			group = json_object();
			json_object_set_new(outcomes, group_of(t), group);
		}
		gint64 n = kx_json_int(group, t->outcome, 0);
		json_object_set_new(group, t->outcome, json_integer(n + 1));
		json_array_append_new(numbers, json_integer(t->number));
		faults += strcmp(t->outcome, "fault") == 0;
		cleans += strcmp(t->outcome, "clean") == 0;
		boots++;
	}
	json_object_set_new(o, "boots", json_integer((json_int_t)boots));
	json_object_set_new(o, "faults", json_integer((json_int_t)faults));
	json_object_set_new(o, "cleans", json_integer((json_int_t)cleans));
	json_object_set_new(o, "outcomes", outcomes);
	if (faults + cleans > 0)
		json_object_set_new(o, "rate", rate(faults, faults + cleans));
	json_object_set_new(o, "trials", numbers);
}

static double seconds_of(const StoreBuild *b)
{
	const char *key;
	json_t *v;
	double sum = 0;
	json_object_foreach (b->seconds, key, v)
		sum += json_number_value(v);
	return sum;
}

/* The newest build of a variant; one that worked goes before one that did not. */
static const StoreBuild *build_of(const Model *m, uint64_t mask, bool clean)
{
	const StoreBuild *found = NULL;
	for (guint i = 0; i < m->builds->len; i++) {
		const StoreBuild *b = m->builds->pdata[i];
		if (b->launcher || b->mask != mask || b->clean != clean)
			continue;
		if (!found || strcmp(b->status, "ok") == 0 || strcmp(found->status, "ok") != 0)
			found = b;
	}
	return found;
}

static void put_build(const Model *m, json_t *o, uint64_t mask)
{
	uint64_t compiled = model_compiled(m, mask);
	const StoreBuild *b = build_of(m, compiled, false), *clean = build_of(m, compiled, true);
	const StoreBuild *main_build = b ? b : clean;
	json_object_set_new(o, "status", model_text(main_build ? main_build->status : "unbuilt"));
	if (main_build) {
		model_set_text(o, "reason", main_build->reason);
		model_set_text(o, "failed_step", main_build->failed_step);
		model_set_text(o, "log", main_build->log);
		model_set_text(o, "build", main_build->hash);
		model_set_text(o, "identity", main_build->identity);
		model_set_text(o, "vmlinux_sha256", main_build->vmlinux_sha256);
		json_object_set_new(o, "build_seconds", json_real(seconds_of(main_build)));
	}
	if (!clean)
		return;
	json_t *rebuild = json_object();
	json_object_set_new(rebuild, "status", model_text(clean->status));
	model_set_text(rebuild, "build", clean->hash);
	model_set_text(rebuild, "vmlinux_sha256", clean->vmlinux_sha256);
	json_object_set_new(rebuild, "build_seconds", json_real(seconds_of(clean)));
	if (b && *b->vmlinux_sha256 && *clean->vmlinux_sha256)
		json_object_set_new(
			rebuild, "same_vmlinux",
			json_boolean(strcmp(b->vmlinux_sha256, clean->vmlinux_sha256) == 0));
	json_object_set_new(o, "clean_rebuild", rebuild);
}

json_t *model_variants(const Model *m)
{
	json_t *out = json_array();
	for (guint i = 0; i < m->masks->len; i++) {
		uint64_t mask = g_array_index(m->masks, uint64_t, i);
		json_t *o = json_object();
		json_object_set_new(o, "members", model_names(m, mask));
		put_build(m, o, mask);
		put_outcomes(m, o, mask);
		json_array_append_new(out, o);
	}
	return out;
}

/* ---- trials ---- */

/* Only the numbers of an object: what else a job says is not part of the format. */
static json_t *numbers_of(const json_t *from)
{
	json_t *o = json_object();
	const char *key;
	json_t *v;
	json_object_foreach ((json_t *)from, key, v) {
		if (json_is_number(v))
			json_object_set(o, key, v);
	}
	return o;
}

static json_t *trial(const Model *m, const StoreTrial *t)
{
	json_t *o = json_object();
	g_autofree char *ended = model_time(t->time_us);
	g_autofree char *link = model_link(m, t->evidence);
	json_object_set_new(o, "number", json_integer(t->number));
	json_object_set_new(o, "variant", json_integer(model_variant(m, t->mask)));
	json_object_set_new(o, "members", model_names(m, t->mask));
	model_set_text(o, "build", t->build);
	json_object_set_new(o, "clean_build", json_boolean(t->clean));
	model_set_text(o, "target", t->target);
	json_object_set_new(o, "mode", model_text(t->mode));
	model_set_text(o, "purpose", t->purpose);
	json_object_set_new(o, "outcome", model_text(t->outcome));
	json_object_set_new(o, "reason", model_text(t->reason));
	model_set_text(o, "ended", ended);
	json_object_set_new(o, "evidence", model_text(t->evidence));
	model_set_text(o, "link", link);
	if (*t->evidence) {
		g_autofree char *request = g_build_filename(t->evidence, "request.json", NULL);
		g_autofree char *command = model_command("kexsect job boot", request);
		json_object_set_new(o, "repeat", model_text(command));
	}
	g_autofree char *recovery = model_recovery(t);
	model_set_text(o, "recovery", recovery);
	if (json_is_object(t->plan)) {
		json_t *why = numbers_of(t->plan);
		model_set_text(why, "reason", kx_json_str(t->plan, "reason"));
		json_object_set_new(o, "why", why);
	}
	json_object_set_new(o, "measures", numbers_of(t->measures));
	json_object_set_new(o, "seconds", numbers_of(t->seconds));
	return o;
}

json_t *model_trials(const Model *m)
{
	json_t *out = json_array();
	for (guint i = 0; i < m->trials->len; i++)
		json_array_append_new(out, trial(m, m->trials->pdata[i]));
	return out;
}
