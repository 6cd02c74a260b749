/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the document is made: what was read from the store, and the parts of the document. */
#pragma once

#include "report/report.h"
#include "store/store.h"

typedef struct {
	StoreCampaign *run;
	GPtrArray *candidates; /* StoreCandidate */
	GPtrArray *builds;     /* StoreBuild */
	GPtrArray *trials;     /* StoreTrial */
	GPtrArray *posteriors; /* StorePosterior */
	GPtrArray *faults;     /* StoreFault */
	GPtrArray *events;     /* StoreEvent */
	StoreVerdict *verdict; /* NULL: none yet */
	StoreTimes times;
	/* documents of these names (lineage: history); null when there is none. orders: what each
	 * order that was made is called, by its mask */
	json_t *matrix, *environment, *lineage, *survey, *orders;
	StoreState state; /* a run that nobody works on any more is stopped */

	GHashTable *variants; /* mask (guint64 *) → index + 1 in `masks` */
	GArray *masks;	      /* of uint64_t: the base, what the answer needs, then as they came */
	/* of the verdict, else of the last belief */
	const char *leading_kind; /* set, either, none, empty; "" when nothing is known */
	uint64_t leading;	  /* set, either: its members */
	double leading_probability;
} Model;

/* ---- parts of the document (new references) ---- */

json_t *model_variants(const Model *m);	   /* variants.c */
json_t *model_trials(const Model *m);	   /* variants.c */
json_t *model_evidence(const Model *m);	   /* claims.c: verdict.evidence */
json_t *model_survey(const Model *m);	   /* survey.c; NULL: there is none */
bool model_is_survey(const Model *m);	   /* survey.c; nothing was searched */
json_t *model_conflicts(const Model *m);   /* claims.c */
json_t *model_hypotheses(const Model *m);  /* belief.c */
json_t *model_history(const Model *m);	   /* belief.c */
json_t *model_rates(const Model *m);	   /* belief.c; NULL: nothing was observed */
json_t *model_candidates(const Model *m);  /* belief.c */
json_t *model_measures(const Model *m);	   /* measures.c; NULL: nothing was measured */
json_t *model_effects(const Model *m);	   /* measures.c; NULL: nothing to compare */
json_t *model_faults(const Model *m);	   /* evidence.c */
json_t *model_timeline(const Model *m);	   /* timeline.c; NULL: nothing to compare */
json_t *model_repeat(const Model *m);	   /* repeat.c */
json_t *model_environment(const Model *m); /* repeat.c */
/* What was done about a kernel that hung or a machine that failed, as its evidence has it; a new
 * string, NULL: nothing (recovery.c). */
char *model_recovery(const StoreTrial *t);
/* "COMMAND ARGUMENT", the argument quoted for the shell where it must be (repeat.c). */
char *model_command(const char *command, const char *argument);

/* ---- variants (space.c) ---- */

/* The candidates are commits, and a variant or set is the number of one of them (0: the start). */
bool model_is_history(const Model *m);
/* They are versions; a variant is the number of one, from 1. */
bool model_is_versions(const Model *m);
json_t *model_names(const Model *m, uint64_t mask);
uint64_t model_mask_of(const Model *m, const json_t *names);
/* `mask` with all that it depends on. */
uint64_t model_closure(const Model *m, uint64_t mask);
/* The part that is compiled: without boot parameters. */
uint64_t model_compiled(const Model *m, uint64_t mask);
/* Whether a variant has all of a set; a commit, whether it has another one. */
bool model_holds(const Model *m, uint64_t variant, uint64_t set);
/* The number of the commit before. */
uint64_t model_parent(const Model *m, uint64_t number);

/* ---- helpers (build.c) ---- */

/* The variant of the leading answer; 0 when it is not a set. */
uint64_t model_answer(const Model *m);
bool model_cures(const Model *m);
/* Index in `masks`; -1. */
int model_variant(const Model *m, uint64_t mask);
/* "2026-11-22T14:41:07Z"; NULL for 0. */
char *model_time(gint64 us);
/* A new string, valid UTF-8, of at most MODEL_TEXT_MAX bytes and "…". */
json_t *model_text(const char *text);
#define MODEL_TEXT_MAX 4096
/* A number in 0…1. */
json_t *model_probability(double p);
/* Sets it unless it is "" or NULL: what is not known is absent. */
void model_set_text(json_t *object, const char *key, const char *text);
/* `path` relative to the run's folder; NULL when it is not below it. */
char *model_link(const Model *m, const char *path);
/* At most `max` bytes of a file from its start; NULL when it cannot be read. */
char *model_read(const char *folder, const char *name, size_t max, size_t *ret_len);
/* The first trial of a variant (-1: of any) with this outcome and an evidence folder; NULL. */
const StoreTrial *model_example(const Model *m, int variant, const char *outcome);
