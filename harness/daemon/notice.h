/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The outbox of queue.db: messages to receivers, made from the journal. A line of the journal
 * becomes (a part of) at most one message for each receiver: that, and how far the journal was
 * read, is one transaction. Errors as in queue.h.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/json.h"
#include "daemon/config_notify.h"
#include "daemon/queue.h"

#define NOTICE_FULL 100 /* lines in a message at most */
#define NOTICE_LOOSE 5	/* messages of one line that wait; more lines are put together */

typedef struct {
	gint64 id;
	char *uuid; /* of the message: webhook-id, Message-ID */
	char *receiver, *type;
	json_t *content; /* {"lines": […]}, or {"title", "text"} of what is not from the journal */
	char *state;	 /* pending, sending, sent, given-up */
	unsigned attempts;
	gint64 created_us, next_us, done_us;
	char *detail; /* of the last attempt */
} Notice;

void notice_free(Notice *n);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Notice, notice_free)

/* From now on these are the receivers; a new one begins with the next line of the journal. */
bool queue_set_receivers(Queue *q, const ConfigNotify *all, unsigned n, GError **error);
/* Makes messages of at most 500 new lines. *ret_more: there may be more. */
bool queue_fill_notices(Queue *q, const ConfigNotify *all, unsigned n, bool *ret_more,
			GError **error);
/* A message of its own. With `moment_us` it is the summary of that moment, and remembered. The id;
 * 0: *error. */
gint64 queue_add_notice(Queue *q, const char *receiver, const char *type, const json_t *content,
			gint64 moment_us, GError **error);
/* When the last summary was due, or when the receiver was new; -1: *error. */
gint64 queue_last_summary(Queue *q, const char *receiver, GError **error);

/* What was begun and not settled, else the oldest one that is due. NULL: none (*ret_next_us: when
 * the next one is, G_MAXINT64: there is none), or *error. */
Notice *queue_due_notice(Queue *q, const char *receiver, gint64 now_us, gint64 *ret_next_us,
			 GError **error);
bool queue_save_notice(Queue *q, const Notice *n, QueueNote note, GError **error);
/* Gives up what was made before `before_us` for receivers that are no more, and forgets what was
 * settled before `forget_us`. */
bool queue_prune_notices(Queue *q, gint64 before_us, gint64 forget_us, GError **error);
/* uuids of what is not settled: a set of new strings. */
GHashTable *queue_open_notices(Queue *q, GError **error);
/* {"pending", "given_up"} of one receiver or (NULL) of all. New reference; NULL: *error. */
json_t *queue_count_notices(Queue *q, const char *receiver, GError **error);
/* The newest ones with an id below `before` (0: any), newest first: {"id", "uuid", "receiver",
 * "type", "state", "attempts", "created_us", "next_us", "done_us", "detail", "about": what it tells
 * in a line, "" of what tells many things}. */
json_t *queue_notices(Queue *q, gint64 before, unsigned limit, GError **error);
