/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two unknown rates, summed out exactly on a grid (docs/search.md §2.2, §2.3). */
#include "search-internal.h"

#include <math.h>
#include <string.h>

#define Q_LOG_SHARE 0.05 /* of the rest: anything, by magnitude; else anything, uniformly */
#define TOLD_E_MIN 1e-6	 /* nothing is certain, not even what was told */
#define SUM_MIN 1e-250	 /* below it the quick sum has lost its digits */

const guint search_batches[BATCHES] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96};

static const double atom_q[] = {0.99, 0.995, 0.999, 0.9999};
static const double atom_share[] = {0.10, 0.15, 0.35, 0.40};
static const double high_q[] = {0.5,  0.55, 0.6,  0.65, 0.7,  0.75, 0.8,
				0.85, 0.9,  0.93, 0.95, 0.97, 0.98};
static const double grid_e[] = {1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.02, 0.05};
static const double share_e[] = {0.50, 0.20, 0.12, 0.08, 0.05, 0.03, 0.02};

/* The prior of q: each point has the mass of its cell under the two densities, plus the atoms. */
static guint grid_q(Grid *g, double always, double *prior)
{
	double atoms[GRID_Q_MAX] = {0};
	guint n = 0;

	for (guint i = 0; i < 18; i++)
		g->q[n++] = 0.001 * pow(500, i / 18.0);
	for (guint i = 0; i < G_N_ELEMENTS(high_q); i++)
		g->q[n++] = high_q[i];
	for (guint i = 0; i < G_N_ELEMENTS(atom_q); i++) {
		atoms[n] = always * atom_share[i];
		g->q[n++] = atom_q[i];
	}
	for (guint i = 0; i < n; i++) {
		double low = i ? sqrt(g->q[i - 1] * g->q[i]) : g->q[0];
		double high = i + 1 < n ? sqrt(g->q[i] * g->q[i + 1]) : 1;
		double smooth = (1 - Q_LOG_SHARE) * (high - low) +
				Q_LOG_SHARE * log(high / low) / log(1000);

		prior[i] = (1 - always) * smooth + atoms[i];
		g->smooth[i] = smooth / prior[i];
	}
	return n;
}

/* s(r, k) = (1 - r)^k and b(r, k) = Σ_{t<k} (1 - r)^t of §4.1, for each batch length. */
static void forecasts(const double *r, guint n, double (*silent)[GRID_Q_MAX],
		      double (*boots)[GRID_Q_MAX])
{
	for (guint b = 0; b < BATCHES; b++) {
		for (guint i = 0; i < n; i++) {
			silent[b][i] = exp(search_batches[b] * log1p(-r[i]));
			boots[b][i] = (1 - silent[b][i]) / r[i];
		}
	}
}

static guint grid_e_prior(Grid *g, double *prior)
{
	memcpy(g->e, grid_e, sizeof(grid_e));
	memcpy(prior, share_e, sizeof(share_e));
	return G_N_ELEMENTS(grid_e);
}

void grid_init(Grid *g, double always, double told_q, double told_e)
{
	double prior_q[GRID_Q_MAX] = {1}, prior_e[GRID_E_MAX] = {1}, sum = 0;

	memset(g, 0, sizeof(*g));

	if (told_q != 0) {
		g->n_q = 1;
		g->q[0] = MIN(told_q, 0.9999);
		g->smooth[0] = 1;
		g->n_e = 1;
		g->e[0] = MAX(told_e, TOLD_E_MIN);
	} else {
		g->n_q = grid_q(g, always, prior_q);
		g->n_e = grid_e_prior(g, prior_e);
	}
	for (guint i = 0; i < g->n_q; i++) {
		g->log_q[i] = log(g->q[i]);
		g->log_1q[i] = log1p(-g->q[i]);
		while (g->below[i] < g->n_e && g->e[g->below[i]] < g->q[i])
			g->below[i]++;
		for (guint j = 0; j < g->below[i]; j++)
			sum += prior_q[i] * prior_e[j];
	}
	for (guint j = 0; j < g->n_e; j++) {
		g->log_e[j] = log(g->e[j]);
		g->log_1e[j] = log1p(-g->e[j]);
		g->log_prior_e[j] = log(prior_e[j] / sum);
	}
	for (guint i = 0; i < g->n_q; i++)
		g->log_prior_q[i] = log(prior_q[i]);
	forecasts(g->q, g->n_q, g->silent_q, g->boots_q);
	forecasts(g->e, g->n_e, g->silent_e, g->boots_e);
}

/* ret[i] = exp(terms of point i - *ret_top) */
static void weigh(const double *log_prior, const double *log_r, const double *log_1r, guint n,
		  double faults, double cleans, double *ret, double *ret_top)
{
	double top = -HUGE_VAL;

	for (guint i = 0; i < n; i++) {
		ret[i] = log_prior[i] + faults * log_r[i] + cleans * log_1r[i];
		top = MAX(top, ret[i]);
	}
	for (guint i = 0; i < n; i++)
		ret[i] = exp(ret[i] - top);
	*ret_top = top;
}

/* The same sums with logarithms throughout: for records so contradictory that ε < q is all that
 * holds them together. */
static void compute_slowly(const Grid *g, double bf, double bc, double gf, double gc, Class *c)
{
	double top = -HUGE_VAL, sum = 0, term[GRID_Q_MAX][GRID_E_MAX];

	memset(c->q, 0, sizeof(c->q));
	memset(c->e, 0, sizeof(c->e));
	for (guint i = 0; i < g->n_q; i++) {
		for (guint j = 0; j < g->below[i]; j++) {
			term[i][j] = g->log_prior_q[i] + bf * g->log_q[i] + bc * g->log_1q[i] +
				     g->log_prior_e[j] + gf * g->log_e[j] + gc * g->log_1e[j];
			top = MAX(top, term[i][j]);
		}
	}
	for (guint i = 0; i < g->n_q; i++) {
		for (guint j = 0; j < g->below[i]; j++) {
			double w = exp(term[i][j] - top);

			sum += w;
			c->q[i] += w;
			c->e[j] += w;
		}
	}
	for (guint i = 0; i < g->n_q; i++)
		c->q[i] /= sum;
	for (guint j = 0; j < g->n_e; j++)
		c->e[j] /= sum;
	c->log_likelihood = top + log(sum);
}

/* ln L of §2.3 and the posterior of q and ε given the class: the sum over the grid factors into q
 * and ε but for the corner ε >= q that is left out. */
void class_compute(const Search *s, guint64 good_faults, guint64 good_cleans, Class *c)
{
	const Grid *g = s->grid;
	double bf = (double)c->bad_faults, bc = (double)c->bad_cleans;
	double gf = (double)good_faults, gc = (double)good_cleans;
	double a[GRID_Q_MAX], b[GRID_E_MAX], up_to[GRID_E_MAX + 1] = {0};
	double from[GRID_E_MAX + 1] = {0}, top_q, top_e, sum = 0;

	weigh(g->log_prior_q, g->log_q, g->log_1q, g->n_q, bf, bc, a, &top_q);
	weigh(g->log_prior_e, g->log_e, g->log_1e, g->n_e, gf, gc, b, &top_e);
	for (guint j = 0; j < g->n_e; j++)
		up_to[j + 1] = up_to[j] + b[j];
	for (guint i = 0; i < g->n_q; i++) {
		c->q[i] = a[i] * up_to[g->below[i]];
		sum += c->q[i];
		from[g->below[i]] += a[i]; /* goes with every e[j], j < below[i] */
	}
	if (sum > SUM_MIN) {
		for (guint i = 0; i < g->n_q; i++)
			c->q[i] /= sum;
		for (guint j = g->n_e; j-- > 0;) {
			from[j] += from[j + 1];
			c->e[j] = b[j] * from[j + 1] / sum;
		}
		c->log_likelihood = top_q + top_e + log(sum);
	} else {
		compute_slowly(g, bf, bc, gf, gc, c);
	}
	c->detect_share = 0;
	for (guint i = 0; i < g->n_q; i++)
		c->detect_share += g->q[i] >= s->q_detect ? c->q[i] : 0;
}

/* E[(1-q)^k | class] with the prior's atoms near q = 1 taken out (§5.2). */
double class_miss_smooth(const Search *s, const Class *c, guint k)
{
	const Grid *g = s->grid;
	double sum = 0, norm = 0;

	for (guint i = 0; i < g->n_q; i++) {
		double w = c->q[i] * g->smooth[i];

		norm += w;
		sum += w * exp(k * g->log_1q[i]);
	}
	return norm > 0 ? sum / norm : 0;
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
	const Grid *g = s->grid;
	double q[GRID_Q_MAX] = {0}, e[GRID_E_MAX] = {0};

	posterior_update(s);
	memset(ret, 0, sizeof(*ret));
	for (guint k = 0; k < s->classes->len; k++) {
		const Class *c = class_at(s, k);

		if (c->mass < 1e-12)
			continue;
		for (guint i = 0; i < g->n_q; i++)
			q[i] += c->mass * c->q[i];
		for (guint j = 0; j < g->n_e; j++)
			e[j] += c->mass * c->e[j];
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
