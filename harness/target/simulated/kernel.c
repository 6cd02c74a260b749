/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel image is asked what it says of itself: a real bzImage has its version in its header, and
 * the images of the simulated lab (docs/simulated-lab.md) hold "Linux version … #IDENTITY" and the
 * names of the patches that were applied. */
#include <string.h>

#include "target/simulated/simulated-internal.h"

#define BANNER "Linux version "
#define FEATURE "kexsect-feature:"
/* Documentation/arch/x86/boot.rst: "HdrS", and the offset of the version less 0x200. */
#define HEADER_MAGIC 0x202
#define HEADER_VERSION 0x20e

static const char *text_at(const guint8 *image, gsize len, gsize at)
{
	return at < len && memchr(image + at, 0, len - at) ? (const char *)image + at : NULL;
}

static void find_version(SimKernel *k, const guint8 *image, gsize len)
{
	const char *text = NULL;
	const guint8 *at;
	if (len > HEADER_VERSION + 2 && memcmp(image + HEADER_MAGIC, "HdrS", 4) == 0)
		text = text_at(image, len,
			       0x200u + image[HEADER_VERSION] + 256u * image[HEADER_VERSION + 1]);
	else if ((at = memmem(image, len, BANNER, strlen(BANNER))))
		text = text_at(image, len, (gsize)(at - image) + strlen(BANNER));
	g_strlcpy(k->version, text ? text : "", sizeof(k->version));
}

static void find_features(SimKernel *k, const guint8 *image, gsize len)
{
	const guint8 *at = image, *end = image + len;
	while ((at = memmem(at, (gsize)(end - at), FEATURE, strlen(FEATURE)))) {
		at += strlen(FEATURE);
		const char *name = text_at(image, len, (gsize)(at - image));
		if (name && strlen(name) < 100)
			g_hash_table_add(k->words, g_strdup(name));
	}
}

void sim_kernel_read(SimKernel *k, const guint8 *image, gsize len, const char *cmdline)
{
	*k = (SimKernel){.words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
			 .cmdline = g_strdup(cmdline)};
	find_version(k, image, len);
	find_features(k, image, len);
	g_auto(GStrv) words = g_strsplit(cmdline, " ", -1);
	for (char **w = words; *w; w++)
		g_hash_table_add(k->words, g_strdup(*w));
}

void sim_kernel_clear(SimKernel *k)
{
	g_clear_pointer(&k->words, g_hash_table_unref);
	g_clear_pointer(&k->cmdline, g_free);
}

/* ---- its fate ---- */

/* "sim.KEY=…" on the command line goes before the machine's own truth, so that one machine can
 * serve several campaigns. NULL: not there. The caller frees it. */
static char *said(const SimKernel *k, const char *key)
{
	g_autofree char *mark = g_strdup_printf("sim.%s=", key);
	g_auto(GStrv) words = g_strsplit(k->cmdline, " ", -1);
	for (char **w = words; *w; w++)
		if (g_str_has_prefix(*w, mark))
			return g_strdup(*w + strlen(mark));
	return NULL;
}

static double number(const SimKernel *k, const char *key, double own)
{
	g_autofree char *text = said(k, key);
	return text ? g_ascii_strtod(text, NULL) : own;
}

/* A list as "a+b". */
static char **names(const SimKernel *k, const char *key, char *const *own, unsigned n)
{
	g_autofree char *text = said(k, key);
	if (text)
		return g_strsplit(text, "+", -1);
	g_autoptr(GStrvBuilder) copy = g_strv_builder_new();
	for (unsigned i = 0; i < n; i++)
		g_strv_builder_add(copy, own[i]);
	return g_strv_builder_end(copy);
}

static unsigned count_in(const SimKernel *k, char *const *list)
{
	unsigned n = 0;
	for (; *list; list++)
		n += g_hash_table_contains(k->words, *list);
	return n;
}

SimFate sim_kernel_fate(const SimMachine *m, const SimKernel *k)
{
	const TargetSimulated *s = &m->config->simulated;
	g_auto(GStrv) cause = names(k, "cause", s->cause, s->cause_count);
	g_auto(GStrv) hangs = names(k, "hangs", s->hangs, s->hangs_count);
	g_auto(GStrv) panics = names(k, "panics", s->panics, s->panics_count);
	g_autofree char *effect = said(k, "effect");
	bool causes = effect ? g_str_equal(effect, "causes") : s->effect == EFFECT_CAUSES;
	bool all = *cause && count_in(k, cause) == g_strv_length(cause);
	double p = all == causes ? number(k, "q", s->q) : number(k, "eps", s->eps);
	SimFate f = {.hang = count_in(k, hangs) > 0, .panic = count_in(k, panics) > 0};
	f.fault = sim_draw(m, "fault", p);
	f.hang = f.hang || sim_draw(m, "hang", s->rates.hang);
	f.panic = f.panic || sim_draw(m, "panic", s->rates.panic);
	return f;
}
