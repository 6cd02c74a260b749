/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "simulated.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

guint64 lab_random(guint64 *state)
{
	guint64 z = (*state += G_GUINT64_CONSTANT(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

double lab_uniform(guint64 *state)
{
	return (double)(lab_random(state) >> 11) * 0x1p-53;
}

static SearchMask closed(const SearchProblem *p, SearchMask v)
{
	SearchMask before = 0;

	while (p->depends && v != before) {
		before = v;
		for (guint i = 0; i < p->n; i++)
			v |= v >> i & 1 ? p->depends[i] : 0;
	}
	return v;
}

bool lab_faults(const Lab *lab, const SearchProblem *p, SearchMask v, SearchMode mode, guint boot)
{
	SearchMask set = closed(p, lab->members);
	bool effect =
		lab->kind != SEARCH_H_NONE && (lab->kind == SEARCH_H_EMPTY || (v & set) == set);
	bool bad = effect == (p->effect == SEARCH_CAUSES);
	double q = mode == SEARCH_COLD && lab->cold_q >= 0 ? lab->cold_q : lab->q;
	guint64 state = lab->seed ^ (v * 0x2545f4914f6cdd1d) ^ ((guint64)boot << 32);

	lab_random(&state);
	return lab_uniform(&state) < (bad ? q : lab->epsilon);
}

static bool trapped(const SearchMask *traps, guint n, SearchMask v)
{
	for (guint i = 0; i < n; i++) {
		if ((v & traps[i]) == traps[i])
			return true;
	}
	return false;
}

static bool is_minimal(const LabCampaign *c, SearchMask set)
{
	for (SearchMask rest = set; rest; rest &= rest - 1) {
		SearchMask one = rest & -rest;

		if (closed(&c->problem, set & ~one) & one)
			return false;
	}
	for (guint i = 0; i < c->problem.n_conflicts; i++) {
		if ((closed(&c->problem, set) & c->conflicts[i]) == c->conflicts[i])
			return false;
	}
	return true;
}

static SearchMask draw_set(guint n, guint size, guint64 *state)
{
	SearchMask set = 0;

	while ((guint)__builtin_popcountll(set) < size)
		set |= (SearchMask)1 << lab_random(state) % n;
	return set;
}

void lab_draw(const LabKind *kind, guint number, LabCampaign *c)
{
	guint64 state = 1000 + number * 7919;

	*c = (LabCampaign){
		.lab = {.kind = kind->kind, .q = kind->q, .epsilon = kind->epsilon, .cold_q = -1},
		.problem = {.n = kind->n,
			    .max_size = kind->max_size,
			    .effect = kind->effect,
			    .depends = c->depends,
			    .conflicts = c->conflicts,
			    .n_conflicts = kind->n_conflicts,
			    .seed = number + 1},
	};
	for (guint i = 0; i < kind->n_depends; i++) {
		guint a = lab_random(&state) % kind->n, b = lab_random(&state) % kind->n;

		if (a < b)
			c->depends[b] |= (SearchMask)1 << a;
	}
	for (guint i = 0; i < kind->n_conflicts; i++)
		c->conflicts[i] = draw_set(kind->n, 2, &state);
	c->lab.seed = lab_random(&state);
	do
		c->lab.members = draw_set(kind->n, kind->size, &state);
	while (!is_minimal(c, c->lab.members));
	for (guint i = 0; i < kind->n_traps; i++) {
		SearchMask trap = draw_set(kind->n, 1, &state);

		if (trap & closed(&c->problem, c->lab.members))
			continue;
		if (i % 3 < 2)
			c->lab.unbuildable[c->lab.n_unbuildable++] = trap;
		else
			c->lab.hanging[c->lab.n_hanging++] = trap;
	}
}

typedef struct {
	SearchMask variant;
	bool untestable, permanent, fault, clean_build;
	SearchMode mode;
} Trial;

typedef struct {
	Search *s;
	GArray *trials;	    /* Trial */
	GArray *built;	    /* SearchMask */
	GHashTable *booted; /* SearchMask → number of boots */
	GHashTable *clean;  /* variants built clean */
	SearchCosts costs;
} State;

static void observe(Search *s, const Trial *t)
{
	if (t->untestable)
		search_observe_untestable(s, t->variant, t->permanent);
	else
		search_observe(s, t->variant, t->fault, !t->fault, t->mode, t->clean_build);
}

static void record(State *st, Trial trial)
{
	observe(st->s, &trial);
	g_array_append_val(st->trials, trial);
}

/* What a search that was stopped here and fed its trials from last to first would do. */
static bool replays(const State *st, const SearchProblem *p, SearchNext next,
		    const SearchExperiment *e)
{
	g_autoptr(Search) again = search_new(p, NULL);
	SearchExperiment other = {0};

	for (guint i = st->trials->len; i > 0; i--)
		observe(again, &g_array_index(st->trials, Trial, i - 1));
	if (search_next(again, &st->costs, &other) != next)
		return false;
	return next == SEARCH_DONE ||
	       (other.variant == e->variant && other.boots == e->boots && other.mode == e->mode &&
		other.purpose == e->purpose && other.clean_build == e->clean_build &&
		strcmp(other.reason, e->reason) == 0);
}

static bool ensure_built(State *st, const Lab *lab, const SearchExperiment *e, LabRun *run)
{
	if (e->clean_build) {
		if (g_hash_table_add(st->clean, g_memdup2(&e->variant, sizeof(e->variant))))
			run->builds++;
		return true;
	}
	for (guint i = 0; i < st->built->len; i++) {
		if (g_array_index(st->built, SearchMask, i) == e->variant)
			return true;
	}
	run->builds++;
	run->seconds += st->costs.build_s;
	if (trapped(lab->unbuildable, lab->n_unbuildable, e->variant))
		return false;
	g_array_append_val(st->built, e->variant);
	return true;
}

static void boot_batch(State *st, const Lab *lab, const SearchProblem *p, const SearchExperiment *e,
		       LabRun *run)
{
	guint *count = g_hash_table_lookup(st->booted, &e->variant);

	if (!count) {
		count = g_new0(guint, 1);
		g_hash_table_insert(st->booted, g_memdup2(&e->variant, sizeof(e->variant)), count);
	}
	for (guint i = 0; i < e->boots; i++) {
		bool fault;

		run->boots++;
		run->seconds += st->costs.boot_s;
		if (trapped(lab->hanging, lab->n_hanging, e->variant)) {
			record(st, (Trial){.variant = e->variant, .untestable = true});
			break;
		}
		fault = lab_faults(lab, p, e->variant, e->mode, (*count)++);
		record(st, (Trial){.variant = e->variant,
				   .fault = fault,
				   .mode = e->mode,
				   .clean_build = e->clean_build});
		if (fault && e->until_fault)
			break;
	}
}

LabRun lab_run(const Lab *lab, const SearchProblem *p, bool log)
{
	g_autoptr(Search) s = search_new(p, NULL);
	LabRun run = {0};
	State st = {0};
	SearchExperiment e;
	SearchRates rates;

	search_costs_init(&st.costs);
	st.costs.boot_s = lab->boot_s > 0 ? lab->boot_s : 5;
	st.costs.build_s = lab->build_s > 0 ? lab->build_s : 10;
	st.s = s;
	st.trials = g_array_new(FALSE, FALSE, sizeof(Trial));
	st.built = g_array_new(FALSE, FALSE, sizeof(SearchMask));
	st.booted = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	st.clean = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	for (;;) {
		gint64 start = g_get_monotonic_time();
		SearchNext next;

		st.costs.built = (const SearchMask *)(void *)st.built->data;
		st.costs.n_built = st.built->len;
		if (lab->max_boots)
			st.costs.boots_left = lab->max_boots - run.boots;
		next = search_next(s, &st.costs, &e);
		run.slowest_choice_s =
			MAX(run.slowest_choice_s, (double)(g_get_monotonic_time() - start) * 1e-6);
		run.replay_differs += lab->check_replay && !replays(&st, p, next, &e);
		if (next == SEARCH_DONE)
			break;
		run.experiments++;
		run.invalid += !search_is_valid(s, e.variant) || e.boots < 1 ||
			       e.boots > st.costs.boots_left;
		if (log)
			printf("%-9s %#10lx %s%s ×%u bits %.3f untestable %.2f cost %.0f: %s\n",
			       search_purpose_name(e.purpose), (unsigned long)e.variant,
			       e.mode == SEARCH_COLD ? "cold" : "kexec",
			       e.clean_build ? " clean" : "", e.boots, e.bits, e.untestable,
			       e.cost_s, e.reason);
		if (ensure_built(&st, lab, &e, &run))
			boot_batch(&st, lab, p, &e, &run);
		else
			record(&st, (Trial){.variant = e.variant,
					    .untestable = true,
					    .permanent = true});
		st.costs.has_loaded = true;
		st.costs.loaded = e.variant;
	}
	search_verdict(s, &run.verdict);
	search_rates(s, &rates);
	if (log) {
		printf("q %.2f (%.2f..%.2f), ε %.4f\n", rates.q_mean, rates.q_low, rates.q_high,
		       rates.e_mean);
		printf("verdict %d %s %#lx %.5f: %s (%u boots, %u builds)\n", run.verdict.kind,
		       search_why_name(run.verdict.why), (unsigned long)run.verdict.members,
		       run.verdict.probability, run.verdict.reason, run.boots, run.builds);
	}
	g_array_unref(st.trials);
	g_array_unref(st.built);
	g_hash_table_unref(st.booted);
	g_hash_table_unref(st.clean);
	return run;
}

bool lab_is_right(const Lab *lab, const SearchProblem *p, const SearchVerdict *v)
{
	bool cures = p->effect == SEARCH_CURES;

	if (v->kind == SEARCH_VERDICT_CAUSE)
		return lab->kind == SEARCH_H_SET && v->members == lab->members;
	if (v->kind == SEARCH_VERDICT_INCONCLUSIVE)
		return true; /* says nothing wrong; counted apart */
	if (lab->kind == SEARCH_H_NONE)
		return v->why == SEARCH_WHY_NO_EFFECT;
	return lab->kind == SEARCH_H_EMPTY &&
	       v->why == (cures ? SEARCH_WHY_NO_FAULT : SEARCH_WHY_BASE_FAULTS);
}
