/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <curl/curl.h>
#include <glib.h>
#include <stdbool.h>

#include "base/json.h"

#define NOTIFY_CONNECT_S 15
#define NOTIFY_DEADLINE_S 45

typedef struct {
	char *id; /* of the message: the same in each attempt */
	gint64 attempt;
	const json_t *request, *message; /* borrowed */
	GBytes *body;			 /* what is sent */
	gsize sent;			 /* of it */
	bool begun;			 /* some of it is on its way */
	CURL *curl;
	struct curl_slist *lists[2]; /* headers or addresses */
	char why[CURL_ERROR_SIZE];
	GString *answer; /* the beginning of what the receiver said */
} Attempt;

typedef enum { NOTIFY_SENT, NOTIFY_REFUSED, NOTIFY_FAILED } NotifyOutcome;

/* A secret of a file: at most 4 KiB, without the newline at its end. REFUSED when others may read
 * the file. */
char *notify_secret(const char *path, GError **error);

/* Prepare the transfer: all but the settings that both have. */
bool notify_prepare_webhook(Attempt *a, const json_t *webhook, GError **error);
bool notify_prepare_mail(Attempt *a, const json_t *mail, GError **error);
