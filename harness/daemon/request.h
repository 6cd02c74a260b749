/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be asked of the daemon, version 1. One JSON object, whatever it came through (a line on
 * the UNIX socket; another way fills in the same struct):
 *
 *   {"v": 1, "do": "submit", "snapshot": {…} (snapshot.h), "priority": 0, "window": "22:00-07:00",
 *    "hours": 8, "boots": 300, "compile_minutes": 90, "disk_gib": 20, "again": false, "preflight":
 * true}
 *   {"v": 1, "do": "list", "state": "running", "before": 17, "limit": 50}
 *   {"v": 1, "do": "status", "id": 3}        also: watch, pause, resume, cancel
 *   {"v": 1, "do": "journal", "after": 120, "limit": 100}
 *   {"v": 1, "do": "targets"}
 *   {"v": 1, "do": "release", "target": "vm-vtd"}      also: check; quarantine, with "reason"
 *   {"v": 1, "do": "notices", "before": 17, "limit": 20}           the outbox, newest first
 *   {"v": 1, "do": "notify-test", "receiver": "team"}
 *   {"v": 1, "do": "summary", "since_us": 1763845200000000}
 *   {"v": 1, "do": "ping"}
 *
 * An unknown key is an error. The answer is one object: {"v": 1, "ok": true, …} or
 * {"v": 1, "ok": false, "error": {"code", "message"}}, code as request_error_code().
 */
#pragma once

#include <stdbool.h>

#include "base/json.h"

#define REQUEST_VERSION 1
#define REQUEST_MAX_BYTES (33u << 20) /* a snapshot, coded */
#define REQUEST_MAX_PLAIN (16u << 10) /* anything but a submission */

typedef enum {
	REQUEST_PING,
	REQUEST_SUBMIT,
	REQUEST_LIST,
	REQUEST_STATUS,
	REQUEST_WATCH,
	REQUEST_PAUSE,
	REQUEST_RESUME,
	REQUEST_CANCEL,
	REQUEST_JOURNAL,
	REQUEST_TARGETS,
	REQUEST_RELEASE,
	REQUEST_QUARANTINE,
	REQUEST_CHECK,
	REQUEST_NOTICES,
	REQUEST_NOTIFY_TEST,
	REQUEST_SUMMARY,
} RequestKind;

typedef struct {
	RequestKind kind;
	gint64 id;
	/* submit */
	json_t *snapshot; /* checked by snapshot_check() */
	int priority;	  /* -100…100 */
	char *window;	  /* NULL: none */
	double hours, compile_minutes, disk_gib;
	unsigned boots;
	bool again;
	bool no_preflight;
	/* release, quarantine, check */
	char *target;
	char *receiver; /* notify-test */
	char *reason;	/* NULL: none */
	/* list, journal */
	int state; /* SubmissionState, -1: any */
	gint64 before, after;
	gint64 since_us; /* summary */
	unsigned limit;	 /* 1…1000; default 100 */
} Request;

/* Checks one; what is in *ret before is lost. INPUT says what is wrong. `len` bytes without the
 * newline. Pure. */
bool request_parse(const char *line, size_t len, Request *ret, GError **error);
void request_clear(Request *r);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Request, request_clear)

/* {"v": 1, "ok": true}, to add to. */
json_t *request_answer(void);
json_t *request_refusal(const GError *error);
/* "input", "missing", "no_space", "busy", "timeout", "refused", "digest", "failed" */
const char *request_error_code(const GError *error);
/* The error of an answer, or NULL when it is ok. */
GError *request_answer_error(const json_t *answer);
