/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "lab.h"

static const char *const outcome_names[6] = {"fault", "clean", "hang", "panic", "noboot", "infra"};

int lab_setup(void **state)
{
	Lab *l = g_new0(Lab, 1);
	l->dir = g_dir_make_tmp("kexsect-engine-XXXXXX", NULL);
	l->world = g_build_filename(l->dir, "world.json", NULL);
	l->rules = json_object();
	lab_set(l, "candidates",
		"[{'name':'a'}, {'name':'b'}, {'name':'c', 'depends':['b']}, "
		"{'name':'d', 'conflicts':['e']}, {'name':'e', 'conflicts':['d']}, {'name':'f'}]");
	lab_set(l, "digest", "'d1'");
	lab_set(l, "cause", "['a']");
	lab_set(l, "effect", "'cures'");
	*state = l;
	return 0;
}

int lab_teardown(void **state)
{
	Lab *l = *state;
	bool gone = kx_remove_tree(l->dir, NULL);
	json_decref(l->rules);
	g_free(l->dir);
	g_free(l->world);
	g_free(l);
	return gone ? 0 : -1;
}

void lab_set(Lab *l, const char *key, const char *value)
{
	g_autofree char *text = g_strdelimit(g_strdup(value), "'", '"');
	json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
	if (!v)
		fail_msg("not JSON: %s", text);
	json_object_set_new(l->rules, key, v);
	assert_true(kx_json_save(l->world, l->rules, NULL));
}

void lab_run_clear(LabRun *r)
{
	g_free(r->out);
	g_free(r->err);
}

static char **command(Lab *l, const char *words)
{
	g_auto(GStrv) extra = g_strsplit(words ? words : "", " ", 0);
	g_autoptr(GStrvBuilder) argv = g_strv_builder_new();
	g_strv_builder_add_many(argv, DRIVER, l->world, l->dir, FAKE_LAB, NULL);
	for (char **w = extra; *w; w++)
		if (**w)
			g_strv_builder_add(argv, *w);
	return g_strv_builder_end(argv);
}

static char *world_env(Lab *l)
{
	return g_strconcat("KEXSECT_FAKE_LAB=", l->world, NULL);
}

LabRun lab_run(Lab *l, const char *words)
{
	g_auto(GStrv) argv = command(l, words);
	g_autofree char *env = world_env(l);
	KxProcResult r = {0};
	g_autoptr(GError) error = NULL;
	KxProc p = {.argv = (const char *const *)argv,
		    .env = (const char *const[]){env, NULL},
		    .timeout_s = 120};
	if (!kx_proc_run(&p, &r, &error))
		fail_msg("%s", error->message);
	return (LabRun){r.status, r.out, r.err};
}

pid_t lab_start(Lab *l, const char *words)
{
	g_auto(GStrv) argv = command(l, words);
	g_autofree char *out = g_build_filename(l->dir, "out", NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(out, O_WRONLY | O_CREAT | O_APPEND, 0666);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		g_setenv("KEXSECT_FAKE_LAB", l->world, TRUE);
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

int lab_wait(pid_t pid)
{
	int status;
	for (int i = 0; i < 6000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		g_usleep(10000);
	}
	fail_msg("the engine does not end");
	return -1;
}

static void check_folders(const LabView *v)
{
	g_autofree char *path = g_build_filename(v->run->dir, "trials", NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;
	unsigned folders = 0, rows = 0;
	while (dir && (name = g_dir_read_name(dir)))
		folders++;
	for (guint i = 0; i < v->trials->len; i++) {
		const StoreTrial *t = v->trials->pdata[i];
		const StoreTrial *before = i ? v->trials->pdata[i - 1] : NULL;
		assert_true(!before || t->number > before->number);
		if (*t->evidence)
			assert_true(g_file_test(t->evidence, G_FILE_TEST_IS_DIR));
		rows += *t->evidence != 0;
	}
	assert_int_equal(folders, rows);
}

/* A job that lives on would still have its request among its arguments. */
static void check_no_job(Lab *l)
{
	g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
	const char *name;
	while ((name = g_dir_read_name(proc))) {
		g_autofree char *path = g_build_filename("/proc", name, "cmdline", NULL);
		g_autofree char *args = NULL;
		gsize len;
		if (!g_ascii_isdigit(*name) || !g_file_get_contents(path, &args, &len, NULL))
			continue;
		if (memmem(args, len, l->dir, strlen(l->dir)))
			fail_msg("still running: pid %s, %s", name, args);
	}
}

LabView lab_look(Lab *l, const char *slug)
{
	LabView v = {0};
	g_autoptr(GError) error = NULL;
	v.store = store_open(l->dir, STORE_READ, &error);
	if (v.store)
		v.run = store_find_campaign(v.store, slug, &error);
	if (!v.run)
		fail_msg("%s", error->message);
	v.trials = store_trials(v.store, v.run->id, NULL);
	v.builds = store_builds(v.store, v.run->id, NULL);
	v.events = store_events(v.store, v.run->id, NULL);
	v.candidates = store_candidates(v.store, v.run->id, NULL);
	v.verdict = store_verdict(v.store, v.run->id, NULL);
	for (guint i = 0; i < v.trials->len; i++)
		for (int o = 0; o < 6; o++)
			v.outcomes[o] += g_str_equal(((StoreTrial *)v.trials->pdata[i])->outcome,
						     outcome_names[o]);
	assert_true(store_check(v.store, NULL));
	check_folders(&v);
	check_no_job(l);
	return v;
}

void lab_view_clear(LabView *v)
{
	g_ptr_array_unref(v->trials);
	g_ptr_array_unref(v->builds);
	g_ptr_array_unref(v->events);
	g_ptr_array_unref(v->candidates);
	store_verdict_free(v->verdict);
	store_campaign_free(v->run);
	store_free(v->store);
}

unsigned lab_events(const LabView *v, const char *kind)
{
	unsigned n = 0;
	for (guint i = 0; i < v->events->len; i++)
		n += g_str_equal(((StoreEvent *)v->events->pdata[i])->kind, kind);
	return n;
}

bool lab_has_event(const LabView *v, const char *kind, unsigned trial)
{
	for (guint i = 0; i < v->events->len; i++) {
		const StoreEvent *e = v->events->pdata[i];
		if (g_str_equal(e->kind, kind) && e->trial == trial)
			return true;
	}
	return false;
}

void lab_expect(const LabView *v, const char *kind, const char *members)
{
	if (!v->verdict)
		fail_msg("no verdict; state %s: %s", store_state_name(v->run->state),
			 v->run->state_reason);
	g_autoptr(GString) found = g_string_new(NULL);
	for (guint i = 0; i < v->candidates->len; i++)
		if (v->verdict->members >> i & 1)
			g_string_append_printf(found, "%s%s", found->len ? " " : "",
					       ((StoreCandidate *)v->candidates->pdata[i])->name);
	if (!g_str_equal(v->verdict->kind, kind) || !g_str_equal(found->str, members))
		fail_msg("verdict %s '%s' (%s, %s), not %s '%s'", v->verdict->kind, found->str,
			 v->verdict->why, v->verdict->reason, kind, members);
	assert_int_equal(v->run->state, STORE_DONE);
}
