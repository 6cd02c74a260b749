/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "simulate/policy.h"

const SimPolicy *const sim_policies[] = {
	&sim_fixed_1,	   &sim_fixed_10,    &sim_fixed_kstar, &sim_syzkaller, &sim_two_rates_95,
	&sim_two_rates_99, &sim_misses_only, &sim_greedy_told, &sim_ddmin,     &sim_probdd,
	&sim_prefix,	   &sim_kexsect,     &sim_proof,       NULL,
};

const SimPolicy *sim_policy_find(const char *name)
{
	for (const SimPolicy *const *p = sim_policies; *p; p++)
		if (g_str_equal((*p)->name, name))
			return *p;
	return NULL;
}

bool sim_policy_can(const SimPolicy *p, SimSpace space)
{
	unsigned kind = space == SIM_HISTORY	  ? SIM_LINES
			: space == SIM_ORDER	  ? SIM_PATHS
			: space == SIM_PRECEDENCE ? SIM_ORDERS
						  : SIM_SETS;
	return p->can & kind;
}
