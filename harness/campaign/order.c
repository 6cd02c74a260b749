/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key `order`: two orders of one kernel's initcalls. What they are the kernel itself must tell, so
 * only the file is checked here. */
#include <string.h>

#include "campaign/campaign-internal.h"

static bool check_moves(const Campaign *c, const char *key, char **list, unsigned n, GError **error)
{
	for (unsigned i = 0; i < n; i++) {
		const char *equals = strchr(list[i], '=');
		g_autofree char *at = campaign_entry_key(key, i);
		if (!equals || equals == list[i] || !equals[1])
			return campaign_error(error, c->path, at,
					      "'%s' is no move: expected FUNCTION=LEVEL, perhaps "
					      "with :first, :last, :before OTHER or :after OTHER",
					      list[i]);
	}
	return true;
}

static bool check_alone(const Campaign *c, GError **error)
{
	if (c->patches_count || c->parameters_count || c->initcalls_count || c->config ||
	    c->history || c->versions_count || c->survey)
		return campaign_error(error, c->path, "order",
				      "the pairs of initcalls are the only candidates: no "
				      "candidates, parameters, config, history, versions or "
				      "survey beside it");
	return c->effect == EFFECT_CAUSES ||
	       campaign_error(error, c->path, "order",
			      "asks which pair brings the fault: effect: causes is wanted");
}

bool campaign_check_order(Campaign *c, GError **error)
{
	CampaignOrder *o = c->order;
	if (!o)
		return true;
	if (!campaign_given(c->path, "effect"))
		c->effect = EFFECT_CAUSES;
	if (!campaign_given(c->path, "order.seed"))
		o->seed = 1;
	if (!check_alone(c, error) ||
	    !campaign_lookup_into(c->path, "order.good_from", &o->good_from, "kernels/orders", "",
				  error) ||
	    !campaign_lookup_into(c->path, "order.bad_from", &o->bad_from, "kernels/orders", "",
				  error) ||
	    !check_moves(c, "order.good", o->good, o->good_count, error) ||
	    !check_moves(c, "order.bad", o->bad, o->bad_count, error))
		return false;
	if (!o->good_from && !o->bad_from && !o->good_count && !o->bad_count &&
	    o->scramble == SCRAMBLE_NOTHING)
		return campaign_error(error, c->path, "order",
				      "the two orders are the same: expected good, bad, good_from, "
				      "bad_from or scramble");
	return true;
}
