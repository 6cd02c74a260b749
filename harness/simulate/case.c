/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases: names, defaults, ranges. */
#include "simulate/simulate.h"

#include <math.h>

#include "base/error.h"

#define UNSET (-1.0)

static const struct {
	const char *name, *letters;
	guint n, d;
	SearchEffect effect;
	double depends, unbuildable;
	guint conflicts_per; /* candidates for each conflicting pair; 0: none */
	double build_s;
} spaces[] = {
	[SIM_HISTORY] = {"history", "L", 128, 1, SEARCH_CAUSES, 0, 0, 0, 300},
	[SIM_PATCHES] = {"patches", "S", 32, 2, SEARCH_CURES, 0.2, 0.1, 16, 300},
	[SIM_CONFIG] = {"config", "C", 32, 2, SEARCH_CAUSES, 0.3, 0.1, 0, 300},
	[SIM_PARAMETERS] = {"parameters", "P", 12, 1, SEARCH_CAUSES, 0, 0, 0, 0},
	[SIM_ORDER] = {"order", "O", 1000, 1, SEARCH_CAUSES, 0, 0, 0, 300},
	/* an order is written into a kernel that is there */
	[SIM_PRECEDENCE] = {"precedence", "A", 250, 1, SEARCH_CAUSES, 0, 0, 0, 2},
};

static const char *const troubles[] = {
	[SIM_NO_TROUBLE] = "none",     [SIM_DRIFT] = "drift",		[SIM_INFRA] = "infra",
	[SIM_SECOND] = "second-fault", [SIM_NO_CULPRIT] = "no-culprit",
};

G_STATIC_ASSERT(G_N_ELEMENTS(spaces) == SIM_SPACE_MAX);
G_STATIC_ASSERT(G_N_ELEMENTS(troubles) == SIM_TROUBLE_MAX);

const char *sim_space_name(SimSpace space)
{
	return spaces[space].name;
}

int sim_space_find(const char *name)
{
	for (int i = 0; i < SIM_SPACE_MAX; i++)
		if (g_str_equal(name, spaces[i].name) || g_str_equal(name, spaces[i].letters))
			return i;
	return -1;
}

const char *sim_trouble_name(SimTrouble trouble)
{
	return troubles[trouble];
}

int sim_trouble_find(const char *name)
{
	for (int i = 0; i < SIM_TROUBLE_MAX; i++)
		if (g_str_equal(name, troubles[i]))
			return i;
	return -1;
}

void sim_case_init(SimCase *c, SimSpace space)
{
	*c = (SimCase){
		.space = space,
		.effect = spaces[space].effect,
		.q = 0.3,
		.depends = UNSET,
		.conflicts = G_MAXUINT,
		.unbuildable = UNSET,
		.build_s = UNSET,
		.clean_build_s = UNSET,
		.boot_s = 90,
		.confidence = 0.99,
		.seed = 1,
	};
}

static void defaults(SimCase *c)
{
	const typeof(*spaces) *s = &spaces[c->space];
	c->n = c->n ? c->n : s->n;
	c->d = c->d ? c->d : s->d;
	c->depends = c->depends < 0 ? s->depends : c->depends;
	/* Nobody can say of a candidate that never builds that it has no effect. */
	if (c->unbuildable < 0)
		c->unbuildable = c->trouble == SIM_NO_CULPRIT ? 0 : s->unbuildable;
	if (c->conflicts == G_MAXUINT)
		c->conflicts = s->conflicts_per ? c->n / s->conflicts_per : 0;
	c->build_s = c->build_s < 0 ? s->build_s : c->build_s;
	c->clean_build_s = c->clean_build_s < 0 ? 4 * c->build_s : c->clean_build_s;
	c->max_size = c->max_size ? c->max_size : c->d;
	/* People know whether a fault is that rare. */
	c->q_detect = c->q_detect > 0 ? c->q_detect : fmin(0.05, c->q / 2);
}

static bool refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool refuse(GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, KX_ERROR, KX_ERROR_INPUT, text);
	return false;
}

bool sim_case_complete(SimCase *c, GError **error)
{
	defaults(c);
	const char *name = spaces[c->space].name;
	bool orders = c->space == SIM_ORDER || c->space == SIM_PRECEDENCE;
	bool sets = c->space != SIM_HISTORY && !orders;
	guint n_max = sets ? SEARCH_MAX_CANDIDATES : orders ? 1400 : 100000;
	guint d_max = sets ? SEARCH_MAX_SIZE : orders ? 2 : 1;
	if (c->n < 2 || c->n > n_max)
		return refuse(error, "n = %u: %s takes 2 to %u", c->n, name, n_max);
	if (c->d > d_max || c->d >= c->n)
		return refuse(error, "d = %u: %s of %u takes 1 to %u", c->d, name, c->n, d_max);
	if (!(c->q > 0 && c->q <= 1))
		return refuse(error, "q = %g: above 0, at most 1 is wanted", c->q);
	if (!(c->eps >= 0 && c->eps < c->q))
		return refuse(error, "eps = %g: at least 0 and less than q = %g is wanted", c->eps,
			      c->q);
	if (!(c->confidence >= 0.5 && c->confidence <= 0.9999))
		return refuse(error, "confidence %g: 0.5 to 0.9999 is wanted", c->confidence);
	if (c->depends > 0.9 || c->unbuildable > 0.5 || c->conflicts > c->n / 2)
		return refuse(
			error,
			"depends %g, unbuildable %g, conflicts %u: at most 0.9, 0.5 and n / 2 = "
			"%u are wanted",
			c->depends, c->unbuildable, c->conflicts, c->n / 2);
	if (c->max_size < c->d || c->max_size > SEARCH_MAX_SIZE)
		return refuse(error, "sets up to %u: at least d = %u and at most %d are wanted",
			      c->max_size, c->d, SEARCH_MAX_SIZE);
	if (c->either && (!(sets || c->space == SIM_PRECEDENCE) || c->d != 2))
		return refuse(error,
			      "two causes of which each is enough are a set with d = 2, or two "
			      "precedences");
	if (c->trouble == SIM_NO_CULPRIT && orders)
		return refuse(error, "%s has a culprit: its two ends are known", name);
	return true;
}
