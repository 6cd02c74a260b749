/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words and JSON for variants, hypotheses and the campaign. */
#include "engine/engine-internal.h"

const char *const engine_outcomes[6] = {"fault", "clean", "hang", "panic", "noboot", "infra"};

int engine_outcome(const char *name)
{
	for (int i = 0; name && i < 6; i++)
		if (g_str_equal(engine_outcomes[i], name))
			return i;
	return -1;
}

char *engine_set_name(const Engine *e, SearchMask mask)
{
	GString *s = g_string_new(NULL);
	for (unsigned i = 0; i < e->campaign->candidates_count; i++)
		if (mask >> i & 1)
			g_string_append_printf(s, "%s%s", s->len ? " + " : "",
					       e->campaign->candidates[i]);
	if (!s->len)
		g_string_append(s, "no candidate");
	return g_string_free(s, FALSE);
}

const char *engine_hypothesis_kind(SearchHypothesisKind kind)
{
	switch (kind) {
	case SEARCH_H_SET:
		return "set";
	case SEARCH_H_NONE:
		return "none";
	default:
		return "empty";
	}
}

char *engine_hypothesis_name(const Engine *e, const SearchHypothesis *h)
{
	bool cures = e->campaign->effect == EFFECT_CURES;
	switch (h->kind) {
	case SEARCH_H_SET:
		return engine_set_name(e, h->members);
	case SEARCH_H_NONE:
		return g_strdup(cures ? "nothing cures it" : "nothing causes it");
	default:
		return g_strdup(cures ? "the base does not fault" : "the base faults by itself");
	}
}

json_t *engine_names_of(const Engine *e, SearchMask mask)
{
	json_t *out = json_array();
	for (unsigned i = 0; i < e->campaign->candidates_count; i++)
		if (mask >> i & 1)
			json_array_append_new(out, kx_json_text(e->campaign->candidates[i]));
	return out;
}

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

static json_t *snapshot_targets(const Campaign *c)
{
	json_t *out = json_array();
	for (unsigned i = 0; i < c->target_names_count; i++) {
		const TargetConfig *t = c->targets[i];
		json_array_append_new(out, json_pack("{s:o, s:o, s:o, s:s, s:o}", "name",
						     optional(t->name), "title", optional(t->title),
						     "file", optional(t->path), "driver", "libvirt",
						     "cmdline", optional(t->cmdline)));
	}
	return out;
}

static json_t *snapshot_oracle(const OracleConfig *o)
{
	return json_pack("{s:o, s:o, s:o, s:{s:o, s:o}, s:o, s:o}", "name", optional(o->name),
			 "title", optional(o->title), "file", optional(o->path), "window", "from",
			 optional(o->window_from), "to", optional(o->window_to), "devices",
			 list(o->devices, o->devices_count), "addresses",
			 list(o->address_texts, o->address_texts_count));
}

json_t *engine_snapshot(const Campaign *c)
{
	json_t *out = json_pack("{s:o, s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o}", "file",
				optional(c->path), "base", "name", optional(c->base->name), "title",
				optional(c->base->title), "recipe", optional(c->base->path),
				"series", optional(c->series->path), "fragments",
				list(c->fragments, c->fragments_count), "fixtures",
				list(c->fixtures, c->fixtures_count), "candidates",
				list(c->candidates, c->candidates_count), "targets",
				snapshot_targets(c), "oracle", snapshot_oracle(c->oracle));
	json_t *rest = json_pack(
		"{s:o, s:s, s:f, s:I, s:i, s:{s:i, s:f, s:i}}", "cmdline", optional(c->cmdline),
		"mode", c->mode == BOOT_COLD ? "cold" : "kexec", "confidence", c->search.confidence,
		"seed", (json_int_t)c->search.seed, "max_culprits", (int)c->search.max_culprits,
		"budget", "boots", (int)c->budget.boots, "hours", c->budget.hours, "builds",
		(int)c->budget.builds);
	json_object_update(out, rest);
	json_decref(rest);
	return out;
}
