/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kexsectd.yaml: how the daemon runs this lab. docs/daemon.md describes every key. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/config_notify.h"

/* What is checked before a campaign's first sitting. */
typedef enum {
	CONFIG_PREFLIGHT_UNSET,
	CONFIG_PREFLIGHT_NONE,
	CONFIG_PREFLIGHT_QUICK, /* files, tools, disk, machines */
	CONFIG_PREFLIGHT_BOOT,	/* all, and boots of both ends */
} ConfigPreflight;

typedef struct {
	char *name;
	unsigned slots;		   /* campaigns at once; default 1 */
	unsigned quarantine_after; /* failures in a row; 0: as in limits */
} ConfigTarget;

typedef struct {
	unsigned jobs;	      /* campaigns at once on all targets; default 2 */
	double disk_free_gib; /* less than this on any of its disks: nothing runs; default 4 */
	double campaign_gib;  /* evidence of one campaign that was submitted without; 0: no limit */
	double cache_gib;     /* what a run leaves in the cache; default 30 */
	unsigned builds;      /* compilers at once, of all campaigns; default 0: no limit */
	unsigned queue;	      /* submissions that are not over yet; default 1000 */
	unsigned queue_of_user;	   /* of one user; default 200 */
	unsigned retries;	   /* failures in a row without a new trial; default 5 */
	unsigned quarantine_after; /* failures of a target in a row; default 3 */
	unsigned
		stall_minutes; /* a campaign without a trial or a build; default 60, 0: no notice */
	unsigned request_s;    /* HTTP: for a whole request; default 30 */
	unsigned answer_s;     /* HTTP: for a whole answer; default 600 */
} ConfigLimits;

typedef struct {
	char *certificate, *key; /* PEM files, absolute; NULL: no TLS */
} ConfigTls;

typedef struct {
	char *results, *cache; /* folders; after loading never NULL, absolute */
	char *window;	       /* hours of campaigns that were submitted without; NULL: always */
	char *socket_group;    /* who may use the socket; NULL: only the daemon's own user */
	ConfigLimits limits;
	ConfigPreflight preflight; /* default boot */
	char *listen;		   /* HTTP: "127.0.0.1:8470", "[::1]:8470"; NULL: none */
	bool listen_given;	   /* it is in the file, not the default */
	int read_without_token; /* on loopback: 1 everybody, 0 nobody, -1 (default) who may use the
				 * socket */
	ConfigTls tls;
	char **hosts; /* names by which a browser on this machine may call it, besides localhost */
	unsigned hosts_count;
	unsigned keep_days; /* key retention.days: evidence that no verdict needs; default 30, 0:
			     * for ever */
	double keep_gib;    /* key retention.gib: evidence of all runs; default 0: no limit */
	ConfigTarget *targets;
	unsigned targets_count;
	ConfigNotify *notify;
	unsigned notify_count;
} DaemonConfig;

/* Reads it and fills in the defaults. `path` NULL: all defaults. `state`: the state folder, below
 * which results/ and cache/ are unless the file (of the cache also $KEXSECT_CACHE) names others.
 * Errors say FILE:line:column. */
DaemonConfig *daemon_config_load(const char *path, const char *state, GError **error);
void daemon_config_free(DaemonConfig *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaemonConfig, daemon_config_free)
/* After how many failures in a row nothing starts on a target. */
unsigned daemon_config_quarantine_after(const DaemonConfig *c, const char *target);
/* How many campaigns a target takes at once. */
unsigned daemon_config_slots(const DaemonConfig *c, const char *target);
