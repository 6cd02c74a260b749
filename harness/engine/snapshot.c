/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run was made of and made on, as JSON for the store. */
#include "engine/engine-internal.h"

#include <string.h>
#include <sys/utsname.h>

static json_t *list(char *const *items, unsigned n)
{
	json_t *out = json_array();
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(out, kx_json_text(items[i]));
	return out;
}

static json_t *optional(const char *text)
{
	return text ? kx_json_text(text) : json_null();
}

static json_t *candidates(const Campaign *c)
{
	json_t *out = json_array();
	for (unsigned i = 0; i < c->candidates_count; i++)
		json_array_append_new(out, kx_json_text(c->candidates[i].name));
	return out;
}

static json_t *snapshot_targets(const Campaign *c)
{
	json_t *out = json_array();
	for (unsigned i = 0; i < c->target_names_count; i++) {
		const TargetConfig *t = c->targets[i];
		json_t *o = json_pack("{s:o, s:o, s:o, s:s, s:o}", "name", optional(t->name),
				      "title", optional(t->title), "file", optional(t->path),
				      "driver", "libvirt", "cmdline", optional(t->cmdline));
		if (t->vm.determinism == DETERMINISM_ICOUNT)
			json_object_set_new(o, "determinism", json_string("icount"));
		if (t->vm.phase.steps)
			json_object_set_new(o, "phase_period_us",
					    json_integer(t->vm.phase.period_us));
		json_array_append_new(out, o);
	}
	return out;
}

static json_t *snapshot_parts(const OracleConfig *o)
{
	json_t *out = json_array();
	for (unsigned i = 0; i < o->parts_count; i++)
		json_array_append_new(out,
				      json_pack("{s:o, s:o}", "name", optional(o->parts[i].name),
						"at", optional(o->parts[i].at)));
	return out;
}

static json_t *snapshot_oracle(const OracleConfig *o)
{
	return json_pack("{s:o, s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:o}", "name", optional(o->name),
			 "title", optional(o->title), "file", optional(o->path), "window", "from",
			 optional(o->window_from), "to", optional(o->window_to), "devices",
			 list(o->devices, o->devices_count), "addresses",
			 list(o->address_texts, o->address_texts_count), "parts",
			 snapshot_parts(o));
}

static json_t *snapshot_versions(const Campaign *c)
{
	json_t *out = json_array();
	for (unsigned i = 0; i < c->versions_count; i++) {
		const CampaignVersion *v = &c->versions[i];
		json_array_append_new(
			out, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "name", optional(v->name),
				       "base", optional(v->base->path), "series",
				       optional(v->series ? v->series->path : NULL), "fixtures",
				       list(v->fixtures, v->fixtures_count), "cmdline",
				       optional(v->cmdline), "target",
				       optional(v->target ? v->target->path : NULL)));
	}
	return out;
}

/* The words of the key `measure`, as in the report's effects. */
static const char *measure_name(CampaignMeasure m)
{
	return m == MEASURE_WINDOW ? "window" : m == MEASURE_BLOCKED ? "blocked" : "faults";
}

json_t *engine_snapshot(const Campaign *c)
{
	json_t *out =
		json_pack("{s:o, s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o}", "file",
			  optional(c->path), "base", "name", optional(c->base->name), "title",
			  optional(c->base->title), "recipe", optional(c->base->path), "series",
			  optional(c->series ? c->series->path : NULL), "fragments",
			  list(c->fragments, c->fragments_count), "fixtures",
			  list(c->fixtures, c->fixtures_count), "candidates", candidates(c),
			  "targets", snapshot_targets(c), "oracle", snapshot_oracle(c->oracle));
	/* where the source is, when somebody gave another one */
	if (c->base->source.given)
		json_object_set_new(json_object_get(out, "base"), "given",
				    kx_json_text(c->base->source.given));
	json_t *rest = json_pack(
		"{s:o, s:s, s:f, s:I, s:i, s:{s:i, s:f, s:i}}", "cmdline", optional(c->cmdline),
		"mode", c->mode == BOOT_COLD ? "cold" : "kexec", "confidence", c->search.confidence,
		"seed", (json_int_t)c->search.seed, "max_culprits", (int)c->search.max_culprits,
		"budget", "boots", (int)c->budget.boots, "hours", c->budget.hours, "builds",
		(int)c->budget.builds);
	json_object_set_new(out, "measure", json_string(measure_name(c->measure)));
	const char *from, *to;
	if (campaign_config_pair(c, &from, &to))
		json_object_set_new(rest, "config_file", kx_json_text(from));
	if (c->versions_count)
		json_object_set_new(rest, "versions", snapshot_versions(c));
	json_object_update(out, rest);
	json_decref(rest);
	return out;
}

static char *cpu_model(void)
{
	g_autofree char *text = NULL;
	if (!g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL))
		return NULL;
	g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
	for (char **line = lines; *line; line++) {
		const char *value = strchr(*line, ':');
		if (value && g_str_has_prefix(*line, "model name"))
			return g_strstrip(g_strdup(value + 1));
	}
	return NULL;
}

static void set_text(json_t *o, const char *name, const char *value)
{
	if (value && *value)
		json_object_set_new(o, name, kx_json_text(value));
}

static void set_recipe(json_t *o, const Recipe *r)
{
	g_autofree char *source = g_strconcat("source of ", r->name, NULL);
	g_autofree char *compiled = g_strconcat("toolchain of ", r->name, NULL);
	set_text(o, source, r->source_is);
	set_text(o, compiled, r->compiled_by);
}

bool engine_record_environment(Engine *e, const char *machine, GError **error)
{
	if (machine ? g_strcmp0(machine, e->machine) == 0 : e->machine != NULL)
		return true;
	g_free(e->machine);
	e->machine = g_strdup(machine);
	g_autoptr(json_t) doc = store_document(e->store, e->run->id, "environment", error);
	if (!doc)
		return false;
	g_autoptr(json_t) now = json_is_object(doc) ? json_incref(doc) : json_object();
	g_autofree char *cpu = cpu_model();
	g_autofree char *processors = g_strdup_printf("%u", g_get_num_processors());
	struct utsname host;
	set_text(now, "kexsect", KEXSECT_VERSION);
	set_text(now, "machine", machine);
	if (uname(&host) == 0) {
		set_text(now, "host kernel", host.release);
		set_text(now, "host architecture", host.machine);
	}
	set_text(now, "host processor", cpu);
	set_text(now, "host processors", processors);
	set_recipe(now, e->campaign->base);
	for (unsigned i = 0; i < e->campaign->versions_count; i++)
		set_recipe(now, e->campaign->versions[i].base);
	return store_set_document(e->store, e->run->id, "environment", now, error);
}
