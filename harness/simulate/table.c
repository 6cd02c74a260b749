/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows for people and for programs. */
#include <math.h>

#include "base/json.h"
#include "simulate/simulate.h"

#define NAME_WIDTH 24 /* "robustness" cases: "patches, second-fault" */
#define POLICY_WIDTH 20

/* "name" or "name, trouble". */
static char *case_name(const SimCase *c)
{
	if (c->trouble == SIM_NO_TROUBLE)
		return g_strdup_printf("%s%s", sim_space_name(c->space),
				       c->either ? ", either" : "");
	return g_strdup_printf("%s, %s", sim_space_name(c->space), sim_trouble_name(c->trouble));
}

char *sim_table_head(bool timing)
{
	return g_strdup_printf(
		"%-*s %5s %2s %5s %5s %-*s %6s %8s %7s %7s %8s %8s %7s %7s %8s %6s %8s %7s%s\n",
		NAME_WIDTH, "space", "n", "d", "q", "eps", POLICY_WIDTH, "policy", "trials",
		"boots", "p95", "builds", "switches", "minutes", "wrong", "open", "bound", "ratio",
		"claimed", "right", timing ? " ms/choice     max" : "");
}

static char *or_dash(double x, int decimals, double factor)
{
	return isnan(x) ? g_strdup("-") : g_strdup_printf("%.*f", decimals, x * factor);
}

char *sim_table_row(const SimRow *r, bool timing)
{
	const SimCase *c = &r->c;
	g_autofree char *name = case_name(c), *bound = or_dash(r->bound, 1, 1),
			*ratio = or_dash(r->ratio, 2, 1), *claimed = or_dash(r->claimed, 2, 100),
			*right = or_dash(r->right, 2, 100),
			*mean = or_dash(r->choose_ms_mean, 2, 1),
			*max = or_dash(r->choose_ms_max, 1, 1), *times = NULL;
	times = timing ? g_strdup_printf(" %9s %7s", mean, max) : g_strdup("");
	return g_strdup_printf(
		"%-*s %5u %2u %5g %5g %-*s %6u %8.1f %7.0f %7.1f %8.1f %8.0f %6.2f%% "
		"%6.2f%% %8s %6s %8s %7s%s\n",
		NAME_WIDTH, name, c->n, c->d, c->q, c->eps, POLICY_WIDTH, r->policy, r->trials,
		r->boots_mean, r->boots_p95, r->builds_mean, r->switches_mean, r->minutes_mean,
		100 * r->wrong, 100 * r->inconclusive, bound, ratio, claimed, right, times);
}

static json_t *or_null(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

json_t *sim_row_json(const SimRow *r, bool timing)
{
	const SimCase *c = &r->c;
	json_t *out =
		json_pack("{s:s, s:s, s:i, s:i, s:f, s:f, s:s, s:b}", "space",
			  sim_space_name(c->space), "trouble", sim_trouble_name(c->trouble), "n",
			  (int)c->n, "d", (int)c->d, "q", c->q, "eps", c->eps, "effect",
			  c->effect == SEARCH_CURES ? "cures" : "causes", "either", (int)c->either);
	g_autoptr(json_t) how = json_pack("{s:b, s:f, s:f, s:s, s:i}", "told_q", (int)c->told_q,
					  "build_cost", c->build_s, "boot_cost", c->boot_s,
					  "policy", r->policy, "trials", (int)r->trials);
	json_object_update(out, how);
	const struct {
		const char *key;
		double value;
	} numbers[] = {
		{"boots_mean", r->boots_mean},
		{"boots_p95", r->boots_p95},
		{"builds_mean", r->builds_mean},
		{"switches_mean", r->switches_mean},
		{"minutes_mean", r->minutes_mean},
		{"wrong", r->wrong},
		{"inconclusive", r->inconclusive},
		{"bound", r->bound},
		{"ratio", r->ratio},
		{"calibration", r->right},
		{"claimed", r->claimed},
		{"choose_ms_mean", r->choose_ms_mean},
		{"choose_ms_max", r->choose_ms_max},
	};
	for (guint i = 0; i < G_N_ELEMENTS(numbers) - (timing ? 0 : 2); i++)
		json_object_set_new(out, numbers[i].key, or_null(numbers[i].value));
	return out;
}
