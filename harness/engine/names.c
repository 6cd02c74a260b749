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

/* "either a or b" */
static char *either_name(const Engine *e, SearchMask members)
{
	GString *s = g_string_new(NULL);
	for (unsigned i = 0; i < e->campaign->candidates_count && i < 64; i++)
		if (members >> i & 1)
			g_string_append_printf(s, "%s%s", s->len ? " or " : "either ",
					       e->campaign->candidates[i].name);
	return g_string_free(s, FALSE);
}

char *engine_effect_sentence(const Engine *e, SearchMask members, bool either)
{
	bool cures = e->campaign->effect == EFFECT_CURES;
	SearchHypothesis h = {.kind = either ? SEARCH_H_EITHER : SEARCH_H_SET, .members = members};
	g_autofree char *name = engine_hypothesis_name(e, &h);
	if (e->campaign->history)
		return g_strdup_printf("commit %s %s", name,
				       cures ? "fixed the fault" : "brought the fault");
	return g_strdup_printf("%s %s the fault%s", name, cures ? "cures" : "causes",
			       either ? ", each alone" : "");
}

char *engine_hypothesis_name(const Engine *e, const SearchHypothesis *h)
{
	const Campaign *c = e->campaign;
	bool cures = c->effect == EFFECT_CURES;
	if (c->order)
		return engine_order_hypothesis(e, h);
	switch (h->kind) {
	case SEARCH_H_SET:
		return engine_set_name(e, h->members);
	case SEARCH_H_EITHER:
		return either_name(e, h->members);
	case SEARCH_H_NONE:
		return g_strdup(c->history ? cures ? "no commit of the range fixes it"
						   : "no commit of the range causes it"
				: cures	   ? "nothing cures it"
					   : "nothing causes it");
	default:
		return g_strdup(c->history ? cures ? "the start of the range does not fault"
						   : "the start of the range faults already"
				: cures	   ? "the base does not fault"
					   : "the base faults by itself");
	}
}
