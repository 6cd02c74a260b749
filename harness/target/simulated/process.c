/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The voice of a machine: what its console and its agent say while somebody listens. It goes on
 * from what the files say that the machine does. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/agent_protocol.h"
#include "base/fs.h"
#include "target/simulated/simulated-internal.h"

#define LAUNCHER_VERSION "0.0.0-simulated (kexsect@simulated) #launcher SMP"
/* Steps of a boot, for sim_wait(). */
#define FIRMWARE_STEPS 4
#define LAUNCHER_STEPS 2
#define MAX_IMAGE (64u << 20)

typedef struct {
	SimMachine *m;
	const SimWires *w;
	AgentDecoder decoder;
	uint8_t buffer[AGENT_MAX_FRAME + 1];
	uint16_t sequence;
	GByteArray *file; /* that is being received */
	char file_name[16];
	gsize file_size;
	GByteArray *kernel;
	char *order; /* AGENT_KEXEC's text; NULL: none came */
	guint64 boot;
	gint64 kernel_us; /* time of the kernel's log */
	guint records;
	GString *log; /* /dev/kmsg: records with their length before them */
	SimKernel image;
} Voice;

static volatile sig_atomic_t nmi;

static void on_nmi(int number)
{
	nmi = 1;
}

/* ---- streams ---- */

/* The listener is gone: nobody hears the rest, but the machine does not care. */
static void write_all(int fd, const void *data, gsize len)
{
	const char *at = data;
	while (len > 0) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			at += n;
			len -= (gsize)n;
		}
	}
}

static void send_frame(Voice *v, AgentType type, const char *payload, gsize len)
{
	uint8_t frame[AGENT_HEADER];
	agent_frame_header(frame, type, v->sequence++, payload, len);
	write_all(v->w->agent, frame, sizeof(frame));
	write_all(v->w->agent, payload, len);
}

static G_GNUC_PRINTF(3, 4) void send_text(Voice *v, AgentType type, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	send_frame(v, type, text, MIN(strlen(text), AGENT_MAX_PAYLOAD));
}

/* A line of the kernel's log, on the console and in /dev/kmsg. */
static G_GNUC_PRINTF(2, 3) void say(Voice *v, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	gint64 us = v->kernel_us += 1000;
	g_autofree char *line = g_strdup_printf("[%5d.%06d] %s\r\n", (int)(us / G_USEC_PER_SEC),
						(int)(us % G_USEC_PER_SEC), text);
	write_all(v->w->console, line, strlen(line));
	g_autofree char *record =
		g_strdup_printf("6,%u,%" G_GINT64_FORMAT ",-;%s\n", v->records++, us, text);
	guint16 len = (guint16)MIN(strlen(record), G_MAXUINT16);
	g_string_append_len(v->log, (const char *)&len, sizeof(len));
	g_string_append_len(v->log, record, len);
}

static void step(Voice *v)
{
	double s = v->m->config->simulated.step_s;
	v->kernel_us += (gint64)(s * G_USEC_PER_SEC);
	sim_wait(v->m, s);
}

static void send_log(Voice *v)
{
	for (gsize at = 0; at < v->log->len;) {
		guint16 len;
		memcpy(&len, v->log->str + at, sizeof(len));
		send_frame(v, AGENT_KMSG, v->log->str + at + sizeof(len), len);
		at += sizeof(len) + len;
	}
	g_string_truncate(v->log, 0);
}

/* "#kx123 SMP": what `uname -v` says. */
static const char *uname_v(const char *version)
{
	const char *at = strchr(version, '#');
	return at ? at : "";
}

static void hello(Voice *v, const char *role, const char *version, const char *echo)
{
	send_text(v, AGENT_HELLO,
		  "role=%s\nrelease=simulated\nversion=%s\nboot_id=simulated-%" G_GUINT64_FORMAT
		  "\necho=%s\n",
		  role, uname_v(version), v->boot, echo);
}

/* ---- what it changes of itself ---- */

static void runs_launcher(SimState *s, gconstpointer user)
{
	s->runs = SIM_LAUNCHER;
}

static void is_hung(SimState *s, gconstpointer user)
{
	s->hung = true;
}

static void loses_power(SimState *s, gconstpointer user)
{
	s->powered = s->hung = false;
	s->runs = SIM_NOTHING;
	s->version[0] = 0;
}

static void runs_variant(SimState *s, gconstpointer version)
{
	s->boots++;
	s->runs = SIM_VARIANT;
	g_strlcpy(s->version, version, sizeof(s->version));
}

/* ---- silence ---- */

static void trace(Voice *v)
{
	say(v, "NMI backtrace for cpu 0 (simulated)");
	say(v, "Call Trace:");
	say(v, " simulated_wait_for_ever+0x1f/0x30");
	say(v, " pci_iommu_init+0x16/0x3f");
	say(v, " do_one_initcall+0x44/0x200");
	say(v, "Kernel panic - not syncing: NMI: Not continuing");
	say(v, "---[ end Kernel panic - not syncing: NMI: Not continuing ]---");
}

/* Until somebody switches it off. Only an NMI gets through, and only to a kernel. */
static void G_GNUC_NORETURN be_silent(Voice *v, bool kernel)
{
	for (;;) {
		if (nmi && kernel)
			trace(v);
		nmi = 0;
		poll(NULL, 0, 1000);
	}
}

static void G_GNUC_NORETURN hang(Voice *v)
{
	sim_change(v->m, is_hung, NULL);
	sim_note(v->m, "hung", json_pack("{s:I}", "boot", (json_int_t)v->boot));
	be_silent(v, true);
}

static void G_GNUC_NORETURN die(Voice *v)
{
	sim_change(v->m, loses_power, NULL);
	sim_note(v->m, "lost power", json_pack("{s:I}", "boot", (json_int_t)v->boot));
	_exit(0);
}

/* ---- the agent's side ---- */

static void begin_file(Voice *v, const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 2);
	g_byte_array_set_size(v->file, 0);
	g_strlcpy(v->file_name, words[0] ? words[0] : "", sizeof(v->file_name));
	v->file_size = words[0] && words[1] ? (gsize)g_ascii_strtoull(words[1], NULL, 10) : 0;
	if (v->file_size == 0 || v->file_size > MAX_IMAGE)
		send_text(v, AGENT_FAILED, "not a file that is taken: %.100s", text);
}

static void take_data(Voice *v, const uint8_t *data, gsize len)
{
	if (v->file->len + len > v->file_size)
		return;
	g_byte_array_append(v->file, data, (guint)len);
	if (v->file->len < v->file_size)
		return;
	if (g_str_equal(v->file_name, "kernel")) {
		g_byte_array_set_size(v->kernel, 0);
		g_byte_array_append(v->kernel, v->file->data, v->file->len);
	}
	send_text(v, AGENT_FILE_OK, "%s %" G_GSIZE_FORMAT, v->file_name, v->file_size);
}

static bool in_launcher(AgentType type, const uint8_t *payload, size_t len, void *user)
{
	Voice *v = user;
	if (type == AGENT_PING)
		hello(v, "launcher", LAUNCHER_VERSION, (const char *)payload);
	else if (type == AGENT_FILE)
		begin_file(v, (const char *)payload);
	else if (type == AGENT_DATA)
		take_data(v, payload, len);
	else if (type == AGENT_KEXEC)
		v->order = g_strdup((const char *)payload);
	return !v->order;
}

static bool in_variant(AgentType type, const uint8_t *payload, size_t len, void *user)
{
	Voice *v = user;
	if (type == AGENT_PING)
		hello(v, "variant", sim_state(v->m).version, (const char *)payload);
	return true;
}

/* Answers until `on_frame` has enough. */
static void answer(Voice *v, AgentFrameFunc on_frame)
{
	for (;;) {
		struct pollfd p = {v->w->agent, POLLIN, 0};
		char buf[65536];
		if (nmi)
			say(v, "Uhhuh. NMI received for unknown reason 30 on CPU 0 (simulated).");
		nmi = 0;
		if (poll(&p, 1, -1) <= 0)
			continue;
		ssize_t n = read(v->w->agent, buf, sizeof(buf));
		if (n == 0)
			be_silent(v, false); /* nobody asks any more */
		if (n > 0 && !agent_decode(&v->decoder, buf, (size_t)n, on_frame, v))
			return;
	}
}

/* ---- a kernel ---- */

static void fault_lines(Voice *v)
{
	static const char *const lines[] = {
		"fault addr 0x1ffde000 [fault reason 0x01] Present bit in root entry is clear",
		"fault addr 0x1ffde000 [fault reason 0x02] Present bit in context entry is clear",
	};
	for (guint i = 0; i < G_N_ELEMENTS(lines); i++)
		say(v, "DMAR: [DMA Read NO_PASID] Request device [00:02.0] %s", lines[i]);
}

static void first_lines(Voice *v)
{
	v->kernel_us = -1000;
	say(v, "Linux version %s", v->image.version);
	say(v, "Command line: %s", v->image.cmdline);
	say(v, "DMI: simulated machine %s, boot %" G_GUINT64_FORMAT " (no kernel runs)",
	    v->m->config->name, v->boot);
	step(v);
	say(v, "Kernel command line: %s", v->image.cmdline);
	say(v, "smpboot: Allowing 2 CPUs, 0 hotplug CPUs");
	step(v);
	say(v, "DMAR: Host address width 39");
	say(v, "DMAR: DRHD base: 0x000000fed90000 flags: 0x1");
	say(v, "DMAR: RMRR base: 0x0000001ffde000 end: 0x0000001fffffff");
}

static void panic_lines(Voice *v)
{
	say(v, "BUG: unable to handle page fault for address: 0000000000001000");
	say(v, "Oops: 0000 [#1] SMP");
	say(v, "Call Trace:");
	say(v, " simulated_mistake+0x12/0x40");
	say(v, "Kernel panic - not syncing: Fatal exception");
	say(v, "---[ end Kernel panic - not syncing: Fatal exception ]---");
}

static void say_alive(Voice *v)
{
	const char *at = uname_v(v->image.version);
	g_autofree char *identity = *at ? g_strndup(at + 1, strcspn(at + 1, " ")) : g_strdup("");
	say(v, "Run /init as init process");
	hello(v, "variant", v->image.version, "");
	send_log(v);
	g_autofree char *line = g_strdup_printf(AGENT_ALIVE "%s\r\n", identity);
	write_all(v->w->console, line, strlen(line));
	send_frame(v, AGENT_IS_ALIVE, identity, strlen(identity));
	sim_note(v->m, "alive", json_pack("{s:I}", "boot", (json_int_t)v->boot));
}

/* Who delivered a kernel has made sure that it is the one that the command line names. */
static void check_identity(Voice *v)
{
	static const char mark[] = "kexsect.variant=";
	const char *named = strstr(v->image.cmdline, mark);
	g_autofree char *wanted =
		named ? g_strndup(named + strlen(mark), strcspn(named + strlen(mark), " ")) : NULL;
	g_autofree char *there = g_strdup_printf("#%s ", wanted ? wanted : "");
	g_autofree char *version = g_strconcat(v->image.version, " ", NULL);
	if (wanted && !strstr(version, there))
		sim_violation(v->m, "it was given a kernel '%s' and told that it is %s",
			      v->image.version, wanted);
}

static void G_GNUC_NORETURN run_variant(Voice *v)
{
	if (!sim_state(v->m).powered)
		sim_violation(v->m, "a kernel was started while it has no power");
	check_identity(v);
	SimState s = sim_change(v->m, runs_variant, v->image.version);
	SimFate f = sim_kernel_fate(v->m, &v->image);
	bool dies = sim_draw(v->m, "dies", v->m->config->simulated.rates.dies);
	v->boot = s.boots;
	sim_note(v->m, "boot",
		 json_pack("{s:I, s:s, s:s}", "boot", (json_int_t)v->boot, "version",
			   v->image.version, "cmdline", v->image.cmdline));
	first_lines(v);
	step(v);
	if (dies)
		die(v);
	say(v, "DMAR: dmar0: Using Queued invalidation");
	if (f.hang)
		hang(v);
	if (f.fault)
		fault_lines(v);
	if (f.panic) {
		panic_lines(v);
		hang(v);
	}
	step(v);
	say(v, "DMAR: Intel(R) Virtualization Technology for Directed I/O");
	step(v);
	say_alive(v);
	answer(v, in_variant);
	be_silent(v, true);
}

/* ---- the launcher ---- */

static void start_launcher(Voice *v)
{
	sim_change(v->m, runs_launcher, NULL);
	v->kernel_us = 0;
	for (int i = 0; i < LAUNCHER_STEPS; i++)
		step(v);
	say(v, "Linux version %s", LAUNCHER_VERSION);
	if (sim_draw(v->m, "no-launcher", v->m->config->simulated.rates.no_launcher))
		hang(v);
	g_string_truncate(v->log, 0);
	static const char ready[] = "kexsect: launcher ready\r\n";
	write_all(v->w->console, ready, strlen(ready));
}

/* Takes a kernel and starts it, or says why not and goes on. */
static void obey(Voice *v)
{
	const SimulatedRates *r = &v->m->config->simulated.rates;
	char *cmdline;
	guint64 wait_us = g_ascii_strtoull(v->order, &cmdline, 10);
	sim_kernel_clear(&v->image);
	sim_kernel_read(&v->image, v->kernel->data, v->kernel->len, g_strstrip(cmdline));
	if (!*v->image.version || sim_draw(v->m, "kexec-fails", r->kexec_fails)) {
		send_text(v, AGENT_FAILED, "kexec_file_load: %s",
			  *v->image.version ? "Device or resource busy (simulated)"
					    : "Exec format error: it holds no 'Linux version'");
		return;
	}
	send_text(v, AGENT_LOADED, "kexec_file_load (simulated)");
	sim_wait(v->m, (double)wait_us / G_USEC_PER_SEC);
	step(v);
	if (!sim_draw(v->m, "wrong-kernel", r->wrong_kernel))
		run_variant(v);
	sim_note(v->m, "launcher in the place of the kernel", NULL);
	start_launcher(v);
	hello(v, "launcher", LAUNCHER_VERSION, "");
}

static void G_GNUC_NORETURN be_launcher(Voice *v)
{
	for (;;) {
		answer(v, in_launcher);
		obey(v);
		g_clear_pointer(&v->order, g_free);
	}
}

static void G_GNUC_NORETURN start_cold(Voice *v)
{
	g_autoptr(GMappedFile) file = g_mapped_file_new(v->w->cold, FALSE, NULL);
	for (int i = 0; i < FIRMWARE_STEPS; i++)
		step(v);
	if (file)
		sim_kernel_read(&v->image, (const guint8 *)g_mapped_file_get_contents(file),
				g_mapped_file_get_length(file), v->w->cmdline);
	if (!file || !*v->image.version)
		be_silent(v, false);
	run_variant(v);
}

/* ---- its life ---- */

/* Another process of the same machine would be two machines with one name. One that is being killed
 * may take a moment. */
static void be_the_only_one(const SimMachine *m)
{
	g_autofree char *path = g_build_filename(m->folder, "voice.lock", NULL);
	for (int i = 0; i < 100; i++) {
		if (kx_lock_file(path, false, NULL) >= 0)
			return;
		g_usleep(10000);
	}
	sim_violation(m, "it runs twice at the same time");
	_exit(1);
}

/* Nothing of the job but its own streams; the lock of who uses the machine stays with the job. */
static void keep_only(const SimWires *w)
{
	int null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	for (int fd = 3; fd < 1024; fd++)
		if (fd != w->console && fd != w->agent && fd != w->go)
			close(fd);
}

void sim_process(SimMachine *m, const SimWires *w)
{
	pid_t parent = getppid();
	struct sigaction action = {.sa_handler = on_nmi};
	char byte;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "sim-machine");
	keep_only(w);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigaction(SIM_NMI, &action, NULL);
	if (getppid() != parent)
		_exit(1);
	be_the_only_one(m);
	Voice *v = g_new0(Voice, 1);
	*v = (Voice){.m = m,
		     .w = w,
		     .file = g_byte_array_new(),
		     .kernel = g_byte_array_new(),
		     .log = g_string_new(NULL)};
	agent_decoder_init(&v->decoder, v->buffer);
	if (read(w->go, &byte, 1) != 1)
		_exit(1);
	SimState s = sim_state(m);
	m->epoch = s.epoch;
	v->boot = s.boots;
	if (!s.powered || s.hung)
		be_silent(v, s.powered && s.runs == SIM_VARIANT);
	if (s.runs == SIM_VARIANT) {
		answer(v, in_variant);
		be_silent(v, true);
	}
	if (s.runs == SIM_NOTHING && w->cold)
		start_cold(v);
	if (s.runs == SIM_NOTHING)
		start_launcher(v);
	be_launcher(v);
}
