/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/proc.h"
#include "cmd/command.h"
#include "simulate/policy.h"

enum {
	OPT_SPACE = OPT_COMMAND,
	OPT_TROUBLE,
	OPT_N,
	OPT_D,
	OPT_Q,
	OPT_EPS,
	OPT_TRIALS,
	OPT_POLICY,
	OPT_BUILD_COST,
	OPT_BOOT_COST,
	OPT_SWITCH_COST,
	OPT_SEED,
	OPT_THREADS,
	OPT_EFFECT,
	OPT_EITHER,
	OPT_DEPENDS,
	OPT_CONFLICTS,
	OPT_UNBUILDABLE,
	OPT_MAX_SIZE,
	OPT_CONFIDENCE,
	OPT_Q_DETECT,
	OPT_TOLD_Q,
	OPT_CONFIRM,
	OPT_TIMING,
};

static const struct option options[] = {
	OPTION_HELP,
	OPTION_VERBOSE,
	OPTION_JSON,
	{"space", required_argument, NULL, OPT_SPACE},
	{"trouble", required_argument, NULL, OPT_TROUBLE},
	{"n", required_argument, NULL, OPT_N},
	{"d", required_argument, NULL, OPT_D},
	{"q", required_argument, NULL, OPT_Q},
	{"eps", required_argument, NULL, OPT_EPS},
	{"trials", required_argument, NULL, OPT_TRIALS},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"build-cost", required_argument, NULL, OPT_BUILD_COST},
	{"boot-cost", required_argument, NULL, OPT_BOOT_COST},
	{"switch-cost", required_argument, NULL, OPT_SWITCH_COST},
	{"seed", required_argument, NULL, OPT_SEED},
	{"threads", required_argument, NULL, OPT_THREADS},
	{"effect", required_argument, NULL, OPT_EFFECT},
	{"either", no_argument, NULL, OPT_EITHER},
	{"depends", required_argument, NULL, OPT_DEPENDS},
	{"conflicts", required_argument, NULL, OPT_CONFLICTS},
	{"unbuildable", required_argument, NULL, OPT_UNBUILDABLE},
	{"max-size", required_argument, NULL, OPT_MAX_SIZE},
	{"confidence", required_argument, NULL, OPT_CONFIDENCE},
	{"q-detect", required_argument, NULL, OPT_Q_DETECT},
	{"told-q", no_argument, NULL, OPT_TOLD_Q},
	{"confirm", no_argument, NULL, OPT_CONFIRM},
	{"timing", no_argument, NULL, OPT_TIMING},
	{0},
};

/* What was asked for; a row for each combination of the lists. */
typedef struct {
	GArray *spaces, *troubles; /* int */
	GArray *n, *d, *q, *eps;   /* double; empty: the default */
	GPtrArray *policies;	   /* const SimPolicy */
	bool named;		   /* the policies were named, not all of them */
	guint64 trials, threads, seed;
	double build_s, boot_s, switch_s, depends, unbuildable, confidence, q_detect;
	guint64 conflicts, max_size; /* G_MAXUINT, 0: the default */
	int effect;		     /* -1: the default */
	bool robustness, either, told_q, confirm, timing;
} Asked;

static bool complain(const char *option, const char *value, const char *wanted)
{
	g_printerr("kexsect: --%s %s: %s\n", option, value, wanted);
	return false;
}

static bool number(const char *option, const char *text, double least, double most, double *ret)
{
	char *end;
	double x = g_ascii_strtod(text, &end);
	if (end != text && !*end && x >= least && x <= most) {
		*ret = x;
		return true;
	}
	g_autofree char *wanted = g_strdup_printf("a number from %g to %g is wanted", least, most);
	return complain(option, text, wanted);
}

static bool numbers(const char *option, const char *text, double least, double most, GArray *to)
{
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	g_array_set_size(to, 0);
	for (char **p = parts; *p; p++) {
		double x;
		if (!number(option, *p, least, most, &x))
			return false;
		g_array_append_val(to, x);
	}
	return to->len > 0;
}

static bool add_space(Asked *a, const char *name)
{
	int space = sim_space_find(name);
	if (g_str_equal(name, "robustness") || g_str_equal(name, "R")) {
		a->robustness = true;
		return true;
	}
	if (space < 0)
		return complain("space", name,
				"history (L), patches (S), config (C), parameters (P), order (O), "
				"precedence (A) or robustness (R) is wanted");
	g_array_append_val(a->spaces, space);
	return true;
}

static bool add_trouble(Asked *a, const char *name)
{
	int trouble = sim_trouble_find(name);
	if (trouble < 0)
		return complain("trouble", name,
				"none, drift, infra, second-fault or no-culprit is wanted");
	g_array_append_val(a->troubles, trouble);
	return true;
}

static bool add_policy(Asked *a, const char *name)
{
	const SimPolicy *policy = sim_policy_find(name);
	if (g_str_equal(name, "all"))
		return true;
	if (!policy)
		return complain("policy", name,
				"no such policy; kexsect simulate --help lists them");
	a->named = true;
	g_ptr_array_add(a->policies, (gpointer)policy);
	return true;
}

static bool each(const char *value, Asked *a, bool (*add)(Asked *a, const char *name))
{
	g_auto(GStrv) parts = g_strsplit(value, ",", -1);
	for (char **p = parts; *p; p++)
		if (!add(a, *p))
			return false;
	return true;
}

static bool set_effect(Asked *a, const char *value)
{
	a->effect = g_str_equal(value, "cures")	   ? SEARCH_CURES
		    : g_str_equal(value, "causes") ? SEARCH_CAUSES
						   : -1;
	return a->effect >= 0 || complain("effect", value, "cures or causes is wanted");
}

static bool own(int option, const char *value, gpointer user)
{
	Asked *a = user;
	switch (option) {
	case OPT_SPACE:
		return each(value, a, add_space);
	case OPT_TROUBLE:
		return each(value, a, add_trouble);
	case OPT_POLICY:
		return each(value, a, add_policy);
	case OPT_N:
		return numbers("n", value, 2, 1e6, a->n);
	case OPT_D:
		return numbers("d", value, 1, SEARCH_MAX_SIZE, a->d);
	case OPT_Q:
		return numbers("q", value, 1e-4, 1, a->q);
	case OPT_EPS:
		return numbers("eps", value, 0, 1, a->eps);
	case OPT_TRIALS:
		return cmd_number("trials", value, 1, &a->trials);
	case OPT_THREADS:
		return cmd_number("threads", value, 0, &a->threads);
	case OPT_SEED:
		return cmd_number("seed", value, 0, &a->seed);
	case OPT_BUILD_COST:
		return number("build-cost", value, 0, 1e6, &a->build_s);
	case OPT_BOOT_COST:
		return number("boot-cost", value, 0, 1e6, &a->boot_s);
	case OPT_SWITCH_COST:
		return number("switch-cost", value, 0, 1e6, &a->switch_s);
	case OPT_DEPENDS:
		return number("depends", value, 0, 0.9, &a->depends);
	case OPT_UNBUILDABLE:
		return number("unbuildable", value, 0, 0.5, &a->unbuildable);
	case OPT_CONFLICTS:
		return cmd_number("conflicts", value, 0, &a->conflicts);
	case OPT_MAX_SIZE:
		return cmd_number("max-size", value, 1, &a->max_size);
	case OPT_CONFIDENCE:
		return number("confidence", value, 0.5, 0.9999, &a->confidence);
	case OPT_Q_DETECT:
		return number("q-detect", value, 1e-4, 1, &a->q_detect);
	case OPT_EFFECT:
		return set_effect(a, value);
	case OPT_EITHER:
		return a->either = true;
	case OPT_TOLD_Q:
		return a->told_q = true;
	case OPT_CONFIRM:
		return a->confirm = true;
	case OPT_TIMING:
		return a->timing = true;
	default:
		return false;
	}
}

static void asked_init(Asked *a)
{
	*a = (Asked){
		.spaces = g_array_new(FALSE, FALSE, sizeof(int)),
		.troubles = g_array_new(FALSE, FALSE, sizeof(int)),
		.n = g_array_new(FALSE, FALSE, sizeof(double)),
		.d = g_array_new(FALSE, FALSE, sizeof(double)),
		.q = g_array_new(FALSE, FALSE, sizeof(double)),
		.eps = g_array_new(FALSE, FALSE, sizeof(double)),
		.policies = g_ptr_array_new(),
		.trials = 200,
		.seed = 1,
		.build_s = -1,
		.boot_s = 90,
		.depends = -1,
		.unbuildable = -1,
		.conflicts = G_MAXUINT,
		.confidence = 0.99,
		.effect = -1,
	};
}

static void asked_clear(Asked *a)
{
	GArray *const arrays[] = {a->spaces, a->troubles, a->n, a->d, a->q, a->eps};
	for (guint i = 0; i < G_N_ELEMENTS(arrays); i++)
		g_array_unref(arrays[i]);
	g_ptr_array_unref(a->policies);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Asked, asked_clear)

/* ---- the rows ---- */

typedef struct {
	SimCase c;
	const SimPolicy *policy;
} Cell;

static bool add_cells(const Asked *a, const SimCase *c, GArray *cells, GError **error)
{
	Cell cell = {.c = *c};
	if (!sim_case_complete(&cell.c, error))
		return false;
	for (guint i = 0; i < a->policies->len; i++) {
		cell.policy = a->policies->pdata[i];
		if (sim_policy_can(cell.policy, c->space))
			g_array_append_val(cells, cell);
	}
	return true;
}

static double value(const GArray *list, guint i, double fallback)
{
	return list->len ? g_array_index(list, double, i) : fallback;
}

/* All combinations of the lists, the last one running fastest. */
static bool add_space_cells(const Asked *a, SimSpace space, SimTrouble trouble, GArray *cells,
			    GError **error)
{
	guint size[] = {MAX(a->n->len, 1), MAX(a->d->len, 1), MAX(a->q->len, 1),
			MAX(a->eps->len, 1)};
	guint all = size[0] * size[1] * size[2] * size[3];
	for (guint i = 0; i < all; i++) {
		SimCase c;
		sim_case_init(&c, space);
		c.eps = value(a->eps, i % size[3], c.eps);
		c.q = value(a->q, i / size[3] % size[2], c.q);
		c.d = (guint)value(a->d, i / size[3] / size[2] % size[1], c.d);
		c.n = (guint)value(a->n, i / size[3] / size[2] / size[1], c.n);
		c.trouble = trouble;
		c.effect = a->effect >= 0 ? (SearchEffect)a->effect : c.effect;
		c.either = a->either;
		c.depends = a->depends;
		c.unbuildable = a->unbuildable;
		c.conflicts = (guint)MIN(a->conflicts, G_MAXUINT);
		c.build_s = a->build_s;
		c.boot_s = a->boot_s;
		c.switch_s = a->switch_s;
		c.confidence = a->confidence;
		c.q_detect = a->q_detect;
		c.max_size = (guint)MIN(a->max_size, G_MAXUINT);
		c.told_q = a->told_q;
		c.confirm = a->confirm;
		c.seed = a->seed;
		if (!add_cells(a, &c, cells, error))
			return false;
	}
	return true;
}

static bool make_cells(Asked *a, GArray *cells, GError **error)
{
	static const SimSpace troubled[] = {SIM_HISTORY, SIM_PATCHES};
	int fallback[] = {SIM_HISTORY, SIM_NO_TROUBLE};
	if (!a->spaces->len && !a->robustness)
		g_array_append_val(a->spaces, fallback[0]);
	if (!a->troubles->len)
		g_array_append_val(a->troubles, fallback[1]);
	if (!a->named)
		for (const SimPolicy *const *p = sim_policies; *p; p++)
			g_ptr_array_add(a->policies, (gpointer)*p);
	for (guint i = 0; i < a->spaces->len; i++)
		for (guint k = 0; k < a->troubles->len; k++)
			if (!add_space_cells(a, g_array_index(a->spaces, int, i),
					     g_array_index(a->troubles, int, k), cells, error))
				return false;
	for (guint i = 0; a->robustness && i < G_N_ELEMENTS(troubled); i++)
		for (int k = SIM_NO_TROUBLE + 1; k < SIM_TROUBLE_MAX; k++)
			if (!add_space_cells(a, troubled[i], k, cells, error))
				return false;
	return true;
}

/* ---- running ---- */

typedef struct {
	guint cell, cells;
	gint64 began_us;
	bool show, shown;
} Progress;

static bool on_progress(guint done, guint trials, gpointer user)
{
	Progress *p = user;
	double share = (p->cell + (double)done / trials) / p->cells;
	double spent = (double)(g_get_monotonic_time() - p->began_us) / G_USEC_PER_SEC;
	if (p->show && share > 0) {
		guint left = (guint)(spent / share * (1 - share));
		fprintf(stderr, "\r\033[Krow %u of %u: %u of %u trials, about %u:%02u left",
			p->cell + 1, p->cells, done, trials, left / 60, left % 60);
		p->shown = true;
	}
	return !kx_cancelled();
}

static void wipe(Progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

static int run_cells(const Asked *a, const GArray *cells, bool json)
{
	g_autoptr(json_t) rows = json_array();
	g_autofree char *head = sim_table_head(a->timing);
	Progress p = {.cells = cells->len,
		      .began_us = g_get_monotonic_time(),
		      .show = isatty(STDERR_FILENO)};
	if (!json)
		fputs(head, stdout);
	for (; p.cell < cells->len && !kx_cancelled(); p.cell++) {
		const Cell *cell = &g_array_index(cells, Cell, p.cell);
		SimRow row;
		bool some = sim_run(&cell->c, cell->policy, (guint)a->trials, (guint)a->threads,
				    on_progress, &p, &row);
		wipe(&p);
		if (some && json)
			json_array_append_new(rows, sim_row_json(&row, a->timing));
		g_autofree char *line = some && !json ? sim_table_row(&row, a->timing) : NULL;
		if (line)
			fputs(line, stdout);
		fflush(stdout);
	}
	if (json && !kx_json_line(rows))
		return 1;
	if (!kx_cancelled())
		return 0;
	g_printerr("kexsect: stopped: %u of %u rows\n", p.cell, cells->len);
	return 1;
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	g_auto(Asked) a = {0};
	asked_init(&a);
	int status = cmd_parse(&cmd_simulate, argc, argv, options, own, &a, &common, 0, 0);
	if (status >= 0)
		return status;
	g_autoptr(GArray) cells = g_array_new(FALSE, FALSE, sizeof(Cell));
	g_autoptr(GError) error = NULL;
	if (!make_cells(&a, cells, &error))
		return cmd_usage(&cmd_simulate, "%s", error->message);
	if (!cells->len)
		return cmd_usage(&cmd_simulate, "no such policy for this space");
	kx_catch_signals();
	return run_cells(&a, cells, common.json);
}

const Command cmd_simulate = {
	.name = "simulate",
	.arguments = "[OPTION…]",
	.summary = "Compare ways to search on labs whose truth is known",
	.help = "Lists (--q 0.3,0.1) make a row for each combination.\n\n"
		"  --space SPACE       history or L (default), patches or S, config or C, "
		"parameters or P,\n"
		"                      order or O, precedence or A; robustness or R: history and "
		"patches,\n"
		"                      each with every trouble\n"
		"  --trouble TROUBLE   none (default), drift, infra, second-fault, no-culprit\n"
		"  --n N               commits, candidates or initcalls (128, 32, 1000, 250)\n"
		"  --d D               members of the culprit (patches, config: 2; else 1)\n"
		"  --q Q, --eps E      how often a faulty variant faults (0.3), and a good one "
		"(0)\n"
		"  --trials T          labs a row (200)\n"
		"  --policy NAME       kexsect, fixed-1, fixed-10, fixed-kstar, syzkaller, "
		"bayes-two-rates-0.95,\n"
		"                      bayes-two-rates-0.99, bayes-misses-only, greedy-told, proof "
		"(a "
		"bound); for\n"
		"                      sets kexsect, ddmin, probdd, prefix; default: all that can "
		"do "
		"the space\n"
		"  --build-cost S      seconds to build a variant (300; parameters 0)\n"
		"  --boot-cost S       seconds of a boot (90)\n"
		"  --switch-cost S     seconds to load another variant (0)\n"
		"  --seed N            (1); the same seed gives the same rows\n"
		"  --threads N         (all processors)\n"
		"  --json              an array with an object for each row\n\n"
		"For `kexsect`:\n"
		"  --told-q            it knows q\n"
		"  --confidence P      when to stop (0.99)\n"
		"  --max-size N        the largest sets it looks for (d)\n"
		"  --q-detect Q        a rarer fault is 'not reproduced' (0.05, at most q / 2)\n"
		"  --confirm           count the confirmation by intervention too\n"
		"  --timing            how long choosing takes, wall clock\n"
		"  -v, --verbose       each experiment and verdict, on standard error\n\n"
		"For sets:\n"
		"  --effect EFFECT     cures (patches) or causes\n"
		"  --either            two causes, each of them enough\n"
		"  --depends SHARE     candidates that need an earlier one (patches 0.2, config "
		"0.3)\n"
		"  --conflicts N       pairs that exclude each other (patches n / 16)\n"
		"  --unbuildable SHARE candidates, or commits, that do not build (sets 0.1)\n",
	.run = run,
};
