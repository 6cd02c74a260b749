/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iommu/scan.h"

#include <errno.h>

#include "base/error.h"
#include "iommu/show.h"

#define BLOCK (256 * 1024)

typedef struct {
	FaultFunc func;
	gpointer user;
	FaultScan sum;
} Scan;

static void count(const Fault *f, gpointer user)
{
	Scan *s = user;
	s->sum.faults += f->kind == FAULT_KIND_FAULT;
	s->sum.errors += f->kind == FAULT_KIND_ERROR;
	s->sum.suppressed += f->suppressed;
	if (s->func)
		s->func(f, s->user);
}

bool fault_scan(FILE *in, const char *name, FaultFunc func, gpointer user, FaultScan *ret,
		GError **error)
{
	Scan s = {.func = func, .user = user};
	g_autoptr(FaultParser) parser = fault_parser_new(count, &s);
	g_autofree char *block = g_malloc(BLOCK);
	size_t n;
	while ((n = fread(block, 1, BLOCK, in)) > 0) {
		fault_parser_feed(parser, block, n);
		s.sum.bytes += n;
	}
	bool ok = !ferror(in);
	if (!ok)
		kx_set_errno(error, errno, "%s: cannot read", name);
	s.sum.lines = fault_parser_lines(parser);
	fault_parser_finish(parser);
	if (ret)
		*ret = s.sum;
	return ok;
}

char *fault_to_text(const Fault *f)
{
	GString *s = g_string_new(NULL);
	fault_append_text(s, f, false);
	return g_string_free(s, FALSE);
}
