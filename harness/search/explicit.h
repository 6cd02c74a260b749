/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The belief of a space that keeps each hypothesis by itself: counts, class, probability. */
#pragma once

#include "search-internal.h"

typedef struct {
	guint n;
	const double *prior;		/* n, the space's */
	guint *has_faults, *has_cleans; /* per hypothesis: of the variants that have the cause */
	guint64 faults, cleans;		/* of all variants */
	double *p;
	guint *class_of;
	/* Those that steer the choice, in order; of very many improbable ones a sample that weighs
	 * as much, class by class (§4.3). */
	guint n_active;
	guint *active;
	double *weight;
	guint best; /* the most probable one */
} Explicit;

Explicit *explicit_new(guint n, const double *prior);
void explicit_free(Explicit *x);
/* The counts of another one of the same hypotheses. */
void explicit_inherit(Explicit *x, const Explicit *from);
/* has[h]: whether the cause of h is in the variant. */
void explicit_observed(Explicit *x, const bool *has, guint faults, guint cleans);
void explicit_classify(Search *s, Explicit *x);
/* P(h | data) from the masses of the classes; then what is folded; then what follows from both. */
void explicit_weigh(const Search *s, Explicit *x);
void explicit_fold(Explicit *x, guint from, guint into); /* `into` G_MAXUINT: nothing is done */
void explicit_settle(const Search *s, Explicit *x);
double explicit_entropy(const Explicit *x);
/* The `max` most probable ones, best first; returns how many. ret has room for them. */
guint explicit_top(const Explicit *x, guint max, guint *ret);
