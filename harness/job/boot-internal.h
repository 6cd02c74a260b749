/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <jansson.h>

#include "campaign/campaign.h"
#include "oracle/oracle.h"
#include "target/target.h"

/* ---- boot_request.c ---- */
typedef struct {
	json_t *json; /* as it was read */
	TargetConfig *target;
	OracleConfig *oracle;
	const char *kernel, *identity, *cmdline, *launcher_kernel, *cache, *evidence; /* in json */
	BootMode mode;
	unsigned boots, first;
	unsigned stop_at;     /* bit per Outcome: the batch ends after such a trial */
	unsigned phase_first; /* the first boot's place in the order of phases */
	gint64 phase_step;    /* -1: by that order */
	gint64 wait_us;	      /* -1: drawn for each boot from 0…launcher.jitter_us */
} BootRequest;

/* What is chosen for each boot, and must be the same when it is made again. */
typedef struct {
	unsigned number;
	unsigned wait_us;
	int phase_step; /* -1: the target has no phases */
	unsigned phase_us;
} BootMoment;

/* KX_ERROR_INPUT when the request itself is wrong; other codes when a file that it names is. */
BootRequest *boot_request_load(const char *path, GError **error);
void boot_request_free(BootRequest *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BootRequest, boot_request_free)
/* The request that makes boot `number` alone again, into another evidence folder. */
json_t *boot_request_repeat(const BootRequest *r, const BootMoment *when);

/* ---- boot_cmdline.c ---- */
/* Why a boot is no evidence: its kernel printed another command line than `wanted` (the whole one).
 * NULL when it is the same, or it printed none. New string. */
char *boot_cmdline_fault(const char *kmsg, const char *console, const char *wanted);

/* ---- boot_judge.c ---- */
/* What the oracle says of the evidence in `dir`, and no outcome where that is not to be had:
 * `clean` only if the alive marker and the identity were seen, never `fault` because the lab
 * failed, and nothing at all of a kernel that is not the one asked for or did not get its boot
 * parameters. */
OracleResult *boot_judge(const BootRequest *r, const TargetResult *t, const char *dir);
/* Of an infra outcome: "machine" or "harness"; else NULL. Static. */
const char *boot_cause(const OracleResult *judged, const TargetResult *t);

/* ---- boot_evidence.c ---- */
/* An empty folder for the evidence while it comes into being; the caller frees the path. */
char *boot_evidence_begin(const BootRequest *r, unsigned number, GError **error);
/* Where it will be. */
char *boot_evidence_path(const BootRequest *r, unsigned number);
/* Adds what the boot itself did not write, and puts the folder at its place, all of it flushed to
 * disk. An older folder there is moved aside (NNNNNN.1, …). */
bool boot_evidence_finish(const BootRequest *r, const BootMoment *when, const char *dir,
			  const OracleResult *judged, const json_t *line, GError **error);
