/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whoever is killed, an orphan that the body started must die. The orphan holds the writing end of
 * a pipe: end of file is its death, in whatever PID namespace it lived. */
#include <linux/capability.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "target/guard.h"
#include "target/target.h"

#define ROUNDS 40 /* the moment matters: the process between may not have run since it forked */

static int pipe_fds[2];

/* As QEMU under libvirt: a session of its own, its parent gone. */
static void start_orphan(void)
{
	if (fork() != 0)
		return;
	setsid();
	if (fork() != 0)
		_exit(0);
	signal(SIGTERM, SIG_IGN);
	if (write(pipe_fds[1], "o", 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

static int sleeping_body(void *user)
{
	start_orphan();
	for (;;)
		pause();
	return 0;
}

static int dying_body(void *user)
{
	start_orphan();
	g_usleep(200000);
	raise(SIGKILL);
	return 0;
}

static int returning_body(void *user)
{
	start_orphan();
	g_usleep(200000);
	return 7;
}

static volatile sig_atomic_t asked;

static void on_term(int number)
{
	asked++;
}

static int polite_body(void *user)
{
	signal(SIGTERM, on_term);
	start_orphan();
	while (!asked)
		pause();
	g_usleep(300000); /* time for a second signal to come, if one were sent */
	return asked == 1 ? 5 : 6;
}

static void drop_admin(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) != 0)
		return;
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1u << CAP_SYS_ADMIN);
	syscall(SYS_capset, &header, data);
}

/* A process group with a guarded body in it; returns when the orphan runs. */
static pid_t start(int (*body)(void *), bool admin)
{
	char byte;
	assert_int_equal(pipe(pipe_fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		if (!admin)
			drop_admin();
		close(pipe_fds[0]);
		_exit(guard_run(body, NULL));
	}
	close(pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	return pid;
}

static int end(pid_t pid)
{
	int status;
	char byte;
	struct pollfd p = {pipe_fds[0], POLLIN, 0};
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 0);
	close(pipe_fds[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t child_of(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", pid, pid);
	g_autofree char *text = NULL;
	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return (pid_t)g_ascii_strtoll(text, NULL, 10);
}

static const bool modes[] = {true, false};

static void test_caller_killed(void **state)
{
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = start(sleeping_body, modes[i % 2]);
		kill(pid, SIGKILL);
		assert_int_equal(end(pid), 128 + SIGKILL);
	}
}

static void test_process_between_killed(void **state)
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = start(sleeping_body, modes[i]);
		kill(child_of(pid), SIGKILL);
		assert_int_equal(end(pid), 128 + SIGKILL);
	}
}

static void test_body_killed(void **state)
{
	for (int i = 0; i < 2; i++)
		assert_int_equal(end(start(dying_body, modes[i])), 128 + SIGKILL);
}

static void test_body_returns(void **state)
{
	for (int i = 0; i < 2; i++)
		assert_int_equal(end(start(returning_body, modes[i])), 7);
}

/* A signal to the whole process group (Ctrl-C, or a job that is stopped) is one request, not three.
 */
static void test_stop_request_comes_once(void **state)
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = start(polite_body, modes[i]);
		kill(-pid, SIGTERM);
		assert_int_equal(end(pid), 5);
	}
}

/* What a job left that was killed with all its guards. */
static void test_sweep(void **state)
{
	g_autofree char *cache = g_dir_make_tmp("kexsect-sweep-XXXXXX", NULL);
	g_autofree char *vm = g_build_filename(cache, "vm", NULL);
	g_autofree char *dead = g_build_filename(vm, "123-dead", NULL);
	g_autofree char *alive = g_build_filename(vm, "124-live", NULL);
	g_autofree char *lock_path = g_build_filename(alive, "lock", NULL);
	assert_true(kx_mkdir(dead, NULL) && kx_mkdir(alive, NULL));
	int lock = kx_lock_file(lock_path, false, NULL);
	assert_true(lock >= 0);
	assert_int_equal(target_sweep(cache), 1);
	assert_false(g_file_test(dead, G_FILE_TEST_EXISTS));
	assert_true(g_file_test(alive, G_FILE_TEST_EXISTS));
	close(lock);
	assert_int_equal(target_sweep(cache), 1);
	kx_remove_tree(cache, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caller_killed),
		cmocka_unit_test(test_process_between_killed),
		cmocka_unit_test(test_body_killed),
		cmocka_unit_test(test_body_returns),
		cmocka_unit_test(test_stop_request_comes_once),
		cmocka_unit_test(test_sweep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
