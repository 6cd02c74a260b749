/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/console/bounded.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"

#define CHUNK (64u << 10)

struct Bounded {
	char *path;
	FILE *file;    /* with a path */
	GString *head; /* without */
	gsize keep, head_len;
	GQueue tail; /* of GString, CHUNK bytes or more each; the last one still grows */
	gsize tail_len;
	guint64 dropped;
};

Bounded *bounded_new(const char *path, gsize keep, GError **error)
{
	FILE *file = path ? fopen(path, "we") : NULL;
	if (path && !file) {
		kx_set_errno(error, errno, "cannot write %s", path);
		return NULL;
	}
	Bounded *b = g_new0(Bounded, 1);
	b->path = g_strdup(path);
	b->file = file;
	b->head = file ? NULL : g_string_new(NULL);
	b->keep = keep;
	g_queue_init(&b->tail);
	return b;
}

static void put(Bounded *b, const char *data, gsize len)
{
	if (b->file)
		fwrite(data, 1, len, b->file); /* errors are looked at once, at the end */
	else
		g_string_append_len(b->head, data, (gssize)len);
}

static void free_chunk(gpointer chunk)
{
	g_string_free(chunk, TRUE);
}

static void add_tail(Bounded *b, const char *data, gsize len)
{
	GString *last = g_queue_peek_tail(&b->tail);
	if (!last || last->len >= CHUNK)
		g_queue_push_tail(&b->tail, last = g_string_sized_new(CHUNK));
	g_string_append_len(last, data, (gssize)len);
	b->tail_len += len;
	for (GString *first = g_queue_peek_head(&b->tail); b->tail_len - first->len >= b->keep;
	     first = g_queue_peek_head(&b->tail)) {
		b->dropped += first->len;
		b->tail_len -= first->len;
		free_chunk(g_queue_pop_head(&b->tail));
	}
}

void bounded_add(Bounded *b, const char *data, gsize len)
{
	gsize n = MIN(len, b->keep - b->head_len);
	put(b, data, n);
	b->head_len += n;
	if (n < len)
		add_tail(b, data + n, len - n);
}

guint64 bounded_dropped(const Bounded *b)
{
	return b->dropped;
}

static void put_tail(Bounded *b)
{
	if (b->dropped) {
		g_autofree char *gap = g_strdup_printf(
			"\n[kexsect: %" G_GUINT64_FORMAT " bytes dropped here]\n", b->dropped);
		put(b, gap, strlen(gap));
	}
	for (GList *l = b->tail.head; l; l = l->next) {
		GString *chunk = l->data;
		put(b, chunk->str, chunk->len);
	}
}

bool bounded_finish(Bounded *b, char **ret_text, GError **error)
{
	bool ok = true;
	put_tail(b);
	if (b->file) {
		errno = 0;
		ok = fflush(b->file) == 0 && !ferror(b->file) && fsync(fileno(b->file)) == 0;
		if (!ok)
			kx_set_errno(error, errno ? errno : EIO, "cannot write %s", b->path);
	} else if (ret_text) {
		*ret_text = g_string_free(g_steal_pointer(&b->head), FALSE);
	}
	bounded_free(b);
	return ok;
}

void bounded_free(Bounded *b)
{
	if (!b)
		return;
	if (b->file)
		fclose(b->file);
	if (b->head)
		g_string_free(b->head, TRUE);
	g_queue_clear_full(&b->tail, free_chunk);
	g_free(b->path);
	g_free(b);
}
