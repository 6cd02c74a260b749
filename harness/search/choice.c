/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expected information per second, and the experiment that has most of it (docs/search.md §4). */
#include "search-internal.h"

#include <math.h>

#define BATCHES_MAX 12
#define BITS_SHARE 0.02 /* of the remaining doubt: an experiment that tells less tells nothing */
#define DOUBT_MAX 0.15
#define P_NEGLIGIBLE 1e-9 /* hypotheses below it are left out of the forecast */
#define STARTS 3	  /* of the local search */
#define STEPS 8

static const guint usual_batches[BATCHES_MAX] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};

/* For one class and each batch length: no fault in the batch, for a bad and for a good variant. */
typedef struct {
	double silent[2][BATCHES_MAX];	/* [bad] P(no fault) */
	double entropy[2][BATCHES_MAX]; /* [bad] H(P(no fault)) */
	double boots[2][BATCHES_MAX];	/* [bad] expected boots when a fault ends the batch */
} Forecast;

typedef struct {
	Search *s;
	const SearchCosts *costs; /* NULL: price does not matter */
	const guint *batches;
	guint n_batches;
	guint n_active; /* hypotheses that count */
	SearchMask *closure;
	double *p;
	guint (*weight_of)[2]; /* where its p goes: [set is applied] */
	guint n_forecasts;
	Forecast *forecasts;
	double *weight; /* [class][bad], of the variant at hand */
} Chooser;

typedef struct {
	SearchMask variant;
	double untestable, fixed_s;
	double bits[BATCHES_MAX], boots[BATCHES_MAX];
	guint best; /* batch of most bits per second */
	double rate;
	double p_fault; /* of the first boot */
} Value;

static double entropy2(double p)
{
	if (p <= 0 || p >= 1)
		return 0;
	return -p * log2(p) - (1 - p) * log2(1 - p);
}

static void forecast_init(const Search *s, const Class *c, const guint *batches, guint n,
			  Forecast *f)
{
	for (guint b = 0; b < n; b++) {
		f->silent[1][b] = class_miss(s, c, batches[b]);
		f->silent[0][b] = class_quiet(s, c, batches[b]);
		f->boots[1][b] = class_miss_boots(s, c, batches[b]);
		f->boots[0][b] = class_quiet_boots(s, c, batches[b]);
		f->entropy[1][b] = entropy2(f->silent[1][b]);
		f->entropy[0][b] = entropy2(f->silent[0][b]);
	}
}

static void chooser_init(Chooser *c, Search *s, const SearchCosts *costs, const guint *batches,
			 guint n_batches)
{
	g_autofree guint *slot = g_new0(guint, s->classes->len); /* 1 + forecast of the class */

	*c = (Chooser){.s = s, .costs = costs, .batches = batches, .n_batches = n_batches};
	c->closure = g_new(SearchMask, s->n_h);
	c->p = g_new(double, s->n_h);
	c->weight_of = g_malloc_n(s->n_h, sizeof(*c->weight_of));
	c->forecasts = g_new0(Forecast, s->classes->len);
	for (guint i = 0; i < s->n_h; i++) {
		guint k = s->class_of[i];

		if (s->p[i] < P_NEGLIGIBLE)
			continue;
		if (!slot[k]) {
			forecast_init(s, class_of(s, i), batches, n_batches,
				      &c->forecasts[c->n_forecasts]);
			slot[k] = ++c->n_forecasts;
		}
		for (guint applied = 0; applied < 2; applied++) {
			bool has_effect = applied && s->h[i].kind != SEARCH_H_NONE;

			c->weight_of[c->n_active][applied] =
				2 * (slot[k] - 1) + (has_effect == (s->effect == SEARCH_CAUSES));
		}
		c->closure[c->n_active] = s->h[i].closure;
		c->p[c->n_active++] = s->p[i];
	}
	c->weight = g_new(double, 2 * (gsize)c->n_forecasts);
}

static void chooser_clear(Chooser *c)
{
	g_free(c->closure);
	g_free(c->p);
	g_free(c->weight_of);
	g_free(c->forecasts);
	g_free(c->weight);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Chooser, chooser_clear)

static bool is_built(const SearchCosts *costs, SearchMask v)
{
	for (guint k = 0; k < costs->n_built; k++) {
		if (costs->built[k] == v)
			return true;
	}
	return false;
}

static double fixed_cost(const SearchCosts *costs, SearchMask v)
{
	double sum = is_built(costs, v) ? 0 : costs->build_s;

	return sum + (costs->has_loaded && costs->loaded == v ? 0 : costs->switch_s);
}

/* I(outcome of a batch; h) of §4.1 for each batch length, with q and ε summed out. */
static void evaluate(Chooser *c, SearchMask v, Value *ret)
{
	ret->variant = v;
	for (guint k = 0; k < 2 * c->n_forecasts; k++)
		c->weight[k] = 0;
	for (guint i = 0; i < c->n_active; i++) {
		bool applied = (v & c->closure[i]) == c->closure[i];

		c->weight[c->weight_of[i][applied]] += c->p[i];
	}
	for (guint b = 0; b < c->n_batches; b++) {
		double silent = 0, given_h = 0, boots = 0;

		for (guint k = 0; k < c->n_forecasts; k++) {
			const Forecast *f = &c->forecasts[k];

			for (guint bad = 0; bad < 2; bad++) {
				double w = c->weight[2 * k + bad];

				silent += w * f->silent[bad][b];
				given_h += w * f->entropy[bad][b];
				boots += w * f->boots[bad][b];
			}
		}
		ret->bits[b] = MAX(entropy2(silent) - given_h, 0);
		ret->boots[b] = boots;
		if (b == 0)
			ret->p_fault = 1 - silent;
	}
}

/* Bits per second of the best batch (§4.2); rate < 0 when the variant is not worth or not allowed.
 */
static void appraise(Chooser *c, SearchMask v, Value *ret)
{
	const SearchCosts *costs = c->costs;
	double most = 0;

	*ret = (Value){.variant = v, .rate = -1};
	ret->untestable = search_untestable(c->s, v);
	if (variant_is_hopeless(c->s, v))
		return;
	if (costs) {
		ret->fixed_s = fixed_cost(costs, v);
		if (costs->builds_left == 0 && !is_built(costs, v))
			return;
		if (ret->fixed_s + costs->boot_s > costs->seconds_left)
			return;
	}
	evaluate(c, v, ret);
	for (guint b = 0; b < c->n_batches; b++) {
		double seconds = costs ? ret->fixed_s + costs->boot_s * ret->boots[b] : 1;
		double rate = (1 - ret->untestable) * ret->bits[b] / MAX(seconds, 1e-3);

		most = MAX(most, ret->bits[b]);
		if (rate > ret->rate * (1 + 1e-9)) {
			ret->rate = rate;
			ret->best = b;
		}
	}
	if (most < BITS_SHARE * MIN(DOUBT_MAX, 1 - c->s->p[c->s->leader]))
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
	for (guint step = 0; step < STEPS; step++) {
		SearchMask from = best->variant;
		Value next;

		for (guint i = 0; i < c->s->n; i++) {
			SearchMask v = from >> i & 1 ? variant_remove(c->s, from, i)
						     : variant_add(c->s, from, i);

			if (!search_is_valid(c->s, v))
				continue;
			appraise(c, v, &next);
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
	guint b = v->best, enough = stop_boots_needed(c->s, class_of(c->s, c->s->leader));

	for (; b + 1 < c->n_batches; b++) {
		double bits = v->bits[b + 1] - v->bits[b];
		double seconds = c->costs->boot_s * (v->boots[b + 1] - v->boots[b]);

		if ((1 - v->untestable) * bits < other_rate * MAX(seconds, 1e-3) || bits <= 1e-6)
			break;
	}
	return MIN(c->batches[b], enough);
}

static void describe(Search *s, const Value *v, SearchExperiment *e)
{
	g_autofree char *leading = mask_names(s, s->h[s->leader].members);
	const char *lead = s->h[s->leader].kind == SEARCH_H_NONE    ? "no effect"
			   : s->h[s->leader].kind == SEARCH_H_EMPTY ? "nothing to find"
								    : leading;

	g_snprintf(e->reason, sizeof(e->reason),
		   "splits the hypotheses: a fault has probability %.2f (leading: %s, %.3g)",
		   v->p_fault, lead, s->p[s->leader]);
}

static void clip_boots(const SearchCosts *costs, double fixed_s, SearchExperiment *e)
{
	double fit = floor((costs->seconds_left - fixed_s) / MAX(costs->boot_s, 1e-3));

	e->boots = MIN(e->boots, costs->boots_left);
	if (fit < e->boots)
		e->boots = MAX(fit, 1);
}

bool choice_best(Search *s, const SearchCosts *costs, SearchExperiment *ret)
{
	g_auto(Chooser) c = {0};
	g_autoptr(GArray) pool = variants_worth_trying(s, costs);
	Value top[STARTS + 1];
	guint n_top = 0;
	double other = 0;

	if (costs->boots_left == 0)
		return false;
	chooser_init(&c, s, costs, usual_batches, BATCHES_MAX);
	for (guint k = 0; k < pool->len; k++) {
		Value v;
		guint at;

		appraise(&c, g_array_index(pool, SearchMask, k), &v);
		if (v.rate < 0)
			continue;
		for (at = n_top; at > 0 && is_better(&c, &v, &top[at - 1]); at--)
			top[at] = top[at - 1];
		if (at < STARTS) {
			top[at] = v;
			n_top = MIN(n_top + 1, STARTS);
		}
	}
	if (n_top == 0)
		return false;
	for (guint k = 0; k < n_top; k++)
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
	describe(s, &top[0], ret);
	return choice_price(s, costs, ret);
}

bool choice_price(Search *s, const SearchCosts *costs, SearchExperiment *e)
{
	g_auto(Chooser) c = {0};
	const Variant *own = variant_find(s, e->variant);
	bool needs_build = e->clean_build
				   ? !own || own->faults[2] + own->faults[3] + own->cleans[2] +
							     own->cleans[3] ==
						     0
				   : !is_built(costs, e->variant);
	double fixed_s = needs_build ? (e->clean_build ? costs->clean_build_s : costs->build_s) : 0;
	Value v;

	if (!costs->has_loaded || costs->loaded != e->variant || e->clean_build)
		fixed_s += costs->switch_s;
	if (costs->boots_left == 0 || (needs_build && costs->builds_left == 0) ||
	    fixed_s + costs->boot_s > costs->seconds_left)
		return false;
	clip_boots(costs, fixed_s, e);
	chooser_init(&c, s, costs, &e->boots, 1);
	evaluate(&c, e->variant, &v);
	e->bits = v.bits[0];
	e->untestable = search_untestable(s, e->variant);
	e->cost_s = fixed_s + costs->boot_s * (e->until_fault ? v.boots[0] : e->boots);
	return true;
}

bool choice_is_open(Search *s)
{
	g_auto(Chooser) c = {0};
	g_autoptr(GArray) pool = variants_worth_trying(s, NULL);

	chooser_init(&c, s, NULL, usual_batches, BATCHES_MAX);
	for (guint k = 0; k < pool->len; k++) {
		Value v;

		appraise(&c, g_array_index(pool, SearchMask, k), &v);
		if (v.rate >= 0)
			return true;
	}
	return false;
}
