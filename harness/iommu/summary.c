/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "iommu/show.h"

#define MAX_ROWS 100
/* A flood of devices that do not exist may not fill the memory. */
#define MAX_KEPT 10000
#define RECENT 256

typedef struct {
	char *device, *window; /* NULL: unknown */
	const char *driver;
	uint64_t faults, suppressed;
	gint64 first_us, last_us; /* -1: no times */
	uint64_t low, high;	  /* addresses; low > high: none */
	char *event, *region;	  /* of the first */
	unsigned order;
} Row;

struct FaultSummary {
	GHashTable *rows;    /* set of Row */
	Row *recent[RECENT]; /* by the end of the device's name */
	FaultTotals totals;
};

static guint row_hash(gconstpointer key)
{
	const Row *r = key;
	return g_str_hash(r->device ? r->device : "") * 31 +
	       g_str_hash(r->window ? r->window : "") * 7 + g_str_hash(r->driver);
}

static gboolean row_equal(gconstpointer a, gconstpointer b)
{
	const Row *x = a, *y = b;
	return strcmp(x->driver, y->driver) == 0 && g_strcmp0(x->device, y->device) == 0 &&
	       g_strcmp0(x->window, y->window) == 0;
}

static void row_free(gpointer data)
{
	Row *r = data;
	g_free(r->device);
	g_free(r->window);
	g_free(r->event);
	g_free(r->region);
	g_free(r);
}

FaultSummary *fault_summary_new(void)
{
	FaultSummary *s = g_new0(FaultSummary, 1);
	s->rows = g_hash_table_new_full(row_hash, row_equal, row_free, NULL);
	return s;
}

void fault_summary_free(FaultSummary *s)
{
	if (!s)
		return;
	g_hash_table_unref(s->rows);
	g_free(s);
}

/* "0000:00:1f.2": the last four characters differ most. */
static unsigned recent_slot(const char *device)
{
	size_t n = device ? strlen(device) : 0;
	uint32_t end = 0;
	if (n >= 4)
		memcpy(&end, device + n - 4, 4);
	return end * 0x9e3779b1u >> 24;
}

static Row *find_row(FaultSummary *s, const Fault *f)
{
	Row key = {.device = f->device, .window = f->window, .driver = f->driver};
	Row **recent = &s->recent[recent_slot(f->device)];
	if (*recent && row_equal(*recent, &key))
		return *recent;
	Row *r = g_hash_table_lookup(s->rows, &key);
	if (!r && g_hash_table_size(s->rows) < MAX_KEPT) {
		r = g_new0(Row, 1);
		r->device = g_strdup(f->device);
		r->window = g_strdup(f->window);
		r->driver = f->driver;
		r->first_us = r->last_us = -1;
		r->low = G_MAXUINT64;
		r->order = g_hash_table_size(s->rows);
		g_hash_table_add(s->rows, r);
	}
	*recent = r;
	return r;
}

void fault_summary_count(FaultSummary *s, const Fault *f)
{
	s->totals.records++;
	s->totals.faults += f->kind == FAULT_KIND_FAULT;
	s->totals.errors += f->kind == FAULT_KIND_ERROR;
	s->totals.suppressed += f->suppressed;
}

void fault_summary_add(FaultSummary *s, const Fault *f)
{
	fault_summary_count(s, f);
	Row *r = find_row(s, f);
	if (!r)
		return;
	r->faults += f->kind != FAULT_KIND_SUPPRESSED;
	r->suppressed += f->suppressed;
	if (!r->event)
		r->event = g_strdup(f->event);
	if (!r->region && f->region)
		r->region = g_strdup(f->region);
	if (f->time_us >= 0) {
		r->first_us = r->first_us < 0 ? f->time_us : r->first_us;
		r->last_us = f->time_us;
	}
	if (f->has_address) {
		r->low = MIN(r->low, f->address);
		r->high = MAX(r->high, f->address);
	}
}

FaultTotals fault_summary_totals(const FaultSummary *s)
{
	return s->totals;
}

static gint more_first(gconstpointer a, gconstpointer b)
{
	const Row *x = *(const Row *const *)a, *y = *(const Row *const *)b;
	if (x->faults != y->faults)
		return x->faults > y->faults ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static char *times_text(const Row *r)
{
	if (r->first_us < 0)
		return g_strdup("-");
	if (r->first_us == r->last_us)
		return g_strdup_printf("%.6f s", (double)r->first_us / G_USEC_PER_SEC);
	return g_strdup_printf("%.6f-%.6f s", (double)r->first_us / G_USEC_PER_SEC,
			       (double)r->last_us / G_USEC_PER_SEC);
}

static char *addresses_text(const Row *r)
{
	if (r->low > r->high)
		return g_strdup("-");
	if (r->low == r->high)
		return g_strdup_printf("0x%llx", (unsigned long long)r->low);
	return g_strdup_printf("0x%llx-0x%llx", (unsigned long long)r->low,
			       (unsigned long long)r->high);
}

char *fault_summary_text(const FaultSummary *s, bool colour)
{
	GString *out = g_string_new(NULL);
	g_autoptr(GPtrArray) rows = g_ptr_array_new();
	GHashTableIter iter;
	gpointer row;
	g_hash_table_iter_init(&iter, s->rows);
	while (g_hash_table_iter_next(&iter, &row, NULL))
		g_ptr_array_add(rows, row);
	if (!rows->len)
		return g_string_free(out, FALSE);
	g_ptr_array_sort(rows, more_first);
	g_string_append_printf(out, "%s%-16s %-14s %-10s %8s %8s  %-25s %s%s\n",
			       colour ? "\033[1m" : "", "device", "driver", "window", "records",
			       "hidden", "addresses", "times", colour ? "\033[0m" : "");
	for (guint i = 0; i < rows->len && i < MAX_ROWS; i++) {
		const Row *r = g_ptr_array_index(rows, i);
		g_autofree char *times = times_text(r), *addresses = addresses_text(r);
		g_string_append_printf(out,
				       "%-16s %-14s %-10s %8" G_GUINT64_FORMAT
				       " %8" G_GUINT64_FORMAT "  %-25s %s%s%s\n",
				       r->device ? r->device : "-", r->driver,
				       r->window ? r->window : "-", r->faults, r->suppressed,
				       addresses, times, r->region ? "; " : "",
				       r->region ? r->region : "");
	}
	if (rows->len > MAX_ROWS)
		g_string_append_printf(out, "… and %u rows more\n", rows->len - MAX_ROWS);
	return g_string_free(out, FALSE);
}
