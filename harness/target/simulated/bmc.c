/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/error.h"
#include "base/json.h"
#include "target/simulated/simulated-internal.h"

static const char *const order_names[] = {"off", "on", "reset"};

/* Whether it answers at all. */
static bool reach(const SimMachine *m, const char *what, GError **error)
{
	const SimulatedBmc *b = &m->config->simulated.bmc;
	sim_wait(m, b->slow_s);
	if (!sim_draw(m, "bmc-silent", b->silent))
		return true;
	sim_note(m, "bmc", json_pack("{s:s, s:b}", "order", what, "answered", 0));
	g_set_error(error, KX_ERROR, KX_ERROR_TIMEOUT, "the (simulated) BMC of %s does not answer",
		    m->config->name);
	return false;
}

static void obey(SimState *s, gconstpointer user)
{
	SimOrder order = *(const SimOrder *)user;
	/* a reset of a machine without power does nothing, and to switch on what is on neither */
	if ((order == SIM_BMC_RESET && !s->powered) || (order == SIM_BMC_ON && s->powered))
		return;
	s->epoch++;
	s->powered = order != SIM_BMC_OFF;
	s->hung = false;
	s->runs = SIM_NOTHING;
	s->version[0] = 0;
}

bool sim_bmc(const SimMachine *m, SimOrder order, bool *ret_obeyed, GError **error)
{
	if (!reach(m, order_names[order], error))
		return false;
	bool ignored = sim_draw(m, "bmc-ignores", m->config->simulated.bmc.ignores);
	bool obeyed = false;
	if (!ignored) {
		bool was = sim_state(m).powered;
		obeyed = order == SIM_BMC_ON ? !was : was;
		sim_change(m, obey, &order);
	}
	sim_note(m, "bmc",
		 json_pack("{s:s, s:b, s:b}", "order", order_names[order], "answered", 1, "obeyed",
			   !ignored));
	*ret_obeyed = obeyed;
	return true;
}

bool sim_bmc_powered(const SimMachine *m, bool *ret, GError **error)
{
	if (!reach(m, "status", error))
		return false;
	bool lies = sim_draw(m, "bmc-lies", m->config->simulated.bmc.lies);
	*ret = sim_state(m).powered != lies;
	return true;
}
