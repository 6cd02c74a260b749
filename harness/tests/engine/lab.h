/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the engine on a simulated lab and looks at what it left. */
#pragma once

#include <sys/types.h>

#include "base/json.h"
#include "store/store.h"

typedef struct {
	char *dir;     /* results; goes away */
	char *world;   /* file */
	json_t *rules; /* of the world; lab_set writes them */
} Lab;

/* cmocka setup and teardown: *state is a Lab with six candidates a–f (c needs b, d and e
 * conflict), of which "a" alone cures. */
int lab_setup(void **state);
int lab_teardown(void **state);

/* Sets a rule; `value` is JSON with ' for ". */
void lab_set(Lab *l, const char *key, const char *value);

typedef struct {
	int status; /* exit status, or 128 + signal */
	char *out, *err;
} LabRun;

void lab_run_clear(LabRun *r);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LabRun, lab_run_clear)

/* Runs the engine to its end; `words` for the driver, or NULL. */
LabRun lab_run(Lab *l, const char *words);
/* Starts it; its output goes to <dir>/out. */
pid_t lab_start(Lab *l, const char *words);
/* Waits for its end (at most 60 s). Exit status, or 128 + signal. */
int lab_wait(pid_t pid);

/* What a run left. Every finding is a test failure: rows and folders match one to one, no number
 * twice, no job left running. */
typedef struct {
	Store *store;
	StoreCampaign *run;
	GPtrArray *trials, *builds, *events, *candidates;
	StoreVerdict *verdict;
	unsigned outcomes[6]; /* fault, clean, hang, panic, noboot, infra */
} LabView;

LabView lab_look(Lab *l, const char *slug);
void lab_view_clear(LabView *v);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LabView, lab_view_clear)
unsigned lab_events(const LabView *v, const char *kind);
bool lab_has_event(const LabView *v, const char *kind, unsigned trial);
/* Fails unless the verdict is `kind` with exactly these members ("a b"; "" for none). */
void lab_expect(const LabView *v, const char *kind, const char *members);
