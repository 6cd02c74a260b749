/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures as people read them. */
#include "report-internal.h"

#include <math.h>

double report_clamp(double x, double low, double high)
{
	return isnan(x) || x < low ? low : x > high ? high : x;
}

char *report_probability(double p)
{
	p = report_clamp(p, 0, 1);
	if (p > 0.9999)
		return g_strdup("> 0.9999");
	if (p == 0)
		return g_strdup("0");
	if (p < 0.0005)
		return g_strdup("< 0.001");
	/* four digits near 1, where the third says little, and always rounded down */
	if (p >= 0.99)
		return g_strdup_printf("%.4f", floor(p * 1e4 + 1e-9) / 1e4);
	return g_strdup_printf("%.3f", floor(p * 1e3 + 1e-9) / 1e3);
}

char *report_duration(double seconds)
{
	double s = report_clamp(seconds, 0, 1e9);
	if (s < 9.95)
		return g_strdup_printf("%.1f s", s);
	unsigned whole = (unsigned)lround(s);
	if (whole < 60)
		return g_strdup_printf("%u s", whole);
	if (whole < 3600)
		return g_strdup_printf("%u min %02u s", whole / 60, whole % 60);
	return g_strdup_printf("%u h %02u min", whole / 3600, whole / 60 % 60);
}

char *report_time(const char *iso)
{
	g_autoptr(GDateTime) t = iso ? g_date_time_new_from_iso8601(iso, NULL) : NULL;
	g_autoptr(GDateTime) utc = t ? g_date_time_to_utc(t) : NULL;
	return utc ? g_date_time_format(utc, "%Y-%m-%d %H:%M UTC") : g_strdup("");
}
