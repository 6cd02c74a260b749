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

/* Trials that one request looks at: those that were no evidence have none, and may be many. */
#define WINDOW 2000

/* The `after` of the next page; null: there is none. */
static json_t *next_page(Store *s, gint64 run, const GPtrArray *rows, unsigned until,
			 unsigned limit)
{
	if (rows->len == limit)
		return json_integer(((const StorePosterior *)rows->pdata[limit - 1])->trial);
	return store_last_trial(s, run, NULL) > until ? json_integer(until) : json_null();
}

HttpReply http_belief(const HttpRoute *route, Store *s, const StoreCampaign *c)
{
	g_autoptr(GError) error = NULL;
	unsigned after = (unsigned)MIN(route->after, G_MAXINT32 - WINDOW), until = after + WINDOW;
	g_autoptr(GPtrArray) rows =
		store_posteriors_page(s, c->id, after, until, route->limit, &error);
	if (!rows)
		return http_reply_error(0, error);
	json_t *all = json_array();
	for (guint i = 0; i < rows->len; i++)
		json_array_append_new(all, posterior_json(rows->pdata[i]));
	json_t *next = next_page(s, c->id, rows, until, route->limit);
	return http_reply_json(json_pack("{s:o, s:o}", "belief", all, "next", next));
}
