/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A search in simulated time: some targets boot, one builder builds, and the truth is drawn from
 * the prior. */
#include "simulate/plan.h"

#include <math.h>

#include "simulate/lab.h"
#include "simulate/parallel.h"

#define MOST_BOOTS 20000 /* of one search: it will not end */

typedef struct {
	SearchVariant variant;
	guint64 clean;
} KernelKey;

typedef struct {
	KernelKey key;
	double ready_s; /* when it was, or will be, built */
	guint boots;
} Kernel;

typedef struct {
	bool busy, has_loaded;
	KernelKey loaded;
	SearchExperiment e;
	guint faults, cleans;
	double ends_s;
} Target;

typedef struct {
	bool counted;
	SearchVerdictKind verdict;
	bool wrong;
	double seconds;
	guint boots, builds;
} Draw;

typedef struct {
	const SimPlan *plan;
	const Search *prior;
	SearchHypothesis *hypotheses;
	guint n_hypotheses;
	Draw *draws;
} Plan;

/* One search. */
typedef struct {
	const Plan *p;
	Search *search;
	SearchHypothesis truth;
	SearchVariant closure[2];
	guint8 *descends; /* history with merges: the commits that hold the truth */
	guint64 seed;
	GHashTable *compiled, *booted; /* Kernel by key: what is built, what was booted */
	Target *targets;
	double now_s, builder_free_s;
	guint boots, builds;
} Night;

static guint key_hash(gconstpointer p)
{
	const KernelKey *k = p;
	return (guint)sim_hash(k->variant, k->clean, 0, 0);
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	const KernelKey *x = a, *y = b;
	return x->variant == y->variant && x->clean == y->clean;
}

static Kernel *kernel_of(GHashTable *table, SearchVariant v, bool clean)
{
	KernelKey key = {v, clean};
	Kernel *k = g_hash_table_lookup(table, &key);
	if (!k) {
		k = g_new0(Kernel, 1);
		*k = (Kernel){.key = key, .ready_s = -1};
		g_hash_table_insert(table, &k->key, k);
	}
	return k;
}

/* ---- the truth ---- */

static void find_descendants(Night *n)
{
	const SearchProblem *p = n->p->plan->problem;
	n->descends = g_new0(guint8, p->n + 1);
	n->descends[n->truth.members] = 1;
	for (guint i = (guint)n->truth.members + 1; i <= p->n; i++)
		for (guint k = p->parent_start[i - 1]; k < p->parent_start[i]; k++)
			n->descends[i] |= n->descends[p->parents[k]];
}

static void draw_truth(Night *n)
{
	double at = sim_uniform(sim_hash(n->seed, 1, 0, 0));
	guint i = 0;
	while (i + 1 < n->p->n_hypotheses && at >= n->p->hypotheses[i].probability)
		at -= n->p->hypotheses[i++].probability;
	n->truth = n->p->hypotheses[i];
	SearchMask members = n->truth.members;
	bool line = n->p->plan->problem->space == &search_history;
	if (line && n->p->plan->problem->parents && n->truth.kind == SEARCH_H_SET)
		find_descendants(n);
	if (line || n->truth.kind == SEARCH_H_NONE || n->truth.kind == SEARCH_H_EMPTY)
		return;
	SearchMask first = n->truth.kind == SEARCH_H_EITHER ? members & -members : members;
	n->closure[0] = search_closure(n->p->prior, first);
	n->closure[1] = search_closure(n->p->prior, members == first ? first : members & ~first);
}

static bool has_effect(const Night *n, SearchVariant v)
{
	switch (n->truth.kind) {
	case SEARCH_H_NONE:
		return false;
	case SEARCH_H_EMPTY:
		return true;
	default:
		break;
	}
	if (n->descends)
		return n->descends[v];
	if (n->p->plan->problem->space == &search_history)
		return v >= n->truth.members;
	return (v & n->closure[0]) == n->closure[0] || (v & n->closure[1]) == n->closure[1];
}

static bool faults(Night *n, SearchVariant v, guint boot)
{
	const SimPlan *p = n->p->plan;
	bool bad = has_effect(n, v) == (p->problem->effect == SEARCH_CAUSES);
	return sim_uniform(sim_hash(n->seed, 2, v, boot)) < (bad ? p->q : p->eps);
}

/* ---- the night ---- */

static SearchVariant compiled(const Night *n, SearchVariant v)
{
	const SimPlan *p = n->p->plan;
	return p->compiled ? p->compiled(v, p->user) : v;
}

static double build_cost(SearchVariant v, gpointer user)
{
	Night *n = user;
	KernelKey key = {compiled(n, v), 0};
	return g_hash_table_contains(n->compiled, &key) ? 0 : n->p->plan->build_s;
}

/* When its kernel is there. */
static double build(Night *n, const SearchExperiment *e)
{
	Kernel *k = kernel_of(n->compiled, compiled(n, e->variant), e->clean_build);
	const SimPlan *p = n->p->plan;
	if (k->ready_s < 0) {
		n->builder_free_s = fmax(n->now_s, n->builder_free_s) +
				    (e->clean_build ? p->clean_build_s : p->build_s);
		k->ready_s = n->builder_free_s;
		n->builds++;
	}
	return fmax(k->ready_s, n->now_s);
}

static void start(Night *n, Target *t)
{
	const SearchExperiment *e = &t->e;
	Kernel *k = kernel_of(n->booted, e->variant, e->clean_build);
	t->ends_s = build(n, e);
	if (!t->has_loaded || !key_equal(&t->loaded, &k->key))
		t->ends_s += n->p->plan->switch_s;
	t->faults = t->cleans = 0;
	while (t->faults + t->cleans < e->boots && !(t->faults && e->until_fault)) {
		bool fault = faults(n, e->variant, k->boots++);
		t->faults += fault;
		t->cleans += !fault;
		t->ends_s += n->p->plan->boot_s;
		n->boots++;
	}
	t->busy = t->has_loaded = true;
	t->loaded = k->key;
}

static bool choose(Night *n, Target *t)
{
	const SimPlan *p = n->p->plan;
	SearchCosts c;
	g_autofree SearchPending *pending = g_new0(SearchPending, p->targets);
	search_costs_init(&c);
	c.boot_s = fmax(p->boot_s, 1e-3);
	c.build_s = p->build_s;
	c.clean_build_s = p->clean_build_s;
	c.switch_s = p->switch_s;
	c.has_loaded = t->has_loaded && !t->loaded.clean;
	c.loaded = t->loaded.variant;
	c.build_cost = build_cost;
	c.user = n;
	c.pending = pending;
	for (guint i = 0; i < p->targets; i++)
		if (n->targets[i].busy)
			pending[c.n_pending++] =
				(SearchPending){n->targets[i].e.variant, n->targets[i].e.boots};
	return search_next(n->search, &c, &t->e) == SEARCH_EXPERIMENT;
}

/* The target that is done first; NULL: none is busy. */
static Target *first_done(Night *n)
{
	Target *first = NULL;
	for (guint i = 0; i < n->p->plan->targets; i++) {
		Target *t = &n->targets[i];
		if (t->busy && (!first || t->ends_s < first->ends_s))
			first = t;
	}
	return first;
}

static void search_all(Night *n)
{
	for (;;) {
		for (guint i = 0; i < n->p->plan->targets; i++)
			if (!n->targets[i].busy && n->boots < MOST_BOOTS &&
			    choose(n, &n->targets[i]))
				start(n, &n->targets[i]);
		Target *t = first_done(n);
		if (!t)
			break;
		n->now_s = t->ends_s;
		t->busy = false;
		search_observe(n->search, t->e.variant, t->faults, t->cleans, t->e.mode,
			       t->e.clean_build);
	}
}

static bool is_wrong(const Night *n, const SearchVerdict *v)
{
	if (v->kind == SEARCH_VERDICT_CAUSE)
		return n->truth.kind != v->leading.kind || n->truth.members != v->members;
	/* 'Nothing faults' is right when nothing causes it, too. */
	return v->kind == SEARCH_VERDICT_NONE && n->truth.kind != SEARCH_H_NONE &&
	       n->truth.kind != SEARCH_H_EMPTY;
}

static void run_draw(guint number, gpointer user)
{
	Plan *p = user;
	g_autoptr(Search) search = search_new(p->plan->problem, NULL);
	Night n = {
		.p = p,
		.search = search,
		.seed = sim_hash(p->plan->seed, number, 0, 0),
		.compiled = g_hash_table_new_full(key_hash, key_equal, NULL, g_free),
		.booted = g_hash_table_new_full(key_hash, key_equal, NULL, g_free),
		.targets = g_new0(Target, p->plan->targets),
		.now_s = p->plan->start_s,
	};
	SearchVerdict v = {0};
	draw_truth(&n);
	search_all(&n);
	search_verdict(search, &v);
	p->draws[number] = (Draw){.counted = true,
				  .verdict = v.kind,
				  .wrong = is_wrong(&n, &v),
				  .seconds = n.now_s,
				  .boots = n.boots,
				  .builds = n.builds};
	g_free(n.descends);
	g_free(n.targets);
	g_hash_table_unref(n.compiled);
	g_hash_table_unref(n.booted);
}

/* ---- counting ---- */

static SimSpread spread(double *values, guint n)
{
	SimSpread out = {0};
	for (guint i = 0; i < n; i++)
		out.mean += values[i] / n;
	out.low = sim_quantile(values, n, 0.05);
	out.median = sim_quantile(values, n, 0.5);
	out.high = sim_quantile(values, n, 0.95);
	return out;
}

static bool summarise(const Plan *p, SimForecast *ret)
{
	const SimPlan *plan = p->plan;
	SimForecast f = {0};
	g_autofree double *seconds = g_new(double, plan->draws);
	g_autofree double *boots = g_new(double, plan->draws), *builds = g_new(double, plan->draws);
	for (guint i = 0; i < plan->draws; i++) {
		const Draw *d = &p->draws[i];
		if (!d->counted)
			continue;
		seconds[f.draws] = d->seconds;
		boots[f.draws] = d->boots;
		builds[f.draws++] = d->builds;
		f.cause += d->verdict == SEARCH_VERDICT_CAUSE;
		f.none += d->verdict == SEARCH_VERDICT_NONE;
		f.inconclusive += d->verdict == SEARCH_VERDICT_INCONCLUSIVE;
		f.wrong += d->wrong;
		f.over_budget += d->seconds > plan->seconds || d->boots > plan->boots ||
				 d->builds > plan->builds;
	}
	if (!f.draws)
		return false;
	double *const shares[] = {&f.cause, &f.none, &f.inconclusive, &f.wrong, &f.over_budget};
	for (guint i = 0; i < G_N_ELEMENTS(shares); i++)
		*shares[i] /= f.draws;
	f.seconds = spread(seconds, f.draws);
	f.boots = spread(boots, f.draws);
	f.builds = spread(builds, f.draws);
	*ret = f;
	return true;
}

bool sim_plan(const SimPlan *plan, guint threads, SimProgress progress, gpointer user,
	      SimForecast *ret, GError **error)
{
	g_autoptr(Search) prior = search_new(plan->problem, error);
	if (!prior)
		return false;
	Plan p = {.plan = plan, .prior = prior, .draws = g_new0(Draw, plan->draws)};
	p.hypotheses = search_ranking(prior, search_n_hypotheses(prior), &p.n_hypotheses);
	sim_parallel(plan->draws, threads, run_draw, &p, progress, user);
	bool ok = summarise(&p, ret);
	g_free(p.hypotheses);
	g_free(p.draws);
	return ok;
}
