/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The picture's parts: a scale that both boots share, and what is drawn on it. */
#pragma once

#include "view.h"

#define SVG_WIDTH 1200
#define SVG_LEFT 40
#define SVG_RIGHT 1010 /* of the scale; labels go on to the edge */

/* From times to places: as much room as there is to see between events, less than in proportion
 * where long nothing happens. Grows with time. */
typedef struct {
	gint64 from, to; /* µs, relative */
	GArray *times;	 /* gint64 */
	GArray *places;	 /* double */
} SvgScale;

void svg_scale_make(SvgScale *s, const View *v);
double svg_scale_at(const SvgScale *s, gint64 us);
bool svg_scale_has(const SvgScale *s, gint64 us);
void svg_scale_clear(SvgScale *s);
/* Round times that have room between them: an array of gint64 (g_array_unref). */
GArray *svg_scale_ticks(const SvgScale *s);
