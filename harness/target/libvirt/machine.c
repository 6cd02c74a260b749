/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/proc.h"
#include "target/answer.h"
#include "target/libvirt/libvirt-internal.h"

/* Between a BREAK and its key: a UART that has no queue loses what comes at once. */
#define BREAK_US (20 * 1000)

static void tell(Machine *m, TargetEvent event)
{
	/* a reset that the recovery ladder asked for is no end */
	m->ended = m->ended || event != TARGET_EVENT_RESET || !m->resets;
	if (!m->quiet)
		target_notify(m->t, event);
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *user)
{
	if (event == VIR_DOMAIN_EVENT_STOPPED)
		tell(user, detail == VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN ? TARGET_EVENT_POWEROFF
								       : TARGET_EVENT_DIED);
	return 0;
}

static void on_reboot(virConnectPtr conn, virDomainPtr dom, void *user)
{
	tell(user, TARGET_EVENT_RESET);
}

static void on_watchdog(virConnectPtr conn, virDomainPtr dom, int action, void *user)
{
	tell(user, TARGET_EVENT_WATCHDOG);
}

bool machine_init(Machine *m, Target *t, virConnectPtr conn, const char *dir, GError **error)
{
	*m = (Machine){.conn = conn,
		       .t = t,
		       .quiet = true,
		       .input = -1,
		       .dir = g_strdup(dir),
		       .callbacks = {-1, -1, -1}};
	m->console = g_build_filename(dir, "console", NULL);
	m->agent = g_build_filename(dir, "agent", NULL);
	const struct {
		int id;
		virConnectDomainEventGenericCallback call;
	} wanted[G_N_ELEMENTS(m->callbacks)] = {
		{VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
		{VIR_DOMAIN_EVENT_ID_REBOOT, VIR_DOMAIN_EVENT_CALLBACK(on_reboot)},
		{VIR_DOMAIN_EVENT_ID_WATCHDOG, VIR_DOMAIN_EVENT_CALLBACK(on_watchdog)},
	};
	for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++) {
		m->callbacks[i] = virConnectDomainEventRegisterAny(conn, NULL, wanted[i].id,
								   wanted[i].call, m, NULL);
		if (m->callbacks[i] < 0)
			return libvirt_failed(error, "cannot register for events");
	}
	return true;
}

/* Events of the dead domain must not be taken for events of the next one. */
static void flush_events(void)
{
	for (int i = 0; i < 20 && g_main_context_iteration(NULL, FALSE); i++)
		;
}

void machine_clear(Machine *m)
{
	machine_kill(m);
	for (gsize i = 0; m->conn && i < G_N_ELEMENTS(m->callbacks); i++)
		if (m->callbacks[i] >= 0)
			virConnectDomainEventDeregisterAny(m->conn, m->callbacks[i]);
	flush_events(); /* what was on its way to them */
	embed_close(m->conn);
	g_free(m->dir);
	g_free(m->console);
	g_free(m->agent);
	g_free(m->record);
	g_clear_pointer(&m->pump, record_pump_free);
	*m = (Machine){0};
}

/* With the embedded driver QEMU is a process of ours, and this is libvirt's file about it. */
static void note_pid(Machine *m)
{
	g_autofree char *path = g_strdup_printf("%s/l/run/qemu/" DOMAIN_NAME ".pid", m->dir);
	g_autofree char *text = NULL;
	m->pid = 0;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return;
	m->pid = (int)g_ascii_strtoll(text, NULL, 10);
	rundir_note_pid(m->dir, m->pid);
}

static bool start_pump(Machine *m, GError **error)
{
	g_clear_pointer(&m->pump, record_pump_free);
	if (!m->record)
		return true;
	m->pump = record_pump_new(m->record, m->t->o.config->vm.record_lines, error);
	return m->pump != NULL;
}

bool machine_create(Machine *m, const char *xml, GError **error)
{
	m->ended = m->resets = false;
	if (!start_pump(m, error))
		return false;
	m->dom = virDomainCreateXML(m->conn, xml, VIR_DOMAIN_START_PAUSED);
	if (!m->dom)
		return libvirt_failed(error, "cannot start the machine");
	note_pid(m);
	return true;
}

bool machine_restore(Machine *m, const char *image, const char *xml, GError **error)
{
	m->ended = m->resets = false;
	if (!start_pump(m, error))
		return false;
	if (virDomainRestoreFlags(m->conn, image, xml, VIR_DOMAIN_SAVE_PAUSED) < 0)
		return libvirt_failed(error, "cannot restore the launcher");
	m->dom = virDomainLookupByName(m->conn, DOMAIN_NAME);
	if (!m->dom)
		return libvirt_failed(error, "the restored launcher ended at once");
	note_pid(m);
	return true;
}

static int connect_to(const char *path, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >=
	    sizeof(address.sun_path)) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: too long for a socket", path);
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	kx_set_errno(error, errno, "cannot connect to the machine at %s", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Kept beside what is read from: QEMU takes one connection to a console, and a key of SysRq goes
 * the other way. */
static int keep_input(Machine *m, int fd)
{
	m->input = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	return fd;
}

static void close_input(Machine *m)
{
	if (m->input >= 0)
		close(m->input);
	m->input = -1;
}

/* The record holds the console; nobody needs to listen at its socket. */
static int open_console(Machine *m, TargetLink *ret, GError **error)
{
	if (!m->pump)
		return keep_input(m, connect_to(m->console, error));
	int fd = fcntl(record_pump_fd(m->pump), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		kx_set_errno(error, errno, "cannot read the emulator's record");
	ret->read = record_pump_read;
	ret->source = m->pump;
	return fd;
}

bool machine_connect(Machine *m, TargetLink *ret, GError **error)
{
	close_input(m);
	int console = open_console(m, ret, error);
	int agent = console >= 0 ? connect_to(m->agent, error) : -1;
	if (agent < 0) {
		if (console >= 0)
			close(console);
		return false;
	}
	ret->console = console;
	ret->agent = agent;
	return true;
}

bool machine_resume(Machine *m, GError **error)
{
	return virDomainResume(m->dom) == 0 || libvirt_failed(error, "cannot let the machine run");
}

/* libvirt's own way, SIGTERM and looking again in steps of 0.2 s, costs up to a second for each
 * boot, and nothing in this machine needs to be flushed. Once the process is gone (reaped by
 * guard.h), virDomainDestroy finds nothing to wait for. */
static void kill_process(Machine *m)
{
	if (m->pid <= 1 || kill(m->pid, SIGKILL) != 0)
		return;
	for (int i = 0; i < 100 && kill(m->pid, 0) == 0; i++)
		g_usleep(2000);
}

void machine_kill(Machine *m)
{
	m->quiet = true;
	close_input(m);
	if (!m->dom)
		return;
	kill_process(m);
	virDomainDestroyFlags(m->dom, VIR_DOMAIN_DESTROY_DEFAULT);
	machine_forget(m);
	if (m->pump)
		record_pump_stop(m->pump);
	flush_events();
}

bool machine_wait(Machine *m, unsigned seconds, AnswerFrameFunc func, gpointer user, GError **error)
{
	TargetLink link = {.console = -1, .agent = -1};
	if (!machine_connect(m, &link, error))
		return false;
	AnswerWait wait = {.seconds = seconds, .on_frame = func, .user = user, .ended = &m->ended};
	if (machine_resume(m, error))
		return answer_wait(&link, &wait, error);
	close(link.console);
	close(link.agent);
	return false;
}

/* ---- the orders of the recovery ladder: on any thread, and they may hang ---- */

/* What QEMU's own protocol can do and libvirt's cannot. */
static bool monitor(Machine *m, const char *command, GError **error)
{
	g_autofree char *json = g_strdup_printf(
		"{\"execute\":\"%s\",\"arguments\":{\"id\":\"charserial0\"}}", command);
	char *reply = NULL;
	bool ok = virDomainQemuMonitorCommand(m->dom, json, &reply, 0) == 0 ||
		  libvirt_failed(error, command);
	free(reply);
	return ok;
}

bool machine_sysrq(Machine *m, char key, GError **error)
{
	if (m->input < 0)
		m->input = connect_to(m->console, error);
	if (m->input < 0 || !m->dom || !monitor(m, "chardev-send-break", error))
		return false;
	g_usleep(BREAK_US);
	return send(m->input, &key, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

bool machine_reset(Machine *m, GError **error)
{
	m->resets = true;
	if (!m->dom) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "the machine does not run");
		return false;
	}
	return virDomainReset(m->dom, 0) == 0 || libvirt_failed(error, "cannot reset");
}

bool machine_power_off(Machine *m, GError **error)
{
	if (!m->dom)
		return true;
	kill_process(m);
	return virDomainDestroyFlags(m->dom, VIR_DOMAIN_DESTROY_DEFAULT) == 0 ||
	       machine_powered(m) == 0 || libvirt_failed(error, "cannot switch off");
}

/* Not by asking libvirt where it can be seen: a monitor that hangs would hang the question. */
int machine_powered(const Machine *m)
{
	int state = VIR_DOMAIN_NOSTATE;
	if (!m->dom)
		return 0;
	if (m->pid > 1)
		return kill(m->pid, 0) == 0;
	if (virDomainGetState(m->dom, &state, NULL, 0) < 0)
		return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN ? 0 : -1;
	return state != VIR_DOMAIN_SHUTOFF && state != VIR_DOMAIN_CRASHED;
}

void machine_forget(Machine *m)
{
	if (m->dom)
		virDomainFree(m->dom);
	m->dom = NULL;
	m->pid = 0;
}
