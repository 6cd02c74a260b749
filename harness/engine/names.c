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
