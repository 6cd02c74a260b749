/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history.h"

#include <math.h>

#define BROKEN_PRIOR 0.02  /* a commit cannot be tested, without any sign of it */
#define BROKEN_MOST 0.95   /* neighbours alone condemn none */
#define BROKEN_NEXT 0.9	   /* the one next to one that cannot */
#define BROKEN_SURELY 0.99 /* as good as certain: above what is still tried */
#define SPORADIC_SHARE                                                                             \
	0.5 /* a hang or panic says less of the neighbours than what does not build */
#define NAMED_SUSPECTS 6

void history_prior(const Search *s, const SearchProblem *p, double *ret)
{
	double sum = 0;

	for (guint i = 0; i < p->n; i++)
		sum += ret[i] = p->weights ? p->weights[i] : 1;
	for (guint i = 0; i < p->n; i++)
		ret[i] *= (1 - s->prior_none - s->prior_empty) / sum;
}

bool history_is_variant(const Search *s, SearchVariant v)
{
	return v <= s->n;
}

SearchVariant history_everything(const Search *s)
{
	return s->n;
}

SearchVariant history_realise(const Search *s, SearchMask members)
{
	(void)s;
	return members;
}

/* ---- what cannot be tested (§3.4) ---- */

void history_testable_update(Search *s)
{
	(void)s;
}

/*
 * A stretch of broken commits begins with one that breaks and ends with one that repairs; how long
 * it is, is known to no order of magnitude. So with one at distance 0 and the next one that works
 * at distance D, one at distance d is broken too with 0.9 (1 - ln d / ln D).
 */
static double broken_at(double d, double works_at)
{
	return works_at <= 1 ? 0 : BROKEN_NEXT * MAX(1 - log(d) / log(works_at), 0);
}

static double share_of(const Record *r)
{
	return r->permanent ? 1 : SPORADIC_SHARE;
}

double history_untestable(Search *s, SearchVariant v)
{
	double fine = 1 - BROKEN_PRIOR, below = -1, above = s->n + 1.0; /* that work */
	const Record *left = NULL, *right = NULL;			/* that do not, beyond no
									   working one */

	for (guint k = 0; k < s->records->len; k++) {
		const Record *r = &g_array_index(s->records, Record, k);
		bool failed = record_failed(r);

		if (r->variant < v) {
			below = failed ? below : (double)r->variant;
			left = failed ? r : NULL;
		} else if (r->variant > v && !failed) {
			above = (double)r->variant;
			break;
		} else if (r->variant > v && !right) {
			right = r;
		}
	}
	if (s->whole_stretches && left && right && variant_given_up(s, left->variant) &&
	    variant_given_up(s, right->variant))
		return BROKEN_SURELY;
	if (left && right)
		fine *= 1 - BROKEN_NEXT * MAX(share_of(left), share_of(right));
	if (left)
		fine *= 1 - share_of(left) * broken_at((double)(v - left->variant),
						       above - (double)left->variant);
	if (right)
		fine *= 1 - share_of(right) * broken_at((double)(right->variant - v),
							(double)right->variant - below);
	return MIN(1 - fine, BROKEN_MOST);
}

double history_poison(Search *s, guint i)
{
	return search_untestable(s, i + 1);
}

bool history_is_smallest(Search *s, SearchVariant v)
{
	(void)s;
	(void)v;
	return true; /* nothing is condemned by its neighbours alone */
}

/* No other commit shows the same as a parent: what lies between would be told apart. */
bool history_substitute(Search *s, const SearchHypothesis *h, Around *a)
{
	(void)s;
	(void)h;
	(void)a;
	return false;
}

/* ---- names ---- */

char *history_name_variant(const Search *s, SearchVariant v)
{
	if (v == 0)
		return g_strdup("the start of the range");
	return s->names ? g_strdup(s->names[v - 1]) : g_strdup_printf("#%" G_GUINT64_FORMAT, v);
}

char *history_name_members(const Search *s, const SearchHypothesis *h)
{
	return history_name_variant(s, h->members);
}

/* The commits that only untestable ones lie between, so that they cannot be told apart. */
char *history_name_suspects(Search *s)
{
	g_autoptr(GString) out = g_string_new("the cause is one of ");
	guint n;
	g_autofree SearchHypothesis *top = search_ranking(s, 64, &n);
	double sum = 0;
	guint k = 0;

	for (; k < n && sum < s->confidence; k++) {
		g_autofree char *name = hypothesis_name(s, &top[k]);

		sum += top[k].probability;
		if (k < NAMED_SUSPECTS)
			g_string_append_printf(out, "%s%s", k ? ", " : "", name);
	}
	if (k > NAMED_SUSPECTS)
		g_string_append_printf(out, " and %u more", k - NAMED_SUSPECTS);
	return g_string_free(g_steal_pointer(&out), FALSE);
}

/* ---- pools ---- */

static gint by_position(gconstpointer a, gconstpointer b)
{
	SearchVariant x = *(const SearchVariant *)a, y = *(const SearchVariant *)b;

	return x < y ? -1 : x > y;
}

void history_sort_once(GArray *pool)
{
	guint kept = 0;

	g_array_sort(pool, by_position);
	for (guint k = 0; k < pool->len; k++) {
		SearchVariant v = g_array_index(pool, SearchVariant, k);

		if (kept == 0 || g_array_index(pool, SearchVariant, kept - 1) != v)
			g_array_index(pool, SearchVariant, kept++) = v;
	}
	g_array_set_size(pool, kept);
}

void history_add_known(const Search *s, const SearchCosts *costs, GArray *pool)
{
	SearchVariant ends[] = {0, s->n};

	g_array_append_vals(pool, ends, 2);
	for (guint k = 0; k < s->records->len; k++)
		g_array_append_val(pool, g_array_index(s->records, Record, k).variant);
	if (costs && costs->n_built)
		g_array_append_vals(pool, costs->built, costs->n_built);
}
