/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The joint posterior of the hypotheses and the rates (q, ε), summed exactly on a grid
 * (docs/search.md §2). */
#include "search-internal.h"

#include <math.h>
#include <string.h>

#define Q_ATOM_SHARE 0.50    /* prior: every boot of a faulty variant faults, or nearly so */
#define Q_UNIFORM_SHARE 0.35 /* prior: anything */
#define Q_LOG_SHARE 0.15     /* prior: anything, by magnitude */

static const double atom_q[] = {0.99, 0.995, 0.999, 0.9999};
static const double atom_share[] = {0.10, 0.15, 0.35, 0.40};
static const double high_q[] = {0.5,  0.55, 0.6,  0.65, 0.7,  0.75, 0.8,
				0.85, 0.9,  0.93, 0.95, 0.97, 0.98};
static const double grid_e[] = {1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.02, 0.05};
static const double share_e[] = {0.50, 0.20, 0.12, 0.08, 0.05, 0.03, 0.02};

/* The prior of q (§2.2): each point has the mass of its cell under the two densities, plus the
 * atoms. */
static guint grid_q(Grid *g, double *prior)
{
	double atoms[GRID_Q_MAX] = {0}, smooth_share = Q_UNIFORM_SHARE + Q_LOG_SHARE;
	guint n = 0;

	for (guint i = 0; i < 18; i++)
		g->q[n++] = 0.001 * pow(500, i / 18.0);
	for (guint i = 0; i < G_N_ELEMENTS(high_q); i++)
		g->q[n++] = high_q[i];
	for (guint i = 0; i < G_N_ELEMENTS(atom_q); i++) {
		atoms[n] = Q_ATOM_SHARE * atom_share[i];
		g->q[n++] = atom_q[i];
	}
	for (guint i = 0; i < n; i++) {
		double low = i ? sqrt(g->q[i - 1] * g->q[i]) : g->q[0];
		double high = i + 1 < n ? sqrt(g->q[i] * g->q[i + 1]) : 1;
		double smooth =
			Q_UNIFORM_SHARE * (high - low) + Q_LOG_SHARE * log(high / low) / log(1000);

		prior[i] = smooth + atoms[i];
		g->smooth[i] = smooth / smooth_share / prior[i];
	}
	return n;
}

void grid_init(Search *s)
{
	Grid *g = &s->grid;
	double prior_q[GRID_Q_MAX], sum = 0;

	if (s->told_q != 0) {
		g->n_q = 1;
		g->q[0] = MIN(s->told_q, 0.9999);
		prior_q[0] = 1;
		g->smooth[0] = 1;
	} else {
		g->n_q = grid_q(g, prior_q);
	}
	g->n_e = G_N_ELEMENTS(grid_e);
	for (guint i = 0; i < g->n_q; i++) {
		g->log_q[i] = log(g->q[i]);
		g->log_1q[i] = log1p(-g->q[i]);
	}
	for (guint j = 0; j < g->n_e; j++) {
		g->e[j] = grid_e[j];
		g->log_e[j] = log(g->e[j]);
		g->log_1e[j] = log1p(-g->e[j]);
	}
	for (guint i = 0; i < g->n_q; i++) {
		for (guint j = 0; j < g->n_e; j++)
			sum += g->e[j] < g->q[i] ? prior_q[i] * share_e[j] : 0;
	}
	for (guint i = 0; i < g->n_q; i++) {
		for (guint j = 0; j < g->n_e; j++)
			g->log_prior[i][j] =
				g->e[j] < g->q[i] ? log(prior_q[i] * share_e[j] / sum) : -HUGE_VAL;
	}
}

/* ln L of §2.3 and the posterior of q and ε given the class. */
void class_compute(const Search *s, guint64 bf, guint64 bc, guint64 gf, guint64 gc, Class *c)
{
	const Grid *g = &s->grid;
	double term[GRID_Q_MAX][GRID_E_MAX], top = -HUGE_VAL, sum = 0;

	memset(c, 0, sizeof(*c));
	c->bad_faults = bf;
	c->bad_cleans = bc;
	for (guint i = 0; i < g->n_q; i++) {
		double bad = (double)bf * g->log_q[i] + (double)bc * g->log_1q[i];

		for (guint j = 0; j < g->n_e; j++) {
			double good = (double)gf * g->log_e[j] + (double)gc * g->log_1e[j];

			term[i][j] = g->log_prior[i][j] + bad + good;
			top = MAX(top, term[i][j]);
		}
	}
	for (guint i = 0; i < g->n_q; i++) {
		for (guint j = 0; j < g->n_e; j++) {
			double w = exp(term[i][j] - top);

			sum += w;
			c->q[i] += w;
			c->e[j] += w;
		}
	}
	for (guint i = 0; i < g->n_q; i++) {
		c->q[i] /= sum;
		c->detect_share += g->q[i] >= s->q_detect ? c->q[i] : 0;
	}
	for (guint j = 0; j < g->n_e; j++)
		c->e[j] /= sum;
	c->log_likelihood = top + log(sum);
}

static guint class_lookup(Search *s, guint64 bf, guint64 bc, guint64 all_f, guint64 all_c,
			  GHashTable *index)
{
	guint64 key = bf << 32 | bc;
	gpointer found = g_hash_table_lookup(index, &key);
	Class c;

	if (found)
		return GPOINTER_TO_UINT(found) - 1;
	class_compute(s, bf, bc, all_f - bf, all_c - bc, &c);
	g_array_append_val(s->classes, c);
	g_hash_table_insert(index, g_memdup2(&key, sizeof(key)), GUINT_TO_POINTER(s->classes->len));
	return s->classes->len - 1;
}

/* P(h | data) of §2.4 for all h. */
void posterior_update(Search *s)
{
	g_autoptr(GHashTable) index =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	guint64 all_f = 0, all_c = 0;
	double top = -HUGE_VAL, sum = 0;

	if (!s->stale)
		return;
	for (guint k = 0; k < s->variants->len; k++) {
		const Variant *v = &g_array_index(s->variants, Variant, k);

		all_f += variant_faults(v);
		all_c += variant_cleans(v);
	}
	s->all_faults = all_f;
	g_array_set_size(s->classes, 0);
	for (guint i = 0; i < s->n_h; i++) {
		guint64 bf = 0, bc = 0;

		for (guint k = 0; k < s->variants->len; k++) {
			const Variant *v = &g_array_index(s->variants, Variant, k);

			if (hypothesis_bad(s, &s->h[i], v->mask)) {
				bf += variant_faults(v);
				bc += variant_cleans(v);
			}
		}
		s->class_of[i] = class_lookup(s, bf, bc, all_f, all_c, index);
		s->p[i] = s->h[i].log_prior + class_of(s, i)->log_likelihood;
		top = MAX(top, s->p[i]);
	}
	for (guint i = 0; i < s->n_h; i++)
		sum += s->p[i] = exp(s->p[i] - top);
	s->leader = 0;
	for (guint i = 0; i < s->n_h; i++) {
		s->p[i] /= sum;
		if (s->p[i] > s->p[s->leader])
			s->leader = i;
	}
	testable_update(s);
	s->stale = false;
}

const Class *class_of(const Search *s, guint h)
{
	return &g_array_index(s->classes, Class, s->class_of[h]);
}

static double expect_power(const double *w, const double *log_1, guint n, guint k)
{
	double sum = 0;

	for (guint i = 0; i < n; i++)
		sum += w[i] * exp(k * log_1[i]);
	return sum;
}

double class_miss(const Search *s, const Class *c, guint k)
{
	return expect_power(c->q, s->grid.log_1q, s->grid.n_q, k);
}

/* The same with the prior's atoms near q = 1 taken out (§5.2). */
double class_miss_smooth(const Search *s, const Class *c, guint k)
{
	double sum = 0, norm = 0;

	for (guint i = 0; i < s->grid.n_q; i++) {
		double w = c->q[i] * s->grid.smooth[i];

		norm += w;
		sum += w * exp(k * s->grid.log_1q[i]);
	}
	return sum / norm;
}

double class_quiet(const Search *s, const Class *c, guint k)
{
	return expect_power(c->e, s->grid.log_1e, s->grid.n_e, k);
}

/* Σ_{t<k} E[(1-r)^t] = E[(1-(1-r)^k) / r] */
static double expect_boots(const double *w, const double *r, const double *log_1, guint n, guint k)
{
	double sum = 0;

	for (guint i = 0; i < n; i++)
		sum += w[i] * -expm1(k * log_1[i]) / r[i];
	return sum;
}

double class_miss_boots(const Search *s, const Class *c, guint k)
{
	return expect_boots(c->q, s->grid.q, s->grid.log_1q, s->grid.n_q, k);
}

double class_quiet_boots(const Search *s, const Class *c, guint k)
{
	return expect_boots(c->e, s->grid.e, s->grid.log_1e, s->grid.n_e, k);
}

static int by_probability(const void *a, const void *b)
{
	const SearchHypothesis *x = a, *y = b;

	if (x->probability != y->probability)
		return x->probability > y->probability ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->members < y->members ? -1 : x->members > y->members;
}

SearchHypothesis *search_ranking(Search *s, guint max, guint *ret_len)
{
	SearchHypothesis *out = g_new0(SearchHypothesis, s->n_h);

	posterior_update(s);
	for (guint i = 0; i < s->n_h; i++)
		out[i] = (SearchHypothesis){s->h[i].kind, s->h[i].members, s->p[i]};
	qsort(out, s->n_h, sizeof(*out), by_probability);
	*ret_len = MIN(max, s->n_h);
	return out;
}

double search_marginal(Search *s, guint i)
{
	double sum = 0;

	g_return_val_if_fail(i < s->n, 0);
	posterior_update(s);
	for (guint k = 0; k < s->n_h; k++)
		sum += s->h[k].members >> i & 1 ? s->p[k] : 0;
	return sum;
}

static double quantile(const double *w, const double *x, guint n, double at)
{
	double sum = 0;

	for (guint i = 0; i < n; i++) {
		sum += w[i];
		if (sum >= at)
			return x[i];
	}
	return x[n - 1];
}

/* The posterior of the rates, over all hypotheses (§2.5). */
void search_rates(Search *s, SearchRates *ret)
{
	const Grid *g = &s->grid;
	double q[GRID_Q_MAX] = {0}, e[GRID_E_MAX] = {0};

	posterior_update(s);
	memset(ret, 0, sizeof(*ret));
	for (guint k = 0; k < s->n_h; k++) {
		const Class *c = class_of(s, k);

		if (s->p[k] < 1e-12)
			continue;
		for (guint i = 0; i < g->n_q; i++)
			q[i] += s->p[k] * c->q[i];
		for (guint j = 0; j < g->n_e; j++)
			e[j] += s->p[k] * c->e[j];
	}
	for (guint i = 0; i < g->n_q; i++)
		ret->q_mean += q[i] * g->q[i];
	for (guint j = 0; j < g->n_e; j++)
		ret->e_mean += e[j] * g->e[j];
	ret->q_low = quantile(q, g->q, g->n_q, 0.025);
	ret->q_high = quantile(q, g->q, g->n_q, 0.975);
	ret->e_low = quantile(e, g->e, g->n_e, 0.025);
	ret->e_high = quantile(e, g->e, g->n_e, 0.975);
}
