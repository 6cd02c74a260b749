/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "target/simulated/simulated-internal.h"

static const char *const runs_names[] = {"nothing", "launcher", "variant"};

static char *in_folder(const SimMachine *m, const char *leaf)
{
	return g_build_filename(m->folder, leaf, NULL);
}

char *sim_folder(const TargetConfig *config, const char *cache)
{
	return config->simulated.folder ? g_strdup(config->simulated.folder)
					: g_build_filename(cache, "simulated", config->name, NULL);
}

/* ---- notes ---- */

/* One write, so that a killed process leaves whole lines. */
static void append(const SimMachine *m, const char *leaf, json_t *line)
{
	g_autofree char *path = in_folder(m, leaf);
	char *text = json_dumps(line, JSON_COMPACT);
	g_autofree char *whole = g_strconcat(text, "\n", NULL);
	gsize len = strlen(whole);
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, whole, len) != (ssize_t)len)
		g_warning("%s: cannot be written: %s", path, whole);
	if (fd >= 0)
		close(fd);
	free(text);
	json_decref(line);
}

static json_t *begin_line(const char *key, const char *what)
{
	return json_pack("{s:I, s:i, s:s}", "us", (json_int_t)g_get_real_time(), "pid",
			 (int)getpid(), key, what);
}

void sim_note(const SimMachine *m, const char *event, json_t *more)
{
	json_t *line = begin_line("event", event);
	if (more)
		json_object_update(line, more);
	json_decref(more);
	append(m, "ledger.jsonl", line);
}

void sim_violation(const SimMachine *m, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_warning("simulated machine %s: VIOLATION: %s", m->config->name, text);
	append(m, "violations.jsonl", begin_line("violation", text));
}

/* ---- state ---- */

static SimRuns runs_of(const char *name)
{
	for (guint i = 0; name && i < G_N_ELEMENTS(runs_names); i++)
		if (g_str_equal(name, runs_names[i]))
			return (SimRuns)i;
	return SIM_NOTHING;
}

SimState sim_state(const SimMachine *m)
{
	SimState s = {0};
	g_autofree char *path = in_folder(m, "machine.json");
	g_autoptr(json_t) j =
		g_file_test(path, G_FILE_TEST_EXISTS) ? kx_json_load(path, NULL) : NULL;
	if (!j)
		return s;
	s.powered = kx_json_bool(j, "powered", false);
	s.hung = kx_json_bool(j, "hung", false);
	s.runs = runs_of(kx_json_str(j, "runs"));
	s.boots = (guint64)kx_json_int(j, "boots", 0);
	s.epoch = kx_json_int(j, "epoch", 0);
	s.draws = (guint64)kx_json_int(j, "draws", 0);
	const char *version = kx_json_str(j, "version");
	g_strlcpy(s.version, version ? version : "", sizeof(s.version));
	return s;
}

static void save(const SimMachine *m, const SimState *s)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *path = in_folder(m, "machine.json");
	g_autoptr(json_t) j = json_pack(
		"{s:b, s:s, s:b, s:I, s:I, s:I, s:s}", "powered", s->powered, "runs",
		runs_names[s->runs], "hung", s->hung, "boots", (json_int_t)s->boots, "draws",
		(json_int_t)s->draws, "epoch", (json_int_t)s->epoch, "version", s->version);
	char *text = json_dumps(j, JSON_COMPACT);
	if (!g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &error))
		g_warning("%s", error->message);
	free(text);
}

SimState sim_change(const SimMachine *m, SimChange change, gconstpointer user)
{
	g_autofree char *path = in_folder(m, "state.lock");
	int lock = kx_lock_file(path, true, NULL);
	SimState s = sim_state(m);
	if (m->epoch >= 0 && s.epoch != m->epoch)
		_exit(0); /* it was switched off or reset just now */
	change(&s, user);
	save(m, &s);
	if (lock >= 0)
		close(lock);
	return s;
}

static void count_draw(SimState *s, gconstpointer user)
{
	s->draws++;
}

bool sim_draw(const SimMachine *m, const char *what, double p)
{
	if (p <= 0 || p >= 1)
		return p >= 1;
	SimState s = sim_change(m, count_draw, NULL);
	g_autofree char *text =
		g_strdup_printf("%" G_GUINT64_FORMAT "/%s/%s/%" G_GUINT64_FORMAT,
				(guint64)m->config->simulated.seed, m->config->name, what, s.draws);
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
	sum[13] = 0;
	return (double)g_ascii_strtoull(sum, NULL, 16) / (double)(G_GUINT64_CONSTANT(1) << 52) < p;
}

void sim_wait(const SimMachine *m, double seconds)
{
	if (seconds > 0)
		g_usleep((gulong)(seconds / m->config->simulated.speed * G_USEC_PER_SEC));
}

/* ---- whose it is ---- */

/* "kexsect job boot REQUEST": the last word, so that a boot can be told to belong to a trial, a
 * preflight or a health check. */
static char *own_request(void)
{
	g_autofree char *text = NULL;
	gsize len = 0;
	if (!g_file_get_contents("/proc/self/cmdline", &text, &len, NULL) || len < 2)
		return g_strdup("");
	gsize at = len - 1;
	while (at > 0 && text[at - 1])
		at--;
	return g_strdup(text + at);
}

SimMachine *sim_open(const TargetConfig *config, const char *cache, GError **error)
{
	SimMachine *m = g_new0(SimMachine, 1);
	*m = (SimMachine){
		.config = config, .folder = sim_folder(config, cache), .used = -1, .epoch = -1};
	g_autofree char *lock = in_folder(m, "used.lock");
	g_autoptr(GError) why = NULL;
	if (kx_mkdir(m->folder, &why))
		m->used = kx_lock_file(lock, false, &why);
	if (m->used >= 0) {
		g_autofree char *request = own_request();
		sim_note(m, "taken", json_pack("{s:o}", "request", kx_json_text(request)));
		return m;
	}
	if (g_error_matches(why, KX_ERROR, KX_ERROR_BUSY))
		sim_violation(m, "two jobs use it at the same time: %s", why->message);
	g_propagate_error(error, g_steal_pointer(&why));
	sim_close(m);
	return NULL;
}

void sim_close(SimMachine *m)
{
	if (!m)
		return;
	if (m->used >= 0) {
		sim_note(m, "given back", NULL);
		close(m->used);
	}
	g_free(m->folder);
	g_free(m);
}
