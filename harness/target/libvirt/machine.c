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
#include "target/agent_link.h"
#include "target/libvirt/libvirt-internal.h"

static void tell(Machine *m, TargetEvent event)
{
	m->ended = true;
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
	m->ended = false;
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
	m->ended = false;
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

/* The record holds the console; nobody needs to listen at its socket. */
static int open_console(Machine *m, TargetLink *ret, GError **error)
{
	if (!m->pump)
		return connect_to(m->console, error);
	int fd = fcntl(record_pump_fd(m->pump), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		kx_set_errno(error, errno, "cannot read the emulator's record");
	ret->read = record_pump_read;
	ret->source = m->pump;
	return fd;
}

bool machine_connect(Machine *m, TargetLink *ret, GError **error)
{
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
	if (!m->dom)
		return;
	kill_process(m);
	m->pid = 0;
	virDomainDestroyFlags(m->dom, VIR_DOMAIN_DESTROY_DEFAULT);
	virDomainFree(m->dom);
	m->dom = NULL;
	if (m->pump)
		record_pump_stop(m->pump);
	flush_events();
}

/* What is needed to wait for an agent. */
typedef struct {
	TargetLink link;
	MachineFrameFunc func;
	gpointer user;
	bool answered, timed_out;
	GString *console;
} Wait;

static void on_frame(AgentType type, const char *payload, gsize len, gpointer user)
{
	Wait *w = user;
	w->answered = w->answered || w->func(type, payload, len, w->user);
}

static gboolean on_ping(gpointer user)
{
	agent_link_send_text(user, AGENT_PING, "launcher?");
	return G_SOURCE_CONTINUE;
}

static gboolean on_timeout(gpointer user)
{
	((Wait *)user)->timed_out = true;
	return G_SOURCE_CONTINUE;
}

static gboolean on_console(GIOChannel *channel, GIOCondition condition, gpointer user)
{
	Wait *w = user;
	char buf[4096];
	ssize_t n = target_link_read(&w->link, buf, sizeof(buf));
	if (n < 0 && errno == EAGAIN)
		return G_SOURCE_CONTINUE;
	if (n <= 0)
		return G_SOURCE_REMOVE;
	g_string_append_len(w->console, buf, n);
	if (w->console->len > 64 * 1024)
		g_string_erase(w->console, 0, 32 * 1024);
	return G_SOURCE_CONTINUE;
}

static const char *last_lines(GString *text, int lines)
{
	g_strchomp(text->str);
	const char *at = text->str + strlen(text->str);
	for (; at > text->str; at--)
		if (at[-1] == '\n' && lines-- == 0)
			break;
	return *at ? at : "nothing at all";
}

static bool wait_result(Machine *m, Wait *w, unsigned seconds, GError **error)
{
	if (w->answered)
		return true;
	if (kx_cancelled())
		g_set_error(error, KX_ERROR, KX_ERROR_CANCELLED, "stopped on request");
	else if (m->ended)
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "the machine ended; its console said: %s", last_lines(w->console, 3));
	else
		g_set_error(error, KX_ERROR, KX_ERROR_TIMEOUT,
			    "the machine's agent did not answer in %u s; its console said: %s",
			    seconds, last_lines(w->console, 3));
	return false;
}

bool machine_wait(Machine *m, unsigned seconds, MachineFrameFunc func, gpointer user,
		  GError **error)
{
	TargetLink link = {.console = -1, .agent = -1};
	if (!machine_connect(m, &link, error))
		return false;
	Wait w = {.link = link, .func = func, .user = user, .console = g_string_new(NULL)};
	AgentLink *agent = agent_link_new(link.agent, on_frame, &w);
	g_autoptr(GIOChannel) console = g_io_channel_unix_new(link.console);
	g_autoptr(GSource) watch = g_io_create_watch(console, G_IO_IN | G_IO_HUP | G_IO_ERR);
	g_source_set_callback(watch, G_SOURCE_FUNC(on_console), &w, NULL);
	g_source_attach(watch, NULL);
	guint ping = g_timeout_add(100, on_ping, agent);
	guint timeout = g_timeout_add_seconds(seconds, on_timeout, &w);
	bool ok = machine_resume(m, error);
	while (ok && !w.answered && !w.timed_out && !m->ended && !kx_cancelled())
		g_main_context_iteration(NULL, TRUE);
	ok = ok && wait_result(m, &w, seconds, error);
	g_source_remove(ping);
	g_source_remove(timeout);
	g_source_destroy(watch);
	agent_link_free(agent);
	close(link.console);
	g_string_free(w.console, TRUE);
	return ok;
}

static bool is_launcher(AgentType type, const char *payload, gsize len, gpointer user)
{
	g_autofree char *role = type == AGENT_HELLO ? agent_hello_value(payload, "role") : NULL;
	return g_strcmp0(role, "launcher") == 0;
}

bool machine_wait_launcher(Machine *m, unsigned seconds, GError **error)
{
	return machine_wait(m, seconds, is_launcher, NULL, error);
}
