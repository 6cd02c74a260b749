/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The problem as given: dependencies, conflicts, and the hypotheses they allow (docs/search.md §1).
 */
#include "search-internal.h"

#include <math.h>
#include <string.h>

/* Prior share of the sets of each size, before normalising over the sizes in use (§1.3). */
static const double size_share[SEARCH_MAX_SIZE + 1] = {0, 0.70, 0.22, 0.08};

SearchMask mask_all(const Search *s)
{
	return s->n == 64 ? ~(SearchMask)0 : ((SearchMask)1 << s->n) - 1;
}

SearchMask search_closure(const Search *s, SearchMask set)
{
	SearchMask out = 0;

	for (SearchMask rest = set & mask_all(s); rest; rest &= rest - 1)
		out |= s->closure_of[__builtin_ctzll(rest)];
	return out;
}

bool search_is_valid(const Search *s, SearchMask variant)
{
	if ((variant & ~mask_all(s)) || search_closure(s, variant) != variant)
		return false;
	for (guint i = 0; i < s->n_conflicts; i++) {
		if ((variant & s->conflicts[i]) == s->conflicts[i])
			return false;
	}
	return true;
}

guint search_n_hypotheses(const Search *s)
{
	return s->n_h;
}

SearchMask variant_add(const Search *s, SearchMask v, guint i)
{
	return v | s->closure_of[i];
}

SearchMask variant_remove(const Search *s, SearchMask v, guint i)
{
	return v & ~s->dependents_of[i];
}

/* bad(h, v) of §1.1. */
bool hypothesis_bad(const Search *s, const Hypothesis *h, SearchMask v)
{
	bool has_effect = h->kind != SEARCH_H_NONE && (v & h->closure) == h->closure;

	return has_effect == (s->effect == SEARCH_CAUSES);
}

char *mask_names(const Search *s, SearchMask mask)
{
	g_autoptr(GString) out = g_string_new(NULL);
	guint count = __builtin_popcountll(mask), shown = 0;

	for (SearchMask rest = mask; rest; rest &= rest - 1) {
		if (shown == 4 && count > 5) {
			g_string_append_printf(out, " and %u more", count - shown);
			break;
		}
		g_string_append_printf(out, "%s%s", shown ? " + " : "",
				       s->names[__builtin_ctzll(rest)]);
		shown++;
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}

static void close_dependencies(Search *s, const SearchMask *depends)
{
	bool changed = true;

	for (guint i = 0; i < s->n; i++)
		s->closure_of[i] = ((SearchMask)1 << i) | (depends ? depends[i] : 0);
	while (changed) {
		changed = false;
		for (guint i = 0; i < s->n; i++) {
			SearchMask wider = search_closure(s, s->closure_of[i]);

			changed |= wider != s->closure_of[i];
			s->closure_of[i] = wider;
		}
	}
	for (guint i = 0; i < s->n; i++) {
		s->dependents_of[i] = 0;
		for (guint j = 0; j < s->n; j++) {
			if (s->closure_of[j] >> i & 1)
				s->dependents_of[i] |= (SearchMask)1 << j;
		}
	}
}

/*
 * Smaller sets come first. So of the sets with one closure, which no variant tells apart, the one
 * that stays has no member that another one needs.
 */
static void add_set(Search *s, GArray *hypotheses, GHashTable *seen, SearchMask set)
{
	SearchMask closure = search_closure(s, set);
	Hypothesis h = {SEARCH_H_SET, set, closure, 0};

	if (!search_is_valid(s, closure))
		return;
	if (!g_hash_table_add(seen, g_memdup2(&closure, sizeof(closure))))
		return;
	for (SearchMask rest = set; rest; rest &= rest - 1)
		h.log_prior += log(s->weights[__builtin_ctzll(rest)]);
	g_array_append_val(hypotheses, h);
}

/* Prior of §1.3: shares by size, within a size by the product of the weights. */
static void set_priors(Search *s)
{
	double sum[SEARCH_MAX_SIZE + 1] = {0}, shares = 0;

	for (guint i = 2; i < s->n_h; i++)
		sum[__builtin_popcountll(s->h[i].members)] += exp(s->h[i].log_prior);
	for (guint k = 1; k <= s->max_size; k++)
		shares += sum[k] > 0 ? size_share[k] : 0;
	for (guint i = 2; i < s->n_h; i++) {
		guint k = __builtin_popcountll(s->h[i].members);

		s->h[i].log_prior +=
			log(size_share[k] / shares / sum[k] * (1 - s->prior_none - s->prior_empty));
	}
	s->h[0].log_prior = log(s->prior_none);
	s->h[1].log_prior = log(s->prior_empty);
}

static bool enumerate(Search *s, GError **error)
{
	g_autoptr(GHashTable) seen =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	GArray *hypotheses = g_array_new(FALSE, FALSE, sizeof(Hypothesis));
	Hypothesis none = {SEARCH_H_NONE, 0, 0, 0}, empty = {SEARCH_H_EMPTY, 0, 0, 0};

	g_array_append_val(hypotheses, none);
	g_array_append_val(hypotheses, empty);
	for (guint a = 0; a < s->n; a++)
		add_set(s, hypotheses, seen, (SearchMask)1 << a);
	for (guint a = 0; a < s->n && s->max_size >= 2; a++) {
		for (guint b = a + 1; b < s->n; b++)
			add_set(s, hypotheses, seen, (SearchMask)1 << a | (SearchMask)1 << b);
	}
	for (guint a = 0; a < s->n && s->max_size >= 3; a++) {
		for (guint b = a + 1; b < s->n; b++) {
			for (guint c = b + 1; c < s->n; c++)
				add_set(s, hypotheses, seen,
					(SearchMask)1 << a | (SearchMask)1 << b |
						(SearchMask)1 << c);
		}
	}
	s->n_h = hypotheses->len;
	s->h = (Hypothesis *)(void *)g_array_free(hypotheses, FALSE);
	if (s->n_h == 2) {
		g_set_error(error, SEARCH_ERROR, 0,
			    "no candidate can be applied: each conflicts with what it depends on");
		return false;
	}
	set_priors(s);
	return true;
}

static bool check_ranges(const SearchProblem *p, GError **error)
{
	const char *what = NULL;

	if (p->n < 1 || p->n > SEARCH_MAX_CANDIDATES)
		what = "the number of candidates must be 1 to 64";
	else if (p->max_size > SEARCH_MAX_SIZE)
		what = "the largest set looked for has 1 to 3 members";
	else if (p->confidence != 0 && !(p->confidence >= 0.5 && p->confidence <= 0.9999))
		what = "confidence must be 0.5 to 0.9999";
	else if (p->q_detect != 0 && !(p->q_detect >= 0.001 && p->q_detect <= 0.9))
		what = "q_detect must be 0.001 to 0.9";
	else if (p->told_q != 0 && !(p->told_q >= 0.001 && p->told_q <= 1))
		what = "told_q must be 0.001 to 1";
	else if (!(p->prior_none >= 0 && p->prior_empty >= 0 &&
		   p->prior_none + p->prior_empty < 0.9))
		what = "prior_none + prior_empty must be below 0.9";
	for (guint i = 0; !what && p->weights && i < p->n; i++) {
		if (!(p->weights[i] >= 1e-6 && p->weights[i] <= 1e6))
			what = "each weight must be 1e-6 to 1e6";
	}
	for (guint i = 0; !what && i < p->n_conflicts; i++) {
		if (p->conflicts[i] == 0)
			what = "a conflict names no candidate";
	}
	if (what)
		g_set_error_literal(error, SEARCH_ERROR, 0, what);
	return !what;
}

bool problem_setup(Search *s, const SearchProblem *p, GError **error)
{
	if (!check_ranges(p, error))
		return false;
	s->n = p->n;
	s->names = g_new0(char *, p->n + 1);
	for (guint i = 0; i < p->n; i++) {
		s->names[i] = p->names ? g_strdup(p->names[i]) : g_strdup_printf("#%u", i);
		s->weights[i] = p->weights ? p->weights[i] : 1;
	}
	for (guint i = 0; p->depends && i < p->n; i++) {
		if (p->depends[i] & ~mask_all(s)) {
			g_set_error(error, SEARCH_ERROR, 0, "%s depends on a candidate beyond %u",
				    s->names[i], p->n - 1);
			return false;
		}
	}
	s->conflicts = g_memdup2(p->conflicts, p->n_conflicts * sizeof(SearchMask));
	s->n_conflicts = p->n_conflicts;
	s->effect = p->effect;
	s->max_size = MIN(p->max_size ? p->max_size : SEARCH_MAX_SIZE, p->n);
	s->confidence = p->confidence != 0 ? p->confidence : 0.99;
	s->q_detect = p->q_detect != 0 ? p->q_detect : 0.05;
	s->told_q = p->told_q;
	s->prior_none = p->prior_none != 0 ? p->prior_none : 0.05;
	s->prior_empty = p->prior_empty != 0 ? p->prior_empty : 0.05;
	s->mode = p->mode;
	s->confirm_cold = !p->no_confirm_cold;
	s->confirm_clean = !p->no_confirm_clean;
	s->max_confirm_boots = p->max_confirm_boots ? p->max_confirm_boots : 250;
	s->seed = p->seed;
	close_dependencies(s, p->depends);
	return enumerate(s, error);
}
