/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "target/simulated/simulated-internal.h"

#define OFF_TRIES 5

typedef struct {
	SimMachine *machine;
	pid_t pid; /* of its voice; 0: none */
	int go;	   /* tells it to begin; -1: it has begun */
	guint end_source;
	gint64 epoch; /* when it began */
	char *cold, *cmdline;
} Simulated;

/* ---- its process ---- */

static void reap(Simulated *s)
{
	if (!s->pid)
		return;
	kill(s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
}

static void stop(Target *t)
{
	Simulated *s = t->priv;
	g_clear_handle_id(&s->end_source, g_source_remove);
	reap(s);
	if (s->go >= 0)
		close(s->go);
	s->go = -1;
}

static void power_gone(SimState *s, gconstpointer user)
{
	s->powered = s->hung = false;
	s->runs = SIM_NOTHING;
	s->version[0] = 0;
}

/* It was switched off or reset; else it ended by itself, or somebody killed it: the machine has
 * lost its power. */
static gboolean on_end(int fd, GIOCondition condition, gpointer user)
{
	Target *t = user;
	Simulated *s = t->priv;
	s->end_source = 0;
	close(fd);
	reap(s);
	if (sim_state(s->machine).epoch != s->epoch)
		return G_SOURCE_REMOVE;
	sim_change(s->machine, power_gone, NULL);
	target_notify(t, TARGET_EVENT_DIED);
	return G_SOURCE_REMOVE;
}

static void close_pair(int pair[2])
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

/* Starts its voice and connects to it; go() lets it begin. */
static bool connect_machine(Target *t, TargetLink *ret, GError **error)
{
	Simulated *s = t->priv;
	int console[2] = {-1, -1}, agent[2] = {-1, -1}, start[2] = {-1, -1};
	stop(t);
	bool ok = pipe2(console, O_CLOEXEC) == 0 && pipe2(start, O_CLOEXEC) == 0 &&
		  socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, agent) == 0;
	s->epoch = sim_state(s->machine).epoch;
	fflush(NULL);
	s->pid = ok ? fork() : -1;
	if (s->pid == 0) {
		SimWires w = {console[1], agent[1], start[0], s->cold, s->cmdline};
		sim_process(s->machine, &w);
	}
	int end = s->pid > 0 ? pidfd_open(s->pid, 0) : -1;
	if (end < 0) {
		kx_set_errno(error, errno, "cannot start a simulated machine");
		s->pid = MAX(s->pid, 0);
		reap(s);
		close_pair(console);
		close_pair(agent);
		close_pair(start);
		return false;
	}
	close(console[1]);
	close(agent[1]);
	close(start[0]);
	s->go = start[1];
	s->end_source = g_unix_fd_add(end, G_IO_IN, on_end, t);
	*ret = (TargetLink){.console = console[0], .agent = agent[0]};
	return true;
}

static bool go(Target *t, GError **error)
{
	Simulated *s = t->priv;
	if (s->go >= 0 && write(s->go, "g", 1) != 1)
		g_debug("the simulated machine is gone already");
	if (s->go >= 0)
		close(s->go);
	s->go = -1;
	return true;
}

/* ---- power ---- */

/* What the order changed is done to the process, too. */
static bool order(Target *t, SimOrder what, GError **error)
{
	Simulated *s = t->priv;
	bool obeyed;
	if (!sim_bmc(s->machine, what, &obeyed, error))
		return false;
	if (obeyed && s->pid > 0)
		kill(s->pid, SIGKILL);
	return true;
}

static bool reset(Target *t, GError **error)
{
	return order(t, SIM_BMC_RESET, error);
}

static bool power(Target *t, bool on, GError **error)
{
	return order(t, on ? SIM_BMC_ON : SIM_BMC_OFF, error);
}

static int powered(Target *t)
{
	const Simulated *s = t->priv;
	bool on;
	return sim_bmc_powered(s->machine, &on, NULL) ? on : -1;
}

static bool attach(Target *t, TargetLink *ret, GError **error)
{
	return connect_machine(t, ret, error) && go(t, error);
}

static bool interrupt(Target *t)
{
	const Simulated *s = t->priv;
	return s->pid > 0 && kill(s->pid, SIM_NMI) == 0;
}

/* ---- boots ---- */

static void forget_cold(Simulated *s)
{
	g_clear_pointer(&s->cold, g_free);
	g_clear_pointer(&s->cmdline, g_free);
}

/* What ran before is over; a machine that does not obey goes on with it, and then its launcher does
 * not answer. */
static bool begin_afresh(Target *t, GError **error)
{
	Simulated *s = t->priv;
	stop(t);
	bool on = sim_state(s->machine).powered;
	return order(t, on ? SIM_BMC_RESET : SIM_BMC_ON, error);
}

static bool start_launcher(Target *t, const TargetOrders *orders, TargetLink *ret, GError **error)
{
	forget_cold(t->priv);
	return begin_afresh(t, error) && connect_machine(t, ret, error);
}

/* Nothing tells a machine that goes on from one whose kernel says nothing, so the power is seen to
 * go before a cold boot. */
static bool switch_off(Target *t, GError **error)
{
	for (int i = 0; i < OFF_TRIES; i++) {
		if (!order(t, SIM_BMC_OFF, NULL))
			continue;
		if (powered(t) == 0 && powered(t) == 0)
			return true;
	}
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "%s cannot be switched off for a cold boot: ordered %d times",
		    t->o.config->name, OFF_TRIES);
	return false;
}

static bool start_cold(Target *t, const TargetImage *image, TargetLink *ret, GError **error)
{
	Simulated *s = t->priv;
	forget_cold(s);
	s->cold = g_strdup(image->kernel);
	s->cmdline = g_strdup(image->cmdline);
	stop(t);
	return switch_off(t, error) && order(t, SIM_BMC_ON, error) &&
	       connect_machine(t, ret, error);
}

static void distrust(Target *t)
{
}

/* ---- open, close ---- */

/* There is no initramfs to make; what is delivered in its place is not looked at. */
static bool write_initrd(Target *t, GError **error)
{
	const Simulated *s = t->priv;
	static const char text[] = "the initramfs of a simulated machine\n";
	t->variant_initrd = g_build_filename(s->machine->folder, "initrd", NULL);
	return g_file_test(t->variant_initrd, G_FILE_TEST_EXISTS) ||
	       kx_write_file(t->variant_initrd, text, -1, error);
}

static bool open_simulated(Target *t, GError **error)
{
	Simulated *s = t->priv = g_new0(Simulated, 1);
	s->go = -1;
	s->machine = sim_open(t->o.config, t->o.cache, error);
	t->description = g_strdup("SIMULATED machine: no kernel ran");
	return s->machine && write_initrd(t, error);
}

static void close_simulated(Target *t)
{
	Simulated *s = t->priv;
	if (!s)
		return;
	stop(t);
	forget_cold(s);
	sim_close(s->machine);
	g_free(s);
}

static void check(const TargetConfig *config, const char *cache, GPtrArray *checks)
{
	g_autoptr(GError) e = NULL;
	g_autofree char *folder = sim_folder(config, cache);
	bool ok = kx_mkdir(folder, &e);
	target_check_add(checks, "simulated", true,
			 g_strdup("no kernel runs there: what it says is made up"));
	target_check_add(checks, "state", ok, g_strdup(ok ? folder : e->message));
}

static unsigned sweep(const char *cache)
{
	return 0; /* its processes end with the job */
}

const TargetOps target_simulated_ops = {
	.name = "simulated",
	.driver = TARGET_SIMULATED,
	.open = open_simulated,
	.start_launcher = start_launcher,
	.start_cold = start_cold,
	.go = go,
	.interrupt = interrupt,
	.reset = reset,
	.power = power,
	.powered = powered,
	.attach = attach,
	.stop = stop,
	.distrust = distrust,
	.close = close_simulated,
	.check = check,
	.sweep = sweep,
};
