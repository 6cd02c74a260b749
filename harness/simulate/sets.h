/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What policies for sets share: a test that says yes or no, and a set to start from. */
#pragma once

#include "simulate/policy.h"

typedef struct {
	Lab *lab;
	const SimGraph *graph;
	guint boots;	    /* a test: up to so many, a fault ends it */
	SearchMask start;   /* has the effect, builds, applies */
	GHashTable *tested; /* variant → 1 has the effect, 2 has not */
} Sets;

void sets_init(Sets *s, Lab *lab, guint boots);
void sets_clear(Sets *s);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sets, sets_clear)

/*
 * A starting set: everything. When that does not build, what does not build alone is left out
 * first; when candidates exclude each other, several largest sets are tried. False: none of them
 * has the effect, or the boots ended.
 */
bool sets_start(Sets *s);
/* Whether the variant has the effect; a test is never repeated. False as well when it does not
 * build. */
bool sets_has_effect(Sets *s, SearchMask variant);
/* `set` without member i and without what needs it. */
SearchMask sets_without(const Sets *s, SearchMask set, guint i);
/* The set that is left is the claim, less what others of its members need. */
void sets_claim(const Sets *s, SearchMask variant, SimClaim *ret);
