/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes on their way to the database, also while it cannot be written. */
#include "base/error.h"
#include "daemon/daemon-internal.h"
#include "daemon/sql.h"

/* Those who look on. */
static void tell(Daemon *d, const char *kind, const char *text)
{
	daemon_publish(d, NULL,
		       json_pack("{s:s, s:s, s:o}", "event", "journal", "kind", kind, "text",
				 kx_json_text(text)));
}

void daemon_in_trouble(Daemon *d, const GError *error)
{
	if (!d->trouble) {
		g_warning("%s; nothing new starts until that works again", error->message);
		queue_keep_note(d->queue, 0, (QueueNote){"disk", error->message});
		daemon_replan(d); /* who waits is told why */
		tell(d, "disk", error->message);
	}
	g_free(d->trouble);
	d->trouble = g_strdup(error->message);
}

bool daemon_save(Daemon *d, Submission *s, const char *kind, const char *text)
{
	g_autoptr(GError) error = NULL;
	QueueNote note = {kind, text};
	if (queue_save(d->queue, s, note, &error))
		return true;
	daemon_in_trouble(d, error);
	queue_keep(d->queue, s, note);
	return false;
}

void daemon_note(Daemon *d, const char *kind, const char *text)
{
	g_autoptr(GError) error = NULL;
	QueueNote note = {kind, text};
	tell(d, kind, text);
	if (queue_note(d->queue, note, &error))
		return;
	daemon_in_trouble(d, error);
	queue_keep_note(d->queue, 0, note);
}

void daemon_save_again(Daemon *d)
{
	g_autoptr(GError) error = NULL;
	if (!d->trouble)
		return;
	/* what was kept goes before it */
	QueueNote note = {"disk-back", "the queue can be written again"};
	if (!queue_note(d->queue, note, &error)) {
		daemon_in_trouble(d, error);
		return;
	}
	g_message("%s", note.text);
	tell(d, note.kind, note.text);
	g_clear_pointer(&d->trouble, g_free);
	daemon_replan(d);
}

bool daemon_verify(const char *state, const DaemonConfig *c, GError **error)
{
	if (!queue_verify(state, error))
		return false;
	g_autofree char *results = g_build_filename(c->results, "kexsect.db", NULL);
	g_autoptr(GError) why = NULL;
	g_autoptr(Sql) sql = sql_verify(results, &why);
	if (sql || g_error_matches(why, KX_ERROR, KX_ERROR_MISSING))
		return true; /* no campaign ran yet */
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}
