/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer target for what the daemon reads: requests from its socket, and an engine's events; see
 * scripts/fuzz. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon-internal.h"
#include "daemon/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken is within its limits; what is refused says why in one printable line. */
static void check_request(const char *line, size_t len)
{
	g_autoptr(GError) error = NULL;
	g_auto(Request) r = {0};
	if (request_parse(line, len, &r, &error)) {
		bool submits = r.kind == REQUEST_SUBMIT;
		if (error || r.id < 0 || r.priority < -100 || r.priority > 100 || r.hours < 0 ||
		    r.hours > 1e5 || r.compile_minutes < 0 || submits != (r.snapshot != NULL) ||
		    (submits && !snapshot_check(r.snapshot, NULL)) || r.limit > 1000)
			abort();
		return;
	}
	json_t *refusal = request_refusal(error);
	GError *back = request_answer_error(refusal);
	if (!back || strlen(back->message) > 400)
		abort();
	for (const char *p = back->message; *p; p++)
		if (g_ascii_iscntrl(*p))
			abort();
	g_error_free(back);
	json_decref(refusal);
}

/* Whatever an engine says, the progress can be written as JSON. */
static void check_event(const char *line, size_t len)
{
	json_t *event = json_loadb(line, len, JSON_DECODE_ANY, NULL);
	json_t *progress = json_object();
	if (json_is_object(event)) {
		progress_take(progress, event);
		progress_take(progress, event);
	}
	char *text = json_dumps(progress, 0);
	if (!text)
		abort();
	free(text);
	json_decref(progress);
	json_decref(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_request((const char *)data, size);
	check_event((const char *)data, size);
	return 0;
}
