/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the belief of a run moved, trial by trial. */
#include "http/http-internal.h"

static json_t *rate_json(double mean, double low, double high)
{
	return json_pack("{s:f, s:f, s:f}", "mean", mean, "low", low, "high", high);
}

static json_t *posterior_json(const StorePosterior *p)
{
	return json_pack("{s:i, s:f, s:o, s:o, s:O, s:O}", "trial", (int)p->trial, "probability",
			 p->probability, "q", rate_json(p->q_mean, p->q_low, p->q_high), "e",
			 rate_json(p->e_mean, p->e_low, p->e_high), "ranking", p->ranking,
			 "marginals", p->marginals);
}

HttpReply http_belief(const HttpRoute *route, Store *s, const StoreCampaign *c)
{
	g_autoptr(GError) error = NULL;
	unsigned after = (unsigned)MIN(route->after, G_MAXINT32);
	g_autoptr(GPtrArray) rows = store_posteriors_page(s, c->id, after, route->limit, &error);
	if (!rows)
		return http_reply_error(0, error);
	json_t *all = json_array(), *next = json_null();
	for (guint i = 0; i < rows->len; i++)
		json_array_append_new(all, posterior_json(rows->pdata[i]));
	if (rows->len == route->limit)
		next = json_integer(((StorePosterior *)rows->pdata[rows->len - 1])->trial);
	return http_reply_json(json_pack("{s:o, s:o}", "belief", all, "next", next));
}
