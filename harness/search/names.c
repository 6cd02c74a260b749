/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words and usual values. */
#include "search.h"

#include <math.h>

void search_costs_init(SearchCosts *costs)
{
	*costs = (SearchCosts){
		.boot_s = 5,
		.build_s = 10,
		.clean_build_s = 240,
		.switch_s = 1,
		.boots_left = SEARCH_UNLIMITED,
		.builds_left = SEARCH_UNLIMITED,
		.seconds_left = HUGE_VAL,
	};
}

const char *search_purpose_name(SearchPurpose purpose)
{
	static const char *const names[] = {"calibrate", "search", "parent", "confirm"};

	G_STATIC_ASSERT(G_N_ELEMENTS(names) == SEARCH_PURPOSE_MAX);
	g_return_val_if_fail(purpose < SEARCH_PURPOSE_MAX, NULL);
	return names[purpose];
}

const char *search_why_name(SearchWhy why)
{
	static const char *const names[] = {"rule",	   "no_effect",	 "no_fault",
					    "base_faults", "unfinished", "untestable",
					    "cold_differs"};

	G_STATIC_ASSERT(G_N_ELEMENTS(names) == SEARCH_WHY_MAX);
	g_return_val_if_fail(why < SEARCH_WHY_MAX, NULL);
	return names[why];
}

const char *search_hypothesis_name(SearchHypothesisKind kind)
{
	static const char *const names[] = {"set", "none", "empty", "either"};

	g_return_val_if_fail(kind < G_N_ELEMENTS(names), NULL);
	return names[kind];
}
