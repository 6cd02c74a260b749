/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lab in one process: speaks the protocol of `kexsect job build|boot FILE` and computes what real
 * kernels would do from the request's candidates (patches, kconfig settings, words of the command
 * line, or a commit) and a seeded random number. The file
 * $KEXSECT_FAKE_LAB says how its world is:
 *
 *   seed, q, eps          P(fault) of a faulty and of a good variant
 *   cause [names]         all of them together have the effect (empty: nothing has)
 *   effect                cures or causes
 *   base_faults           default true with cures
 *   faulty [names]        in place of all that: variants with one of these are faulty
 *   order [pairs]         a kernel with an order: faulty with all these functions the other way
 *                         round (`vmlinux`: the file that the kernel as compiled is)
 *   unbuildable [names]   variants with one of these do not compile
 *   hang, panic [names]   likewise
 *   drift                 {"from": N, "q": Q}: another q from trial N on
 *   boot_ms, build_ms     how long things take
 *   polite                on SIGTERM writes an infra outcome, as the real job does
 *   trouble               {"TRIAL": "crash|garbage|silent|noresult|infra|wrong|number|refuse"}
 *   always                trouble of every trial
 *   build_trouble         {"N": "crash|garbage|infra|nokernel|after"} by number of the request
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"

static json_t *world;

static bool lists(const char *key, const json_t *names)
{
	size_t i, k;
	json_t *a, *b;
	json_array_foreach (json_object_get(world, key), i, a)
		json_array_foreach (names, k, b)
			if (json_equal(a, b))
				return true;
	return false;
}

static bool has_all(const char *key, const json_t *names)
{
	size_t i, k;
	json_t *a, *b;
	json_array_foreach (json_object_get(world, key), i, a) {
		bool found = false;
		json_array_foreach (names, k, b)
			found = found || json_equal(a, b);
		if (!found)
			return false;
	}
	return json_array_size(json_object_get(world, key)) > 0;
}

static char *names_hash(const json_t *names)
{
	char *text = json_dumps(names, JSON_COMPACT);
	char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
	free(text);
	return hash;
}

/* 0…1 from the seed, the variant and the trial. */
static double chance(const json_t *names, gint64 trial)
{
	g_autofree char *hash = names_hash(names);
	g_autofree char *text = g_strdup_printf("%s/%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT, hash,
						trial, kx_json_int(world, "seed", 1));
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
	sum[13] = 0;
	return (double)g_ascii_strtoull(sum, NULL, 16) / (double)(G_GUINT64_CONSTANT(1) << 52);
}

static size_t place_of(const json_t *names, const json_t *name)
{
	size_t i;
	json_t *one;
	json_array_foreach ((json_t *)names, i, one)
		if (json_equal(one, name))
			break;
	return i;
}

static bool is_wrong_order(const json_t *names)
{
	size_t i;
	json_t *pair;
	json_array_foreach (json_object_get(world, "order"), i, pair)
		if (place_of(names, json_array_get(pair, 0)) <=
		    place_of(names, json_array_get(pair, 1)))
			return false;
	return true;
}

static bool is_bad(const json_t *names)
{
	if (json_object_get(world, "order"))
		return is_wrong_order(names);
	if (json_object_get(world, "faulty"))
		return lists("faulty", names);
	bool cures = g_strcmp0(kx_json_str(world, "effect"), "causes") != 0;
	bool effect = has_all("cause", names);
	return cures ? kx_json_bool(world, "base_faults", true) && !effect : effect;
}

static const char *outcome_of(const json_t *names, gint64 trial)
{
	if (lists("hang", names))
		return "hang";
	if (lists("panic", names))
		return "panic";
	const json_t *drift = json_object_get(world, "drift");
	double q = kx_json_num(world, "q", 1);
	if (drift && trial >= kx_json_int(drift, "from", 0))
		q = kx_json_num(drift, "q", q);
	double p = is_bad(names) ? q : kx_json_num(world, "eps", 0);
	return chance(names, trial) < p ? "fault" : "clean";
}

static const char *trouble_of(const char *key, gint64 number)
{
	g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, number);
	const char *what = kx_json_str(json_object_get(world, key), text);
	return what ? what : "";
}

static void say(json_t *line)
{
	kx_json_line(line);
	json_decref(line);
}

static void pause_ms(const char *key)
{
	gint64 ms = kx_json_int(world, key, 1);
	g_usleep((gulong)ms * 1000);
}

/* ---- build ---- */

static void say_build(const char *status, const char *hash, const char *dir, const char *reason)
{
	g_autofree char *identity = g_strdup_printf("kx%.12s", hash);
	g_autofree char *kernel = g_build_filename(dir, "kernel", NULL);
	say(json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:{s:f, s:f, s:f}, s:s, s:s}",
		      "event", "result", "status", status, "build", hash, "identity", identity,
		      "cached", 0, "artifacts", dir, "kernel", kernel, "vmlinux_sha256", hash,
		      "seconds", "import", 0.001, "configure", 0.001, "compile",
		      (double)kx_json_int(world, "build_ms", 1) / 1000, "reason", reason,
		      "failed_step", *reason ? "compile" : ""));
}

/* The functions of an order's file. */
static void add_order(json_t *names, const char *path)
{
	g_autofree char *text = NULL;
	if (!path || !g_file_get_contents(path, &text, NULL, NULL))
		return;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) words = g_strsplit_set(*line, " @", 3);
		if (**line != '#' && words[0] && words[1])
			json_array_append_new(names, json_string(words[1]));
	}
}

/* What an order campaign reads beside the kernel. */
static bool put_vmlinux(const char *dir)
{
	g_autofree char *data = NULL;
	g_autofree char *to = g_build_filename(dir, "vmlinux", NULL);
	const char *from = kx_json_str(world, "vmlinux");
	gsize len;
	return !from || (g_file_get_contents(from, &data, &len, NULL) &&
			 g_file_set_contents(to, data, (gssize)len, NULL));
}

static int build(const char *file, const json_t *request)
{
	g_autoptr(json_t) names = json_copy(json_object_get(request, "candidates"));
	json_array_extend(names, json_object_get(request, "config"));
	json_array_extend(names, json_object_get(request, "initcalls"));
	if (json_object_get(request, "commit"))
		json_array_append(names, json_object_get(request, "commit"));
	/* a version */
	if (!g_str_equal(kx_json_str(request, "recipe"), "/lab/linux.yaml"))
		json_array_append(names, json_object_get(request, "recipe"));
	add_order(names, kx_json_str(request, "order"));
	g_autofree char *of_names = names_hash(names);
	/* Without a series it is the launcher: another kernel than that of no candidates. */
	g_autofree char *hash = json_object_get(request, "series")
					? g_strdup(of_names)
					: g_strconcat("1a", of_names, NULL);
	g_autofree char *dir =
		g_build_filename(kx_json_str(request, "cache"), "builds", hash, NULL);
	g_autofree char *kernel = g_build_filename(dir, "kernel", NULL);
	g_autofree char *leaf = g_path_get_basename(file);
	const char *trouble = trouble_of("build_trouble", g_ascii_strtoll(leaf, NULL, 10));
	say(json_pack("{s:s, s:s, s:i, s:i}", "event", "step", "step", "compile", "done", 1,
		      "total", 2));
	pause_ms("build_ms");
	if (g_str_equal(trouble, "crash"))
		raise(SIGKILL);
	if (g_str_equal(trouble, "garbage")) {
		puts("make: Nothing to be done");
		fflush(stdout);
		sleep(60);
	}
	if (g_str_equal(trouble, "infra")) {
		say_build("infra", hash, dir, "no space left on device");
		return 1;
	}
	if (lists("unbuildable", names)) {
		say_build("unbuildable", hash, dir, "error: 'x' undeclared");
		return 0;
	}
	if (!kx_mkdir(dir, NULL) || !put_vmlinux(dir))
		return 1;
	if (!g_str_equal(trouble, "nokernel") && !kx_json_save(kernel, names, NULL))
		return 1;
	say_build("ok", hash, dir, "");
	if (g_str_equal(trouble, "after"))
		raise(SIGKILL);
	return 0;
}

/* ---- boot ---- */

static char present_dir[4096];
static gint64 present;
static bool complete; /* the present trial is on disk */

static json_t *trial_line(const char *outcome, const char *reason, const char *identity)
{
	double s = (double)kx_json_int(world, "boot_ms", 1) / 1000;
	bool fault = g_str_equal(outcome, "fault");
	json_t *faults =
		fault ? json_pack("[{s:s, s:s, s:s, s:b}]", "device", "0000:00:02.0", "address",
				  "0x1ffde000", "reason", "root entry", "in_window", 1)
		      : json_array();
	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:{s:i}, s:{s:f, s:f, s:f}, s:o}",
			 "machine", "a simulated lab", "event", "trial", "trial", (int)present,
			 "outcome", outcome, "reason", reason, "evidence", present_dir, "identity",
			 identity, "measures", "faults", fault ? 1 : 0, "seconds", "boot", s,
			 "deadline", 0.0, "total", s, "faults", faults);
}

/* What the lab did, whatever the engine makes of it: "start N" and "done N", one line each. */
static void journal(const char *what)
{
	const char *path = g_getenv("KEXSECT_FAKE_JOURNAL");
	FILE *f = path ? fopen(path, "a") : NULL;
	if (!f)
		return;
	fprintf(f, "%s %d\n", what, (int)present);
	fclose(f);
}

static bool keep(const char *leaf, const json_t *value)
{
	g_autofree char *path = g_build_filename(present_dir, leaf, NULL);
	return kx_json_save(path, value, NULL);
}

/* As the real job: the trial that is cut off becomes an infra outcome. (Called between system
 * calls of a sleep, so what it calls is safe enough for a test.) */
static void on_term(int number)
{
	if (complete)
		_exit(1);
	json_t *line = trial_line("infra", "stopped on request", "");
	keep("outcome.json", line);
	say(line);
	_exit(1);
}

/* As the real job when the recovery ladder was climbed in vain. */
static void lose_target(void)
{
	json_t *line = trial_line("infra", "the launcher never answered", "");
	json_object_set_new(line, "cause", json_string("machine"));
	say(json_pack("{s:s, s:i, s:s, s:b, s:f, s:s}", "event", "recovery", "trial", (int)present,
		      "step", "power-off", "ok", 0, "seconds", 1.5, "detail", "it stays on"));
	keep("outcome.json", line);
	say(line);
	say(json_pack("{s:s, s:s, s:s, s:s}", "event", "result", "status", "infra", "reason",
		      "climbed in vain", "target", "failed"));
	_exit(1);
}

static void make_trouble(const char *what, const char *identity)
{
	if (g_str_equal(what, "crash"))
		raise(SIGKILL);
	if (g_str_equal(what, "garbage")) {
		puts("{\"event\": \"tri");
		fflush(stdout);
		sleep(60);
	}
	if (g_str_equal(what, "silent")) {
		signal(SIGTERM, SIG_IGN);
		for (;;)
			sleep(60);
	}
	if (g_str_equal(what, "noresult"))
		_exit(0);
	if (g_str_equal(what, "refuse")) {
		say(json_pack("{s:s, s:s, s:s}", "event", "result", "status", "infra", "reason",
			      "QEMU is not installed"));
		_exit(1);
	}
	if (g_str_equal(what, "number"))
		present += 5;
	if (g_str_equal(what, "lost"))
		lose_target();
}

static bool over; /* an outcome of the request's stop_at came */

static bool one_trial(const json_t *request, const json_t *names)
{
	const char *identity = kx_json_str(request, "identity");
	const char *always = kx_json_str(world, "always");
	const char *trouble = always ? always : trouble_of("trouble", present);
	g_autofree char *leaf = g_strdup_printf("%06d", (int)present);
	g_autofree char *dir = g_build_filename(kx_json_str(request, "evidence"), leaf, NULL);
	g_strlcpy(present_dir, dir, sizeof(present_dir));
	complete = false;
	if (!kx_mkdir(dir, NULL))
		return false;
	journal("start"); /* what left nothing on disk did not begin */
	if (!keep("request.json", request))
		return false;
	say(json_pack("{s:s, s:i, s:s}", "event", "step", "trial", (int)present, "step", "boot"));
	pause_ms("boot_ms");
	make_trouble(trouble, identity);
	const char *outcome = g_str_equal(trouble, "infra") ? "infra" : outcome_of(names, present);
	json_t *line = trial_line(outcome, "as computed",
				  g_str_equal(trouble, "wrong") ? "kxffffffffffff" : identity);
	/* A trial that is complete is not turned into one that was cut off. */
	sigset_t term;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	size_t i;
	json_t *last;
	json_array_foreach (json_object_get(request, "stop_at"), i, last)
		over |= g_strcmp0(json_string_value(last), outcome) == 0;
	bool ok = keep("outcome.json", line);
	journal("done");
	say(line);
	complete = true;
	sigprocmask(SIG_UNBLOCK, &term, NULL);
	return ok;
}

static int boot(const json_t *request)
{
	g_autoptr(json_t) names = kx_json_load(kx_json_str(request, "kernel"), NULL);
	const char *cmdline = kx_json_str(request, "cmdline");
	g_auto(GStrv) words = g_strsplit(cmdline ? cmdline : "", " ", -1);
	for (char **w = words; names && *w; w++)
		if (**w)
			json_array_append_new(names, json_string(*w));
	if (kx_json_bool(world, "polite", false))
		signal(SIGTERM, on_term);
	gint64 first = kx_json_int(request, "first", 0), n = kx_json_int(request, "boots", 0);
	for (present = first; names && !over && present < first + n; present++)
		if (!one_trial(request, names))
			return 1;
	say(json_pack("{s:s, s:s, s:s}", "event", "result", "status", names ? "ok" : "infra",
		      "reason", names ? "" : "no kernel"));
	return names ? 0 : 1;
}

int main(int argc, char **argv)
{
	world = kx_json_load(g_getenv("KEXSECT_FAKE_LAB"), NULL);
	g_autoptr(json_t) request = argc == 4 ? kx_json_load(argv[3], NULL) : NULL;
	if (!world || !request || !g_str_equal(argv[1], "job"))
		return 2;
	int status = g_str_equal(argv[2], "build") ? build(argv[3], request) : boot(request);
	json_decref(world);
	return status;
}
