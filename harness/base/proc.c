/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/proc-internal.h"

#define DEFAULT_MAX_OUTPUT (16u << 20)
#define KILL_GRACE_MS 5000

void kx_proc_result_clear(KxProcResult *r)
{
	g_clear_pointer(&r->out, g_free);
	g_clear_pointer(&r->err, g_free);
}

int kx_proc_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 255;
}

/* Between fork and exec: only async-signal-safe calls. */
static void child_setup(gpointer parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != GPOINTER_TO_INT(parent))
		_exit(127); /* the parent died before PDEATHSIG was set */
	signal(SIGPIPE, SIG_DFL);
}

static int open_input(const char *input)
{
	if (!input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("kexsect-input", MFD_CLOEXEC);
	size_t len = strlen(input);
	if (fd >= 0 && (write(fd, input, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

#define FDS_VARIABLE "KEXSECT_FDS"

const int *kx_proc_inherited(void)
{
	static GArray *fds;
	if (fds)
		return (const int *)(void *)fds->data;
	const char *text = g_getenv(FDS_VARIABLE);
	g_auto(GStrv) numbers = g_strsplit(text ? text : "", ",", -1);
	fds = g_array_new(TRUE, FALSE, sizeof(int));
	for (char **n = numbers; *n; n++) {
		gint64 fd;
		if (g_ascii_string_to_signed(*n, 10, 3, G_MAXINT, &fd, NULL) &&
		    fcntl((int)fd, F_GETFD) >= 0) {
			int number = (int)fd;
			g_array_append_val(fds, number);
		}
	}
	int end = -1;
	g_array_append_val(fds, end);
	return (const int *)(void *)fds->data;
}

static gsize count_fds(const int *fds)
{
	gsize n = 0;
	while (fds && fds[n] >= 0)
		n++;
	return n;
}

static char **name_fds(char **env, const int *fds)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (; fds && *fds >= 0; fds++)
		g_string_append_printf(text, "%s%d", text->len ? "," : "", *fds);
	return text->len ? g_environ_setenv(env, FDS_VARIABLE, text->str, TRUE)
			 : g_environ_unsetenv(env, FDS_VARIABLE);
}

static char **merged_environment(const char *const *env, const int *fds)
{
	char **all = name_fds(g_get_environ(), fds);
	for (; env && *env; env++) {
		const char *eq = strchr(*env, '=');
		g_autofree char *name = eq ? g_strndup(*env, (gsize)(eq - *env)) : NULL;
		if (name)
			all = g_environ_setenv(all, name, eq + 1, TRUE);
	}
	return all;
}

/* In the child, all signals blocked: only async-signal-safe calls. */
static void become(const KxProc *p, const char *program, char **env, const int std[3], pid_t parent)
{
	sigset_t none;
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL); /* some cannot be set */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	child_setup(GINT_TO_POINTER(parent));
	for (int i = 0; i < 3; i++)
		if (std[i] >= 0 && dup2(std[i], i) < 0)
			_exit(127);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	for (const int *fd = p->fds; fd && *fd >= 0; fd++)
		fcntl(*fd, F_SETFD, 0);
	if (!p->cwd || chdir(p->cwd) == 0)
		execve(program, (char *const *)p->argv, env);
	_exit(127);
}

/* std: above 2, or -1: as it is here. */
static pid_t spawn_at_once(const KxProc *p, const char *program, char **env, const int std[3])
{
	sigset_t all, before;
	pid_t parent = getpid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid == 0)
		become(p, program, env, std, parent);
	if (pid > 0)
		setpgid(pid, pid); /* whoever comes first: its group can be signalled from now on */
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

/* The same with pipes, for kx_proc_spawn(). */
static pid_t begin_at_once(const KxProc *p, char **env, int in, int log, int *ret_out_fd,
			   GError **error)
{
	g_autofree char *program = g_find_program_in_path(p->argv[0]);
	int out[2];
	if (!program) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "%s: no such program in PATH (scripts/deps lists the packages)",
			    p->argv[0]);
		return -1;
	}
	if (pipe2(out, O_CLOEXEC) != 0) {
		kx_set_errno(error, errno, "cannot start %s", p->argv[0]);
		return -1;
	}
	pid_t pid = spawn_at_once(p, program, env, (const int[]){in, out[1], log});
	int err = errno;
	close(out[1]);
	if (pid > 0) {
		*ret_out_fd = out[0];
		return pid;
	}
	close(out[0]);
	kx_set_errno(error, err, "cannot start %s", p->argv[0]);
	return -1;
}

pid_t kx_proc_spawn(const KxProc *p, int *ret_out_fd, int *ret_err_fd, GError **error)
{
	int in = open_input(p->input), log = -1;
	if (in < 0) {
		kx_set_errno(error, errno, "%s: cannot prepare its standard input", p->argv[0]);
		return -1;
	}
	if (p->log_path) {
		log = open(p->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
		if (log < 0) {
			kx_set_errno(error, errno, "cannot write %s", p->log_path);
			close(in);
			return -1;
		}
	}
	g_auto(GStrv) env = merged_environment(p->env, p->fds);
	if (p->at_once && ret_out_fd && !ret_err_fd) {
		pid_t begun = begin_at_once(p, env, in, log, ret_out_fd, error);
		close(in);
		if (log >= 0)
			close(log);
		return begun;
	}
	bool pipe_out = ret_out_fd && (!p->log_path || !ret_err_fd);
	bool pipe_err = ret_err_fd && !p->log_path;
	GPid pid = -1;
	GError *e = NULL;
	gboolean ok = g_spawn_async_with_pipes_and_fds(
		p->cwd, p->argv, (const char *const *)env,
		G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CLOEXEC_PIPES,
		child_setup, GINT_TO_POINTER(getpid()), in, pipe_out ? -1 : log,
		pipe_err ? -1 : log, p->fds, p->fds, count_fds(p->fds), &pid, NULL,
		pipe_out ? ret_out_fd : NULL, pipe_err ? ret_err_fd : NULL, &e);
	close(in);
	if (log >= 0)
		close(log);
	if (ok)
		return pid;
	if (g_error_matches(e, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT))
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING,
			    "%s: no such program in PATH (scripts/deps lists the packages)",
			    p->argv[0]);
	else
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "cannot start %s: %s", p->argv[0],
			    e->message);
	g_error_free(e);
	return -1;
}

/* Keeps what fits into max, drops the rest; false at the end of the stream. */
static bool drain(int fd, GString *into, size_t max)
{
	char buf[65536];
	ssize_t n = read(fd, buf, sizeof(buf));
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n > 0 && into->len < max)
		g_string_append_len(into, buf, (gssize)MIN((size_t)n, max - into->len));
	return n > 0;
}

static void set_end_error(const KxProc *p, bool cancelled, GError **error)
{
	if (cancelled)
		g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "%s: stopped on request",
			    p->argv[0]);
	else
		g_set_error(error, KX_ERROR, KX_ERROR_TIMEOUT, "%s: not done after %u s, killed",
			    p->argv[0], p->timeout_s);
}

/* True when it ended; then what it left behind in its group is killed too. */
static bool reap(pid_t pid, int *ret_status)
{
	siginfo_t info = {0};
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid)
		return false;
	kill(-pid, SIGKILL); /* before the pid is given back and can mean another group */
	waitpid(pid, ret_status, 0);
	return true;
}

/* Follows the pipes and the process until both are at their end. Returns the wait status; *ret_why
 * is 0, or 't' or 'c' when it was killed for a time-out or on request. */
static int follow(const KxProc *p, pid_t pid, int fds[2], GString *text[2], char *ret_why)
{
	gint64 start = g_get_monotonic_time();
	gint64 deadline = p->timeout_s ? start + p->timeout_s * G_TIME_SPAN_SECOND : G_MAXINT64;
	size_t max = p->max_output ? p->max_output : DEFAULT_MAX_OUTPUT;
	gint64 kill_at = G_MAXINT64;
	int status = 0;
	bool reaped = false;

	*ret_why = 0;
	while (!reaped || fds[0] >= 0 || fds[1] >= 0) {
		gint64 now = g_get_monotonic_time();
		if (!*ret_why && !reaped && (now >= deadline || kx_cancelled())) {
			*ret_why = kx_cancelled() ? 'c' : 't';
			kill(-pid, SIGTERM);
			kill_at = now + KILL_GRACE_MS * 1000;
		}
		if (now >= kill_at) {
			kill(-pid, SIGKILL);
			kill_at = G_MAXINT64;
		}
		if (!reaped)
			reaped = reap(pid, &status);
		/* Who left the group may hold the pipes open: after the end, read only what is
		 * there. */
		struct pollfd polls[3] = {{fds[0], POLLIN, 0},
					  {fds[1], POLLIN, 0},
					  {*ret_why ? -1 : kx_cancel_fd(), POLLIN, 0}};
		int ready = poll(polls, 3, reaped ? 0 : 20);
		for (int i = 0; i < 2; i++)
			if (fds[i] >= 0 && ((polls[i].revents && !drain(fds[i], text[i], max)) ||
					    (reaped && !ready))) {
				close(fds[i]);
				fds[i] = -1;
			}
	}
	return status;
}

bool kx_proc_run(const KxProc *p, KxProcResult *ret, GError **error)
{
	int fds[2] = {-1, -1};
	gint64 start = g_get_monotonic_time();
	pid_t pid =
		kx_proc_spawn(p, p->log_path ? NULL : &fds[0], p->log_path ? NULL : &fds[1], error);
	if (pid < 0)
		return false;

	GString *text[2] = {g_string_new(NULL), g_string_new(NULL)};
	char why;
	int status = follow(p, pid, fds, text, &why);
	KxProcResult r = {.status = kx_proc_status(status),
			  .out = g_string_free(text[0], FALSE),
			  .err = g_string_free(text[1], FALSE),
			  .wall_s = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC};
	if (why) {
		set_end_error(p, why == 'c', error);
		kx_proc_result_clear(&r);
		return false;
	}
	if (ret)
		*ret = r;
	else
		kx_proc_result_clear(&r);
	return true;
}

static const char *last_lines(char *text)
{
	g_strchomp(text);
	const char *at = text + strlen(text);
	for (int lines = 0; at > text; at--)
		if (at[-1] == '\n' && ++lines == 5)
			break;
	return at;
}

bool kx_proc_check(const KxProc *p, KxProcResult *ret, GError **error)
{
	g_auto(KxProcResult) r = {0};
	if (!kx_proc_run(p, &r, error))
		return false;
	if (r.status != 0) {
		const char *said = r.err && *r.err ? last_lines(r.err)
				   : r.out	   ? last_lines(r.out)
						   : "";
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s ended with status %d%s%s%s%s",
			    p->argv[0], r.status, *said ? ": " : "", said,
			    p->log_path ? "; see " : "", p->log_path ? p->log_path : "");
		return false;
	}
	if (ret) {
		*ret = r;
		r = (KxProcResult){0};
	}
	return true;
}

guint64 kx_start_time(int pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
	g_autofree char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return 0;
	const char *at = strrchr(text, ')'); /* a name may hold anything */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? g_ascii_strtoull(at + 1, NULL, 10) : 0;
}
