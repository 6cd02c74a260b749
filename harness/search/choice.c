/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expected information per second, and the experiment that has most of it (docs/search.md §4). */
#include "search-internal.h"

#include <math.h>

#define BITS_SHARE 0.02 /* of the remaining doubt: an experiment that tells less tells nothing */
#define DOUBT_MAX 0.15
#define NEGLIGIBLE 1e-7 /* of the doubt: classes below it are left out of the forecast */
#define STARTS 3	/* of the local search */
#define STEPS 8

/* For one class and each batch length, of a good [0] and of a bad [1] variant. */
typedef struct {
	guint class;
	double silent[2][BATCHES];  /* P(no fault in the batch) */
	double entropy[2][BATCHES]; /* of that */
	double boots[2][BATCHES];   /* expected boots when a fault ends the batch */
} Forecast;

typedef struct {
	Search *s;
	const SearchCosts *costs; /* NULL: price does not matter */
	guint n_forecasts;
	Forecast *forecasts;
	double *has; /* per class: mass whose cause is in the variant at hand */
} Chooser;

typedef struct {
	SearchVariant variant;
	double untestable, fixed_s;
	double bits[BATCHES], boots[BATCHES];
	guint best;  /* batch of most bits per second */
	double rate; /* < 0: tells nothing, or is not allowed */
	double p_fault[BATCHES];
} Value;

static double dot(const double *a, const double *b, guint n)
{
	double sum = 0;

	for (guint i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static void forecast_init(const Search *s, guint class, Forecast *f)
{
	const Grid *g = s->grid;
	const Class *c = class_at(s, class);

	f->class = class;
	for (guint b = 0; b < BATCHES; b++) {
		f->silent[0][b] = dot(c->e, g->silent_e[b], g->n_e);
		f->silent[1][b] = dot(c->q, g->silent_q[b], g->n_q);
		f->boots[0][b] = dot(c->e, g->boots_e[b], g->n_e);
		f->boots[1][b] = dot(c->q, g->boots_q[b], g->n_q);
		f->entropy[0][b] = entropy2(f->silent[0][b]);
		f->entropy[1][b] = entropy2(f->silent[1][b]);
	}
}

static void chooser_init(Chooser *c, Search *s, const SearchCosts *costs)
{
	double least = NEGLIGIBLE * MAX(1 - s->leader.probability, 1e-6);

	*c = (Chooser){.s = s, .costs = costs};
	c->forecasts = g_new(Forecast, s->classes->len);
	c->has = g_new0(double, s->classes->len);
	for (guint k = 0; k < s->classes->len; k++) {
		if (class_at(s, k)->mass > least)
			forecast_init(s, k, &c->forecasts[c->n_forecasts++]);
	}
}

static void chooser_clear(Chooser *c)
{
	g_free(c->forecasts);
	g_free(c->has);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Chooser, chooser_clear)

static bool is_listed(const SearchCosts *costs, SearchVariant v)
{
	for (guint k = 0; k < costs->n_built; k++) {
		if (costs->built[k] == v)
			return true;
	}
	return false;
}

bool choice_is_built(const SearchCosts *costs, SearchVariant v)
{
	return is_listed(costs, v) || (costs->build_cost && costs->build_cost(v, costs->user) <= 0);
}

static double build_cost(const SearchCosts *costs, SearchVariant v)
{
	if (is_listed(costs, v))
		return 0;
	return costs->build_cost ? costs->build_cost(v, costs->user) : costs->build_s;
}

static double fixed_cost(const SearchCosts *costs, SearchVariant v)
{
	return build_cost(costs, v) +
	       (costs->has_loaded && costs->loaded == v ? 0 : costs->switch_s);
}

/* I(outcome of a batch; h) of §4.1 for each batch length, with q and ε summed out. */
static void evaluate(Chooser *c, SearchVariant v, Value *ret)
{
	guint causes = c->s->effect == SEARCH_CAUSES;
	double silent[BATCHES] = {0}, given_h[BATCHES] = {0};

	ret->variant = v;
	for (guint b = 0; b < BATCHES; b++)
		ret->boots[b] = 0;
	c->s->space->split(c->s, v, c->has);
	for (guint k = 0; k < c->n_forecasts; k++) {
		const Forecast *f = &c->forecasts[k];
		const Class *class = class_at(c->s, f->class);
		double has = class->has == SPLIT    ? c->has[f->class]
			     : class->has == ALWAYS ? class->mass
						    : 0;
		double bad = causes ? has : class->mass - has, good = class->mass - bad;

		for (guint b = 0; b < BATCHES; b++) {
			silent[b] += bad * f->silent[1][b] + good * f->silent[0][b];
			given_h[b] += bad * f->entropy[1][b] + good * f->entropy[0][b];
			ret->boots[b] += bad * f->boots[1][b] + good * f->boots[0][b];
		}
	}
	for (guint b = 0; b < BATCHES; b++) {
		ret->bits[b] = MAX(entropy2(MIN(silent[b], 1)) - given_h[b], 0);
		ret->p_fault[b] = MAX(1 - silent[b], 0);
	}
}

/* Bits per second of the best batch (§4.2). */
static void appraise(Chooser *c, SearchVariant v, Value *ret)
{
	const SearchCosts *costs = c->costs;
	double most = 0, doubt = MIN(DOUBT_MAX, 1 - c->s->leader.probability);

	*ret = (Value){.variant = v, .rate = -1};
	ret->untestable = search_untestable(c->s, v);
	if (variant_is_hopeless(c->s, v, ret->untestable))
		return;
	if (costs) {
		ret->fixed_s = fixed_cost(costs, v);
		if (costs->builds_left == 0 && !choice_is_built(costs, v))
			return;
		if (ret->fixed_s + costs->boot_s > costs->seconds_left)
			return;
	}
	evaluate(c, v, ret);
	for (guint b = 0; b < BATCHES; b++) {
		double seconds = costs ? ret->fixed_s + costs->boot_s * ret->boots[b] : 1;
		double rate = (1 - ret->untestable) * ret->bits[b] / MAX(seconds, 1e-3);

		most = MAX(most, ret->bits[b]);
		if (rate > ret->rate * (1 + 1e-9)) {
			ret->rate = rate;
			ret->best = b;
		}
	}
	if (most < BITS_SHARE * doubt)
		ret->rate = -1;
}

/* Equal rates are common (equal weights): the seed decides, not the numbering. */
static bool is_better(const Chooser *c, const Value *a, const Value *b)
{
	if (fabs(a->rate - b->rate) > 1e-9 * fabs(b->rate))
		return a->rate > b->rate;
	if (a->variant == b->variant)
		return false;
	return rng_hash(c->s->seed, a->variant) > rng_hash(c->s->seed, b->variant);
}

/* Adds or removes one candidate as long as that helps. */
static void climb(Chooser *c, Value *best)
{
	g_autoptr(GArray) around = g_array_new(FALSE, FALSE, sizeof(SearchVariant));

	for (guint step = 0; step < STEPS; step++) {
		SearchVariant from = best->variant;
		Value next;

		g_array_set_size(around, 0);
		c->s->space->neighbours(c->s, from, around);
		for (guint i = 0; i < around->len; i++) {
			appraise(c, g_array_index(around, SearchVariant, i), &next);
			if (next.rate > best->rate * (1 + 1e-9))
				*best = next;
		}
		if (best->variant == from)
			break;
	}
}

/*
 * How long a batch may be (§4.4): as long as one more boot of this variant, all before it silent,
 * still brings more bits per second than going over to the best other variant.
 */
static guint batch_length(const Chooser *c, const Value *v, double other_rate)
{
	guint b = v->best, enough = stop_boots_needed(c->s, leader_class(c->s));

	for (; b + 1 < BATCHES; b++) {
		double bits = v->bits[b + 1] - v->bits[b];
		double seconds = c->costs->boot_s * (v->boots[b + 1] - v->boots[b]);

		if ((1 - v->untestable) * bits < other_rate * MAX(seconds, 1e-3) || bits <= 1e-6)
			break;
	}
	return MIN(search_batches[b], enough);
}

static void clip_boots(const SearchCosts *costs, double fixed_s, SearchExperiment *e)
{
	double fit = floor((costs->seconds_left - fixed_s) / MAX(costs->boot_s, 1e-3));

	e->boots = MIN(e->boots, costs->boots_left);
	if (fit < e->boots)
		e->boots = MAX(fit, 1);
}

/* The best STARTS of the pool, best first; returns how many. */
static guint best_of_pool(Chooser *c, Value *top)
{
	g_autoptr(GArray) pool = c->s->space->pool(c->s, c->costs);
	guint n = 0;

	for (guint k = 0; k < pool->len; k++) {
		Value v;
		guint at;

		appraise(c, g_array_index(pool, SearchVariant, k), &v);
		if (v.rate < 0)
			continue;
		for (at = n; at > 0 && is_better(c, &v, &top[at - 1]); at--)
			top[at] = top[at - 1];
		if (at < STARTS) {
			top[at] = v;
			n = MIN(n + 1, STARTS);
		}
	}
	return n;
}

static guint batch_of(guint boots)
{
	guint b = 0;

	while (b + 1 < BATCHES && search_batches[b + 1] <= boots)
		b++;
	return b;
}

/* Whether the experiment wants a kernel that is not there. */
static bool needs_build(const Search *s, const SearchCosts *costs, const SearchExperiment *e)
{
	const Record *r = record_find(s, e->variant);

	if (!e->clean_build)
		return !choice_is_built(costs, e->variant);
	return !r || r->faults[2] + r->faults[3] + r->cleans[2] + r->cleans[3] == 0;
}

static bool price(Chooser *c, SearchExperiment *e)
{
	Search *s = c->s;
	const SearchCosts *costs = c->costs;
	bool build = needs_build(s, costs, e);
	double fixed_s = !build		  ? 0
			 : e->clean_build ? costs->clean_build_s
					  : build_cost(costs, e->variant);
	Value v;
	guint b;

	if (!costs->has_loaded || costs->loaded != e->variant || e->clean_build)
		fixed_s += costs->switch_s;
	if (costs->boots_left == 0 || (build && costs->builds_left == 0) ||
	    fixed_s + costs->boot_s > costs->seconds_left)
		return false;
	clip_boots(costs, fixed_s, e);
	evaluate(c, e->variant, &v);
	b = batch_of(e->boots);
	e->bits = v.bits[b];
	e->p_fault = v.p_fault[b];
	e->untestable = search_untestable(s, e->variant);
	e->cost_s = fixed_s + costs->boot_s * (e->until_fault ? v.boots[b] : e->boots);
	return true;
}

bool choice_best(Search *s, const SearchCosts *costs, SearchExperiment *ret)
{
	g_auto(Chooser) c = {0};
	Value top[STARTS + 1];
	guint n_top;
	double other = 0;

	if (costs->boots_left == 0)
		return false;
	chooser_init(&c, s, costs);
	n_top = best_of_pool(&c, top);
	if (n_top == 0)
		return false;
	for (guint k = 0; k < n_top && s->space->neighbours; k++)
		climb(&c, &top[k]);
	for (guint k = 1; k < n_top; k++) {
		if (is_better(&c, &top[k], &top[0])) {
			Value held = top[0];

			top[0] = top[k];
			top[k] = held;
		}
	}
	for (guint k = 1; k < n_top; k++)
		other = top[k].variant != top[0].variant ? MAX(other, top[k].rate) : other;
	*ret = (SearchExperiment){
		.purpose = SEARCH_SEARCH,
		.variant = top[0].variant,
		.mode = s->mode,
		.boots = batch_length(&c, &top[0], other),
		.until_fault = true,
	};
	return price(&c, ret);
}

bool choice_price(Search *s, const SearchCosts *costs, SearchExperiment *e)
{
	g_auto(Chooser) c = {0};

	chooser_init(&c, s, costs);
	return price(&c, e);
}

bool choice_is_open(Search *s)
{
	g_auto(Chooser) c = {0};
	g_autoptr(GArray) pool = s->space->pool(s, NULL);

	chooser_init(&c, s, NULL);
	for (guint k = 0; k < pool->len; k++) {
		Value v;

		appraise(&c, g_array_index(pool, SearchVariant, k), &v);
		if (v.rate >= 0)
			return true;
	}
	return false;
}
