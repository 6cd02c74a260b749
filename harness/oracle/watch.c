/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "oracle/oracle-internal.h"

struct OracleWatch {
	OracleRules *rules;
	OracleLine banner; /* the last one seen */
	bool has_banner;
};

OracleWatch *oracle_watch_new(const OracleConfig *config, GError **error)
{
	OracleRules *rules = oracle_rules_new(config, error);
	if (!rules)
		return NULL;
	OracleWatch *w = g_new0(OracleWatch, 1);
	w->rules = rules;
	return w;
}

OracleSaw oracle_watch_line(OracleWatch *w, const char *line, size_t len)
{
	FaultLine f;
	fault_line_read(line, len, &f);
	OracleLine l = {
		.text = f.text,
		.text_len = (unsigned)MIN(f.len, G_MAXUINT32),
		.time_us = f.time_us,
		.timed = f.time_us >= 0,
		.echo = f.echo,
	};
	if (oracle_line_is_banner(&l, w->has_banner ? &w->banner : NULL)) {
		w->banner = l;
		w->has_banner = true;
		return ORACLE_SAW_BANNER;
	}
	if (oracle_line_is_panic(&l))
		return ORACLE_SAW_PANIC;
	return oracle_line_has(&l, w->rules->alive) ? ORACLE_SAW_ALIVE : ORACLE_SAW_NOTHING;
}

void oracle_watch_free(OracleWatch *w)
{
	if (!w)
		return;
	oracle_rules_free(w->rules);
	g_free(w);
}
