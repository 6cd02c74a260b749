/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/trace.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "target/console/bounded.h"
#include "target/limited.h"
#include "target/recover.h"

/* The first and the last so many bytes are kept; a trace of all tasks of a large machine is long.
 */
#define KEEP (512u << 10)
/* A kernel that hears has begun to answer by then, and has ended when it says nothing for so long.
 */
#define DEAF_S 1.0
#define QUIET_S 0.3
/* So much of an answer is looked at. */
#define ANSWER (16u << 10)
/* For one order to the machine's control. */
#define ORDER_S 3.0

struct Trace {
	Target *t;
	Console *console;
	char *path;
	Bounded *file;
	guint64 bytes;
	gint64 byte_us;
	GString *answer; /* the beginning of what came of the last question */
	bool (*is_over)(gpointer user);
	gpointer user;
};

typedef struct {
	const Trace *tr;
	guint64 before;
	gint64 start_us, end_us;
} Answer;

Trace *trace_new(Target *t, const char *folder, Console *console)
{
	Trace *tr = g_new0(Trace, 1);
	tr->t = t;
	tr->console = console;
	tr->answer = g_string_new(NULL);
	tr->path = g_build_filename(folder, "trace.log", NULL);
	return tr;
}

void trace_feed(Trace *tr, const char *data, gsize len)
{
	if (!tr->file)
		tr->file = bounded_new(tr->path, KEEP, NULL);
	if (tr->file)
		bounded_add(tr->file, data, len);
	if (tr->answer->len < ANSWER)
		g_string_append_len(tr->answer, data, (gssize)len);
	tr->bytes += len;
	tr->byte_us = g_get_monotonic_time();
}

static gint64 us(const Trace *tr, double seconds)
{
	return (gint64)(target_seconds(tr->t, seconds) * G_USEC_PER_SEC);
}

static bool has_answered(gpointer user)
{
	const Answer *a = user;
	const Trace *tr = a->tr;
	gint64 now = g_get_monotonic_time();
	if (now >= a->end_us || tr->is_over(tr->user))
		return true;
	if (tr->bytes == a->before)
		return now - a->start_us > us(tr, DEAF_S);
	return now - tr->byte_us > us(tr, QUIET_S);
}

/* A heading, in the file and on the console. */
static void announce(Trace *tr, const char *what)
{
	g_autofree char *why = g_strdup_printf("%s sent for a trace", what);
	g_autofree char *line = g_strdup_printf("[kexsect: %s]\n", why);
	console_end_variant(tr->console, why, g_get_monotonic_time());
	trace_feed(tr, line, strlen(line));
}

/* "sysrq: Show backtrace of all active CPUs" (drivers/tty/sysrq.c; before 5.1 "SysRq : Show …"). A
 * hung kernel may also have said something by itself. */
static bool names_sysrq(const Trace *tr)
{
	const char *end = tr->answer->str + tr->answer->len;
	for (const char *p = tr->answer->str; p + 5 <= end; p++)
		if (g_ascii_strncasecmp(p, "sysrq", 5) == 0)
			return true;
	return false;
}

static bool send_key(Target *t, int key, GError **error)
{
	return t->ops->sysrq(t, (char)key);
}

static bool send_nmi(Target *t, int arg, GError **error)
{
	return t->ops->interrupt(t);
}

/* False: the machine's control hangs. ret_heard: something came. */
static bool ask(Trace *tr, const char *name, const char *what, LimitedFunc order, int arg,
		gint64 end_us, GPtrArray *steps, bool *ret_heard)
{
	g_autoptr(GError) why = NULL;
	double limit = (double)MAX(end_us - g_get_monotonic_time(), 0) / G_USEC_PER_SEC;
	double order_s = target_seconds(tr->t, ORDER_S);
	TargetStep *step = target_step_begin(steps, name, MAX(limit, order_s));
	announce(tr, what);
	g_string_truncate(tr->answer, 0);
	Answer a = {.tr = tr,
		    .before = tr->bytes,
		    .start_us = g_get_monotonic_time(),
		    .end_us = end_us};
	bool sent = limited_call(tr->t, order_s, order, arg, &why);
	if (sent)
		limited_wait(limit, has_answered, &a);
	*ret_heard = order == send_key ? names_sysrq(tr) : tr->bytes > a.before;
	if (sent)
		target_step_end(tr->t, step, *ret_heard, "%" G_GUINT64_FORMAT " bytes of answer",
				tr->bytes - a.before);
	else
		target_step_end(tr->t, step, false, "%s", why->message);
	return !g_error_matches(why, KX_ERROR, KX_ERROR_TIMEOUT);
}

bool trace_take(Trace *tr, bool (*is_over)(gpointer user), gpointer user, GPtrArray *steps)
{
	static const char keys[] = "lwt";
	const TargetOps *ops = tr->t->ops;
	gint64 now = g_get_monotonic_time();
	gint64 all = us(tr, tr->t->o.config->timeouts.trace);
	bool heard = ops->sysrq != NULL, works = true;
	tr->is_over = is_over;
	tr->user = user;
	/* the NMI, which may end the kernel, comes last and has the last third */
	for (const char *key = keys; *key && heard && works && !is_over(user); key++) {
		g_autofree char *name = g_strdup_printf("sysrq-%c", *key);
		g_autofree char *what = g_strdup_printf("SysRq %c", *key);
		works = ask(tr, name, what, send_key, *key, now + all * (key - keys + 1) * 2 / 9,
			    steps, &heard);
	}
	if (ops->interrupt && works && !is_over(user))
		works = ask(tr, "nmi", "NMI", send_nmi, 0, now + all, steps, &heard);
	return works;
}

bool trace_finish(Trace *tr, bool *ret_any, GError **error)
{
	bool ok = true;
	if (!tr)
		return true;
	*ret_any = tr->file != NULL;
	if (tr->file)
		ok = bounded_finish(g_steal_pointer(&tr->file), NULL, error);
	g_string_free(tr->answer, TRUE);
	g_free(tr->path);
	g_free(tr);
	return ok;
}
