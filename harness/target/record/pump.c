/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/record/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* As large as an ordinary user's pipe may be: QEMU goes on while the thread has no processor. */
#define PIPE_SIZE (1 << 20)
#define BLOCK (256u << 10)
/* After so long without a byte of the console, what the emulator recorded is not kept back for the
 * next one: a hung machine has no next one. Once, for it must not look alive. */
#define QUIET_US G_USEC_PER_SEC
/* So much text waits for its receiver at most. The console alone is slower than that by far. */
#define MAX_WAITING (64u << 20)

struct RecordPump {
	char *path;
	int fifo, ready, stop; /* ready, stop: eventfds */
	GThread *thread;
	RecordMerge *merge;
	GString *text; /* the thread's own, of one block */
	guint64 console_bytes;
	gint64 quiet_since; /* 0: it was told already */
	GMutex lock;	    /* of the rest */
	GString *queue;
	gsize taken;  /* of the queue's beginning */
	guint64 lost; /* bytes for which there was no room */
	bool over;
};

static void signal_event(int fd)
{
	guint64 one = 1;
	if (write(fd, &one, sizeof(one)) < 0) {
		/* EAGAIN: it is signalled, and will not count further */
	}
}

/* Gives the text to the receiver, all of it or nothing. */
static void hand_over(RecordPump *p, bool over)
{
	g_mutex_lock(&p->lock);
	bool room = p->queue->len - p->taken < MAX_WAITING;
	if (room && p->lost)
		g_string_append_printf(p->queue,
				       "\n[kexsect: %" G_GUINT64_FORMAT " bytes dropped here]\n",
				       p->lost);
	if (room)
		g_string_append_len(p->queue, p->text->str, (gssize)p->text->len);
	p->lost = room ? 0 : p->lost + p->text->len;
	p->over = over;
	g_mutex_unlock(&p->lock);
	if (p->text->len || over)
		signal_event(p->ready);
	g_string_truncate(p->text, 0);
}

static bool read_block(RecordPump *p, char *block)
{
	ssize_t n = read(p->fifo, block, BLOCK);
	if (n <= 0)
		return false;
	record_merge_feed(p->merge, block, (gsize)n);
	hand_over(p, false);
	return true;
}

static void look_for_quiet(RecordPump *p)
{
	guint64 bytes = record_merge_totals(p->merge).console_bytes;
	gint64 now = g_get_monotonic_time();
	if (bytes != p->console_bytes) {
		p->console_bytes = bytes;
		p->quiet_since = now;
	} else if (p->quiet_since && now - p->quiet_since > QUIET_US) {
		p->quiet_since = 0;
		record_merge_flush(p->merge);
		hand_over(p, false);
	}
}

static gpointer run(gpointer user)
{
	RecordPump *p = user;
	g_autofree char *block = g_malloc(BLOCK);
	struct pollfd fds[2] = {{p->fifo, POLLIN, 0}, {p->stop, POLLIN, 0}};
	while (!fds[1].revents) {
		if (poll(fds, 2, QUIET_US / 1000) < 0 && errno != EINTR)
			break;
		if (fds[0].revents)
			read_block(p, block);
		look_for_quiet(p);
	}
	/* whoever wrote is dead: a pipe's content at most */
	for (int i = 0; i < 2 * PIPE_SIZE / 4096 && read_block(p, block); i++)
		;
	record_merge_finish(p->merge);
	hand_over(p, true);
	return NULL;
}

static bool open_all(RecordPump *p, GError **error)
{
	g_unlink(p->path);
	if (mkfifo(p->path, 0600) != 0) {
		kx_set_errno(error, errno, "cannot make %s", p->path);
		return false;
	}
	/* for writing too: so it has no end when QEMU opens and closes it as it likes */
	p->fifo = open(p->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	p->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->fifo < 0 || p->ready < 0 || p->stop < 0) {
		kx_set_errno(error, errno, "cannot open %s", p->path);
		return false;
	}
	if (fcntl(p->fifo, F_SETPIPE_SZ, PIPE_SIZE) < 0)
		g_debug("%s: %s", p->path, g_strerror(errno));
	return true;
}

RecordPump *record_pump_new(const char *path, guint64 max_records, GError **error)
{
	RecordPump *p = g_new0(RecordPump, 1);
	p->path = g_strdup(path);
	p->fifo = p->ready = p->stop = -1;
	p->text = g_string_new(NULL);
	p->queue = g_string_new(NULL);
	p->merge = record_merge_new(p->text, max_records);
	g_mutex_init(&p->lock);
	if (open_all(p, error))
		p->thread = g_thread_try_new("record", run, p, error);
	if (p->thread)
		return p;
	record_pump_free(p);
	return NULL;
}

int record_pump_fd(const RecordPump *p)
{
	return p->ready;
}

ssize_t record_pump_read(gpointer pump, char *buf, gsize size)
{
	RecordPump *p = pump;
	guint64 events;
	g_mutex_lock(&p->lock);
	gsize n = MIN(size, p->queue->len - p->taken);
	memcpy(buf, p->queue->str + p->taken, n);
	p->taken += n;
	bool empty = p->taken == p->queue->len, end = p->over && n == 0;
	if (empty || p->taken > MAX_WAITING / 4) {
		g_string_erase(p->queue, 0, (gssize)p->taken);
		p->taken = 0;
	}
	if (empty && !p->over && read(p->ready, &events, sizeof(events)) < 0) {
		/* EAGAIN: nobody signalled */
	}
	g_mutex_unlock(&p->lock);
	if (n > 0 || end)
		return (ssize_t)n;
	errno = EAGAIN;
	return -1;
}

void record_pump_stop(RecordPump *p)
{
	if (!p->thread)
		return;
	signal_event(p->stop);
	g_thread_join(g_steal_pointer(&p->thread));
}

RecordTotals record_pump_totals(const RecordPump *p)
{
	return record_merge_totals(p->merge);
}

void record_pump_free(RecordPump *p)
{
	if (!p)
		return;
	record_pump_stop(p);
	const int fds[] = {p->fifo, p->ready, p->stop};
	for (gsize i = 0; i < G_N_ELEMENTS(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (p->fifo >= 0)
		g_unlink(p->path);
	record_merge_free(p->merge);
	g_string_free(p->text, TRUE);
	g_string_free(p->queue, TRUE);
	g_mutex_clear(&p->lock);
	g_free(p->path);
	g_free(p);
}
