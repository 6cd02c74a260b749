/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify: one attempt to deliver one message to one receiver (docs/notifications.md).
 *
 * The request names the files that hold the secrets; they are read here and nowhere else, and are
 * in no line, receipt or message of this program.
 */
#pragma once

/* Makes the attempt, prints one line and leaves the same in receipt.json beside the request, on
 * disk before the process ends:
 *   {"id", "attempt", "outcome": "sent"|"refused"|"failed", "status", "retry_after_s", "detail"}
 * sent: the receiver took it. refused: it said that it never will (HTTP 4xx but 408, 425, 429; SMTP
 * 5xx). failed: try again. `status` is the receiver's (0: there was none). SIGTERM ends it as long
 * as nothing of the message is on its way; from then on it waits for the answer, at most until its
 * deadline. Returns the exit status: 0 sent, 1 not, 2 the request is none. */
int job_notify_main(const char *request_path);
