/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds and boots in simulated time. The outcome of boot number b of variant v in trial t is a
 * function of (seed, t, v, b), whoever asks. */
#include "simulate/lab.h"

#include <math.h>

#define INFRA_SHARE 0.05
#define DRIFT_PERIOD 200.0 /* boots */
#define DRIFT_SHARE 0.5
#define SANE_FACTOR 10 /* boots, in bounds; then a search is lost */
#define SANE_LEAST 3000
#define SANE_BUILDS 500

typedef struct {
	SearchVariant variant;
	gint64 place; /* stage, and whether compiled from nothing */
	guint boots;
	bool tried, ok;
} Kernel;

struct Lab {
	const SimCase *c;
	const SimTruth *truth;
	guint64 seed; /* of this trial */
	guint stage, most_boots;
	const guint *order;
	guint64 lots, infra;
	GHashTable *kernels; /* Kernel, a set */
	Kernel *last, *loaded;
	LabCounts counts;
};

static guint kernel_hash(gconstpointer p)
{
	const Kernel *k = p;
	return (guint)sim_hash(k->variant, (guint64)k->place, 0, 0);
}

static gboolean kernel_equal(gconstpointer a, gconstpointer b)
{
	const Kernel *x = a, *y = b;
	return x->variant == y->variant && x->place == y->place;
}

Lab *lab_new(const SimCase *c, const SimTruth *truth, guint number)
{
	Lab *lab = g_new0(Lab, 1);
	double bound = isnan(truth->bound) ? 0 : truth->bound;
	lab->c = c;
	lab->truth = truth;
	lab->seed = sim_hash(c->seed, number, 0x6c6162, 0);
	lab->most_boots = (guint)fmax(SANE_LEAST, SANE_FACTOR * bound);
	lab->kernels = g_hash_table_new_full(kernel_hash, kernel_equal, g_free, NULL);
	return lab;
}

void lab_free(Lab *lab)
{
	if (!lab)
		return;
	g_hash_table_unref(lab->kernels);
	g_free(lab);
}

static Kernel *kernel(Lab *lab, SearchVariant v, bool clean_build)
{
	Kernel key = {.variant = v, .place = lab->stage << 1 | clean_build};
	if (lab->last && kernel_equal(lab->last, &key))
		return lab->last;
	Kernel *k = g_hash_table_lookup(lab->kernels, &key);
	if (!k) {
		k = g_memdup2(&key, sizeof(key));
		g_hash_table_add(lab->kernels, k);
	}
	lab->last = k;
	return k;
}

static bool compiles(const Lab *lab, SearchVariant v)
{
	const SimTruth *t = lab->truth;
	if (lab->c->space == SIM_HISTORY)
		return !t->broken || !t->broken[v];
	if (lab->c->space == SIM_PRECEDENCE)
		return sim_orders_boots(t->orders, lab->order);
	return lab->c->space == SIM_ORDER || !(v & t->unbuildable);
}

static bool build(Lab *lab, Kernel *k)
{
	if (k->tried)
		return k->ok;
	k->tried = true;
	k->ok = compiles(lab, k->variant);
	lab->counts.builds++;
	lab->counts.seconds += k->place & 1 ? lab->c->clean_build_s : lab->c->build_s;
	return k->ok;
}

bool lab_build(Lab *lab, SearchVariant v, bool clean_build)
{
	return build(lab, kernel(lab, v, clean_build));
}

static bool has_effect(const Lab *lab, SearchVariant v)
{
	const SimTruth *t = lab->truth;
	if (t->kind == SEARCH_H_NONE || t->kind == SEARCH_H_EMPTY)
		return t->kind == SEARCH_H_EMPTY;
	if (lab->c->space == SIM_HISTORY)
		return v >= t->members;
	if (lab->c->space == SIM_ORDER)
		return v >= t->threshold[lab->stage];
	if (lab->c->space == SIM_PRECEDENCE)
		return sim_orders_bad(t->orders, lab->order);
	return (v & t->closure[0]) == t->closure[0] ||
	       (t->kind == SEARCH_H_EITHER && (v & t->closure[1]) == t->closure[1]);
}

static double fault_rate(const Lab *lab, SearchVariant v)
{
	const SimTruth *t = lab->truth;
	if (has_effect(lab, v) != (lab->c->effect == SEARCH_CAUSES))
		return t->good_rate;
	if (lab->c->trouble != SIM_DRIFT)
		return t->bad_rate;
	double wave = sin(2 * G_PI * (lab->counts.boots / DRIFT_PERIOD + t->phase));
	return fmin(t->bad_rate * (1 + DRIFT_SHARE * wave), 1);
}

LabOutcome lab_boot(Lab *lab, SearchVariant v, bool clean_build)
{
	Kernel *k = kernel(lab, v, clean_build);
	if (!build(lab, k))
		return LAB_UNBUILDABLE;
	if (lab->loaded != k) {
		lab->counts.switches += lab->loaded != NULL;
		lab->counts.seconds += lab->c->switch_s;
		lab->loaded = k;
	}
	/* Once more as long as the lab itself fails. */
	do {
		lab->counts.boots++;
		lab->counts.seconds += lab->c->boot_s;
	} while (lab->c->trouble == SIM_INFRA &&
		 sim_uniform(sim_hash(lab->seed, 0x696e667261, lab->infra++, 0)) < INFRA_SHARE);
	guint64 hash = sim_hash(lab->seed, v, (guint64)k->place, k->boots++);
	return sim_uniform(hash) < fault_rate(lab, v) ? LAB_FAULT : LAB_CLEAN;
}

LabOutcome lab_boots(Lab *lab, SearchVariant v, guint most, guint *ret_cleans)
{
	guint cleans = 0;
	LabOutcome last = LAB_CLEAN;
	while (cleans < most && last == LAB_CLEAN) {
		last = lab_boot(lab, v, false);
		cleans += last == LAB_CLEAN;
	}
	if (ret_cleans)
		*ret_cleans = cleans;
	return last;
}

const SimCase *lab_case(const Lab *lab)
{
	return lab->c;
}

const SimTruth *lab_truth(const Lab *lab)
{
	return lab->truth;
}

const SimGraph *lab_graph(const Lab *lab)
{
	return &lab->truth->graph;
}

guint lab_length(const Lab *lab)
{
	guint n = lab->c->n;
	return lab->c->space == SIM_ORDER ? n * (n - 1) / 2 : n;
}

bool lab_is_built(const Lab *lab, SearchVariant v)
{
	Kernel key = {.variant = v, .place = lab->stage << 1};
	const Kernel *k = g_hash_table_lookup(lab->kernels, &key);
	return k && k->tried;
}

bool lab_is_spent(const Lab *lab)
{
	return lab->counts.boots >= lab->most_boots ||
	       lab->counts.builds >= SANE_BUILDS + 10 * lab->c->n;
}

guint lab_boots_left(const Lab *lab)
{
	return lab->most_boots - MIN(lab->counts.boots, lab->most_boots);
}

guint64 lab_random(Lab *lab)
{
	return sim_hash(lab->seed, 0x6c6f74, lab->lots++, 0);
}

LabCounts lab_counts(const Lab *lab)
{
	return lab->counts;
}

void lab_set_stage(Lab *lab, guint stage)
{
	lab->stage = stage;
	lab->last = NULL;
}

guint lab_stage(const Lab *lab)
{
	return lab->stage;
}

void lab_set_order(Lab *lab, const guint *order)
{
	lab->order = order;
}
