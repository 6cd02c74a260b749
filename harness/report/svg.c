/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plots as inline SVG. Horizontal positions are percentages and vertical ones pixels: the plot
 * takes the width that there is and its text keeps its size. Colours and dashes come from the
 * page's style sheet. */
#include "report-internal.h"

#define PLOT_HEIGHT 200.0 /* of the area of the curves */
#define STRIP_TOP 212.0	  /* the trials below it */
#define STRIP_HEIGHT 14.0
#define AXIS_Y 246.0
#define SVG_HEIGHT 254
#define MAX_POINTS 1500 /* of one curve */

/* A number in SVG: always with a point, whatever the locale. */
static void put_num(GString *out, double x)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];
	g_string_append(out, g_ascii_formatd(text, sizeof(text), "%.2f", x));
}

static double y_of(double probability)
{
	return PLOT_HEIGHT * (1 - report_clamp(probability, 0, 1));
}

static double x_of(double trial, double last)
{
	return 1000 * report_clamp(trial / MAX(last, 1), 0, 1);
}

static void put_grid(GString *out, double confidence)
{
	static const char *const labels[] = {"0", "0.25", "0.5", "0.75", "1"};
	for (int i = 0; i <= 4; i++) {
		double y = y_of(i / 4.0);
		g_string_append(out, "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"");
		put_num(out, y);
		g_string_append(out, "\" y2=\"");
		put_num(out, y);
		g_string_append(out, "\"/><text x=\"-8\" text-anchor=\"end\" dy=\"0.35em\" y=\"");
		put_num(out, y);
		g_string_append_printf(out, "\">%s</text>", labels[i]);
	}
	if (confidence > 0) {
		g_string_append(out, "<line class=\"asked\" x1=\"0\" x2=\"100%\" y1=\"");
		put_num(out, y_of(confidence));
		g_string_append(out, "\" y2=\"");
		put_num(out, y_of(confidence));
		g_string_append(out, "\"/>");
	}
}

/* One step curve: the belief holds until the next trial. */
static void put_curve(GString *out, const json_t *points, size_t series, double last)
{
	size_t n = json_array_size(points), stride = n / MAX_POINTS + 1;
	double y = 0;
	g_string_append_printf(out, "<path class=\"s%zu\" d=\"", series);
	for (size_t i = 0; i < n; i++) {
		if (i % stride != 0 && i != n - 1)
			continue;
		const json_t *point = json_array_get(points, i);
		const json_t *p = json_array_get(json_object_get(point, "probabilities"), series);
		double x = x_of(report_num(point, "trial", 0), last);
		g_string_append_c(out, i == 0 ? 'M' : 'H');
		put_num(out, x);
		y = y_of(json_number_value(p));
		g_string_append_c(out, i == 0 ? ' ' : 'V');
		put_num(out, y);
	}
	g_string_append(out, "\"/>");
}

/* A stroke for each trial: full height for a fault, half for a clean boot, a point for the rest. */
static void put_strip(GString *out, const json_t *trials, double last)
{
	size_t i;
	json_t *t;
	json_array_foreach ((json_t *)trials, i, t) {
		const char *letter = report_outcome(report_str(t, "outcome"))->letter;
		bool fault = *letter == 'F', clean = *letter == 'c';
		double height = fault ? STRIP_HEIGHT : clean ? STRIP_HEIGHT / 2 : 3;
		double x = x_of(report_num(t, "number", 0), last);
		g_string_append_printf(out, "<path class=\"%s\" d=\"M",
				       fault   ? "of"
				       : clean ? "oc"
					       : "oo");
		put_num(out, x);
		g_string_append_c(out, ' ');
		put_num(out, STRIP_TOP + STRIP_HEIGHT - height);
		g_string_append_c(out, 'v');
		put_num(out, height);
		g_string_append(out, "\"/>");
	}
}

static void put_trial_labels(GString *out, unsigned last)
{
	static const unsigned round[] = {1, 2, 5};
	unsigned step = 1, decade = 1;
	for (int i = 0; last / step > 8; i++) {
		step = round[i % 3] * decade;
		decade *= i % 3 == 2 ? 10 : 1;
	}
	for (unsigned t = step; t <= last; t += step) {
		g_string_append(out, "<text text-anchor=\"middle\" x=\"");
		put_num(out, x_of(t, last) / 10);
		g_string_append_printf(out, "%%\" y=\"%.0f\">%u</text>", AXIS_Y, t);
	}
}

static double last_trial(const json_t *doc)
{
	const json_t *trials = json_object_get(doc, "trials");
	const json_t *points = report_at(doc, "history.points");
	const json_t *t = json_array_get(trials, json_array_size(trials) - 1);
	const json_t *p = json_array_get(points, json_array_size(points) - 1);
	return report_clamp(MAX(report_num(t, "number", 0), report_num(p, "trial", 0)), 1, 1e6);
}

void report_svg_history(GString *out, const json_t *doc)
{
	const json_t *points = report_at(doc, "history.points");
	size_t n = json_array_size(points);
	size_t lines = MIN(json_array_size(report_at(doc, "history.hypotheses")),
			   (size_t)REPORT_HISTORY_LINES);
	double last = last_trial(doc);
	if (n < 2 || lines == 0)
		return;
	g_string_append_printf(out,
			       "<svg class=\"plot\" width=\"100%%\" height=\"%d\" role=\"img\" "
			       "aria-label=\"Probability of the leading hypotheses after each of "
			       "%.0f trials; the table of hypotheses has the final values\">",
			       SVG_HEIGHT, last);
	put_grid(out, report_num(doc, "campaign.parameters.confidence", 0));
	g_string_append_printf(out,
			       "<svg width=\"100%%\" height=\"%.0f\" viewBox=\"0 0 1000 %.0f\" "
			       "preserveAspectRatio=\"none\" overflow=\"visible\">",
			       AXIS_Y, AXIS_Y);
	put_strip(out, json_object_get(doc, "trials"), last);
	for (size_t i = lines; i-- > 0;) /* the leading one on top */
		put_curve(out, points, i, last);
	g_string_append(out, "</svg>");
	put_trial_labels(out, (unsigned)last);
	g_string_append(out, "</svg>\n");
}

void report_svg_line_key(GString *out, size_t i)
{
	g_string_append_printf(out,
			       "<svg class=\"key\" width=\"34\" height=\"10\" aria-hidden=\"true\">"
			       "<path class=\"s%zu\" d=\"M1 5H33\"/></svg>",
			       MIN(i, (size_t)REPORT_HISTORY_LINES - 1));
}

void report_svg_time(GString *out, const json_t *time)
{
	const json_t *parts = json_object_get(time, "parts");
	double sum = 0, x = 0;
	size_t i;
	json_t *p;
	json_array_foreach ((json_t *)parts, i, p)
		sum += report_clamp(report_num(p, "seconds", 0), 0, 1e9);
	if (sum <= 0)
		return;
	g_string_append(out, "<svg class=\"bar\" width=\"100%\" height=\"26\" role=\"img\" "
			     "aria-label=\"Shares of the time; the table below has the figures\">");
	json_array_foreach ((json_t *)parts, i, p) {
		double width = 100 * report_clamp(report_num(p, "seconds", 0), 0, 1e9) / sum;
		g_string_append_printf(out, "<rect class=\"b%zu\" y=\"0\" height=\"26\" x=\"",
				       MIN(i, (size_t)6));
		put_num(out, x);
		g_string_append(out, "%\" width=\"");
		put_num(out, width);
		g_string_append(out, "%\"/>");
		x += width;
	}
	g_string_append(out, "</svg>\n");
}

void report_svg_rate(GString *out, const json_t *rate)
{
	double mean = report_clamp(report_num(rate, "mean", 0), 0, 1);
	double low = report_clamp(report_num(rate, "low", 0), 0, mean);
	double high = report_clamp(report_num(rate, "high", 1), mean, 1);
	g_string_append_printf(out,
			       "<svg class=\"rate\" width=\"112\" height=\"16\" role=\"img\" "
			       "aria-label=\"%.0f %%, between %.0f %% and %.0f %%\">"
			       "<path class=\"scale\" d=\"M6 2.5v11M106 2.5v11M6 8H106\"/>"
			       "<path class=\"span\" d=\"M",
			       mean * 100, low * 100, high * 100);
	put_num(out, 6 + 100 * low);
	g_string_append(out, " 8H");
	put_num(out, 6 + 100 * high);
	g_string_append(out, "\"/><circle r=\"3.5\" cy=\"8\" cx=\"");
	put_num(out, 6 + 100 * mean);
	g_string_append(out, "\"/></svg>");
}
