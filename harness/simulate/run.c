/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many trials of one case with one policy, on several threads; the figures do not depend on them.
 */
#include <math.h>

#include "simulate/parallel.h"
#include "simulate/policy.h"

typedef struct {
	bool counted, verdict, right;
	double claimed, bound;
	LabCounts cost;
	guint choices;
	double choose_s, choose_s_max;
} Trial;

typedef struct {
	const SimCase *c;
	const SimPolicy *policy;
	guint n;
	Trial *trials;
} Work;

static bool same_pair(InitcallSwap a, InitcallSwap b)
{
	return a.late == b.late && a.early == b.early;
}

static bool is_right_order(const SimOrders *t, const OrderVerdict *v)
{
	OrderClaim want = t->n_pairs == 1 ? ORDER_ONE : t->either ? ORDER_EITHER : ORDER_BOTH;
	if (v->claim != want || v->n_pairs != t->n_pairs)
		return false;
	if (t->n_pairs == 1)
		return same_pair(v->pair[0], t->pair[0]);
	guint at = same_pair(v->pair[0], t->pair[1]);
	return same_pair(v->pair[0], t->pair[at]) && same_pair(v->pair[1], t->pair[1 - at]);
}

static bool is_right(const SimTruth *t, const SimCase *c, guint stage, const SimClaim *claim)
{
	if (c->space == SIM_PRECEDENCE)
		return is_right_order(t->orders, &claim->order);
	if (claim->kind != t->kind)
		return false;
	if (t->kind != SEARCH_H_SET)
		return t->kind != SEARCH_H_EITHER || claim->members == t->members;
	if (c->space == SIM_ORDER)
		return claim->members == t->threshold[stage];
	if (c->space == SIM_HISTORY)
		return claim->members == t->members;
	return sim_graph_closure(&t->graph, claim->members) == t->closure[0];
}

/* Order with two precedences: one search after the other, each on its path. */
static void search_stage(const Work *w, Lab *lab, const SimTruth *truth, guint stage, Trial *r)
{
	SimClaim claim = {0};
	lab_set_stage(lab, stage);
	w->policy->run(w->policy, lab, &claim);
	r->verdict &= claim.verdict;
	r->right &= claim.verdict && is_right(truth, w->c, stage, &claim);
	r->claimed *= claim.probability;
	r->choices += claim.choices;
	r->choose_s += claim.choose_s;
	r->choose_s_max = fmax(r->choose_s_max, claim.choose_s_max);
}

static void run_trial(guint number, gpointer user)
{
	const Work *w = user;
	Trial *r = &w->trials[number];
	SimTruth truth;
	sim_truth_draw(w->c, number, &truth);
	g_autoptr(Lab) lab = lab_new(w->c, &truth, number);
	guint stages = w->c->space == SIM_ORDER ? w->c->d : 1;
	*r = (Trial){.verdict = true, .right = true, .claimed = 1, .bound = truth.bound};
	for (guint stage = 0; stage < stages && r->verdict; stage++)
		search_stage(w, lab, &truth, stage, r);
	r->cost = lab_counts(lab);
	r->counted = true;
	sim_truth_clear(&truth);
}

static void count_trial(const Trial *t, SimRow *row, double *claimed, guint *verdicts, guint *right)
{
	row->boots_mean += t->cost.boots;
	row->builds_mean += t->cost.builds;
	row->switches_mean += t->cost.switches;
	row->minutes_mean += t->cost.seconds / 60;
	row->bound += t->bound;
	row->inconclusive += !t->verdict;
	row->wrong += t->verdict && !t->right;
	if (!t->verdict)
		return;
	(*verdicts)++;
	*right += t->right;
	*claimed += t->claimed;
}

static void time_choices(const Work *w, SimRow *row)
{
	double sum = 0, most = 0;
	guint64 n = 0;
	for (guint i = 0; i < w->n; i++) {
		sum += w->trials[i].choose_s;
		n += w->trials[i].choices;
		most = fmax(most, w->trials[i].choose_s_max);
	}
	row->choose_ms_mean = n ? 1000 * sum / (double)n : NAN;
	row->choose_ms_max = n ? 1000 * most : NAN;
}

static bool summarise(const Work *w, SimRow *ret)
{
	SimRow row = {.c = *w->c, .policy = w->policy->name};
	g_autofree double *boots = g_new(double, w->n);
	double claimed = 0;
	guint verdicts = 0, right = 0;
	for (guint i = 0; i < w->n; i++) {
		const Trial *t = &w->trials[i];
		if (!t->counted)
			continue;
		boots[row.trials++] = t->cost.boots;
		count_trial(t, &row, &claimed, &verdicts, &right);
	}
	if (!row.trials)
		return false;
	double *const means[] = {&row.boots_mean,   &row.builds_mean, &row.switches_mean,
				 &row.minutes_mean, &row.bound,	      &row.inconclusive,
				 &row.wrong};
	for (guint i = 0; i < G_N_ELEMENTS(means); i++)
		*means[i] /= row.trials;
	row.boots_p95 = sim_quantile(boots, row.trials, 0.95);
	row.ratio = row.boots_mean / row.bound;
	row.right = verdicts ? (double)right / verdicts : NAN;
	row.claimed = verdicts ? claimed / verdicts : NAN;
	time_choices(w, &row);
	*ret = row;
	return true;
}

bool sim_run(const SimCase *c, const SimPolicy *policy, guint trials, guint threads,
	     SimProgress progress, gpointer user, SimRow *ret)
{
	Work w = {.c = c, .policy = policy, .n = trials, .trials = g_new0(Trial, trials)};
	sim_parallel(trials, threads, run_trial, &w, progress, user);
	bool ok = summarise(&w, ret);
	g_free(w.trials);
	return ok;
}
