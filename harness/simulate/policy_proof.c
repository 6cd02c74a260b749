/* SPDX-License-Identifier: GPL-2.0-or-later */
/* No way to search, but the least that one can need: it knows the culprit and only proves it, with
 * the same model and the same prior of the rates as `kexsect`. It boots the culprit until it has
 * faulted some times, and its parent until the posterior is enough. */
#include <math.h>

#include "simulate/policy.h"

static double probability(Search *s, SearchMask commit)
{
	guint n;
	g_autofree SearchHypothesis *best = search_ranking(s, 1, &n);
	return best[0].members == commit ? best[0].probability : 0;
}

static bool boot(Lab *lab, Search *s, SearchVariant v)
{
	bool fault = lab_boot(lab, v, false) == LAB_FAULT;
	search_observe(s, v, fault, !fault, SEARCH_KEXEC, false);
	return fault;
}

static void run(const SimPolicy *self, Lab *lab, SimClaim *ret)
{
	const SimCase *c = lab_case(lab);
	const SimTruth *truth = lab_truth(lab);
	bool causes = c->effect == SEARCH_CAUSES;
	SearchProblem p = {
		.space = &search_history,
		.n = lab_length(lab),
		.effect = c->effect,
		.quiet = true,
	};
	g_autoptr(Search) s = search_new(&p, NULL);
	if (!s || truth->kind != SEARCH_H_SET || truth->broken)
		return;
	SearchVariant bad = truth->members - !causes, good = truth->members - causes;
	/* Best by trial: 6 faults for 32 commits, 8 for 128, 10 for 1024 at q = 0.3. */
	guint faults = 0, want = (guint)log2(p.n) + 1;
	while (faults < want && !lab_is_spent(lab))
		faults += boot(lab, s, bad);
	while (probability(s, truth->members) < c->confidence && !lab_is_spent(lab))
		boot(lab, s, good);
	*ret = (SimClaim){
		.verdict = !lab_is_spent(lab),
		.kind = SEARCH_H_SET,
		.members = truth->members,
		.probability = probability(s, truth->members),
	};
}

const SimPolicy sim_proof = {
	.name = "proof",
	.title = "knows the culprit, and only proves it: a bound, not a policy",
	.can = SIM_LINES,
	.run = run,
};
