/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Child processes: run one to its end, or follow one from the main loop. A child gets a process
 * group of its own, is told to end (SIGTERM) when this process dies, and never inherits descriptors
 * above 2 but those it is given. What is left of the group when the child ends is killed. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
	/* the caller sets */
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
	const char *cwd;	 /* NULL: as here */
	const char *const *env;	 /* "NAME=value" entries added to (or replacing) ours; NULL: none */
	const char *input;	 /* standard input; NULL: /dev/null */
	const char *log_path;	 /* append stdout and stderr to this file instead of keeping them */
	unsigned timeout_s;	 /* 0: none; after it the group gets SIGTERM, 5 s later SIGKILL */
	const int *fds;		 /* descriptors that it inherits under the same numbers, ended by
				  * -1; it finds them by kx_proc_inherited(); NULL: none */
	bool at_once;	   /* do not wait until it has begun, which takes long when the machine is
			    * busy: what goes wrong then is its exit status 127. With kx_child_start
			    * and an argv[0] without a relative path */
	size_t max_output; /* bytes kept of each stream; 0: 16 MiB; the rest is dropped */
} KxProc;

typedef struct {
	int status; /* exit status 0–255, or 128 + signal number */
	char *out;  /* NUL-terminated; NULL with log_path */
	char *err;
	double wall_s;
} KxProcResult;

void kx_proc_result_clear(KxProcResult *r);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KxProcResult, kx_proc_result_clear)

/* Runs it and waits, without touching the default main context. True when it ran, whatever its exit
 * status; false with KX_ERROR_MISSING (no such program), KX_ERROR_TIMEOUT, KX_ERROR_CANCELLED (see
 * kx_cancelled) or KX_ERROR_FAILED. ret may be NULL. */
bool kx_proc_run(const KxProc *p, KxProcResult *ret, GError **error);

/* As kx_proc_run, and a non-zero exit status is an error (KX_ERROR_FAILED) that quotes the last
 * lines of standard error. */
bool kx_proc_check(const KxProc *p, KxProcResult *ret, GError **error);

/* The descriptors above 2 that this process was given by KxProc.fds, ended by -1. They are locks
 * that live as long as the work does: passed on to a job, never to a compiler. */
const int *kx_proc_inherited(void);

/* A child that is followed from the main loop. */
typedef struct KxChild KxChild;
/* One line of standard output, without its newline; longer than 1 MiB: cut. */
typedef void (*KxLineFunc)(const char *line, gpointer user);
/* It ended and all its output was read; status as in KxProcResult. The child is freed after. */
typedef void (*KxExitFunc)(int status, gpointer user);

/* Starts it on the default main context. Standard error goes to log_path (or ours). The handle is
 * valid until on_exit returns. NULL with *error set when it cannot be started. */
KxChild *kx_child_start(const KxProc *p, KxLineFunc on_line, KxExitFunc on_exit, gpointer user,
			GError **error);
int kx_child_pid(const KxChild *c);
/* Asks it to end: SIGTERM to its group, SIGKILL after `grace_s` seconds. */
void kx_child_stop(KxChild *c, unsigned grace_s);
/* Follows a child to its end, however it ends, on a loop of its own over the default main context;
 * kx_cancelled() stops it, with `grace_s` seconds. False with *error set when it cannot be started.
 */
bool kx_child_run(const KxProc *p, KxLineFunc on_line, gpointer user, unsigned grace_s,
		  GError **error);

/* When a process began (field 22 of /proc/PID/stat, in clock ticks since the machine's start): pid
 * and start time together are never used twice. 0: there is none. */
guint64 kx_start_time(int pid);

/* Stopping on request. kx_catch_signals() makes SIGINT, SIGTERM and SIGHUP set a flag instead of
 * killing; a second one kills. A running kx_proc_run ends with KX_ERROR_CANCELLED. */
void kx_catch_signals(void);
bool kx_cancelled(void);
/* A descriptor that becomes readable when cancelled, for poll loops; -1 before kx_catch_signals().
 */
int kx_cancel_fd(void);
