/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lab.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "daemon/client.h"
#include "daemon/lease.h"
#include "daemon/request.h"
#include "daemon/snapshot.h"
#include "store/store.h"

#define PATIENCE_S 60

static char *in_lab(const Lab *l, const char *leaf)
{
	return g_build_filename(l->dir, leaf, NULL);
}

int lab_setup(void **state)
{
	Lab *l = g_new0(Lab, 1);
	l->dir = g_dir_make_tmp("kexsect-test-XXXXXX", NULL);
	l->socket = in_lab(l, "state/socket");
	l->config = in_lab(l, "kexsectd.yaml");
	l->engine = g_strdup(FAKE_ENGINE);
	l->results = in_lab(l, "state/results");
	lab_configure(l, "limits: {campaigns: 4");
	*state = l;
	return l->dir ? 0 : -1;
}

static char *what_is_left(Lab *l);

int lab_teardown(void **state)
{
	Lab *l = *state;
	int status = l->daemon ? lab_end(l, SIGTERM) : 0;
	g_autofree char *left = what_is_left(l);
	bool removed = kx_remove_tree(l->dir, NULL);
	g_free(l->dir);
	g_free(l->socket);
	g_free(l->config);
	g_free(l->engine);
	g_free(l->results);
	g_free(l);
	if (status || left)
		print_error("the daemon ended with %d; %s\n", status, left ? left : "");
	return status || left || !removed;
}

void lab_configure(Lab *l, const char *yaml)
{
	g_autofree char *text = g_strdup_printf(
		"%s%s%s", strstr(yaml, "listen:") ? "" : "listen: none\n", yaml,
		strstr(yaml, "disk_free_gib") ? "" : ", disk_free_gib: 0, retries: 3}\n");
	assert_true(kx_write_file(l->config, text, -1, NULL));
}

static json_t *converse(Lab *l, json_t *request, GError **error)
{
	g_autoptr(Client) c = client_new(l->socket, error);
	if (c)
		return client_ask(c, request, error);
	json_decref(request);
	return NULL;
}

static bool answers(Lab *l)
{
	json_t *answer = converse(l, json_pack("{s:s}", "do", "ping"), NULL);
	json_decref(answer);
	return answer != NULL;
}

/* Nothing runs longer than the test, however it ends. */
static void end_with_parent(gpointer parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != GPOINTER_TO_INT(parent))
		_exit(1);
}

void lab_start(Lab *l)
{
	g_autofree char *state = in_lab(l, "state");
	const char *argv[] = {DAEMON,	 "--state", state,  "--config", l->config, "--engine",
			      l->engine, "--retry", "0.02", "--grace",	"2",	   NULL};
	gint64 deadline = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;
	GPid pid;
	g_autoptr(GError) error = NULL;
	if (!g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, end_with_parent,
			   GINT_TO_POINTER(getpid()), &pid, &error))
		fail_msg("%s", error->message);
	l->daemon = pid;
	while (!answers(l)) {
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			l->daemon = 0;
			fail_msg("the daemon does not start");
		}
		if (g_get_monotonic_time() > deadline)
			fail_msg("the daemon does not answer");
		g_usleep(5000);
	}
}

int lab_end(Lab *l, int number)
{
	int status = -1;
	gint64 deadline = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;
	kill(l->daemon, number);
	while (waitpid(l->daemon, &status, WNOHANG) == 0) {
		if (g_get_monotonic_time() > deadline)
			kill(l->daemon, SIGKILL);
		g_usleep(2000);
	}
	l->daemon = 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void make_target(Lab *l, const char *name)
{
	g_autofree char *leaf = g_strdup_printf("configs/targets/%s.yaml", name);
	g_autofree char *path = in_lab(l, leaf);
	g_autofree char *folder = g_path_get_dirname(path);
	g_autofree char *text = g_strdup_printf("name: %s\ndriver: libvirt\n", name);
	assert_true(kx_mkdir(folder, NULL) && kx_write_scratch(path, text, -1, 0644, NULL));
}

static char *campaign_path(const Lab *l, const char *name)
{
	g_autofree char *leaf = g_strdup_printf("configs/campaigns/%s.yaml", name);
	return in_lab(l, leaf);
}

void lab_campaign(Lab *l, const char *name, const char *targets, const char *script)
{
	g_autofree char *path = campaign_path(l, name);
	g_autofree char *folder = g_path_get_dirname(path);
	g_autofree char *text =
		g_strdup_printf("name: %s\nbase: linux-6.1\noracle: vtd-window\n"
				"parameters: [nox2apic, maxcpus=1]\ntargets: [%s]\n# fake: %s\n",
				name, targets, script);
	g_auto(GStrv) names = g_strsplit(targets, ", ", -1);
	for (char **n = names; *n; n++)
		make_target(l, *n);
	assert_true(kx_mkdir(folder, NULL) && kx_write_scratch(path, text, -1, 0644, NULL));
}

void lab_campaign_of_versions(Lab *l, const char *name, const char *also, const char *script)
{
	g_autofree char *path = campaign_path(l, name);
	g_autofree char *text = g_strdup_printf(
		"name: %s\nbase: linux-6.1\noracle: vtd-window\ntargets: [t1]\nversions:\n"
		"- {name: v1, base: linux-6.1}\n- {name: v2, base: linux-6.1, target: %s}\n"
		"# fake: %s\n",
		name, also, script);
	make_target(l, "t1");
	make_target(l, also);
	g_autofree char *folder = g_path_get_dirname(path);
	assert_true(kx_mkdir(folder, NULL) && kx_write_scratch(path, text, -1, 0644, NULL));
}

static json_t *from_text(const char *text)
{
	g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');
	json_t *o = kx_json_parse(json, "test", NULL);
	assert_non_null(o);
	return o;
}

gint64 lab_submit(Lab *l, const char *name, const char *keys)
{
	g_autofree char *path = campaign_path(l, name);
	g_autoptr(GError) error = NULL;
	json_t *request = from_text(keys ? keys : "{}");
	json_t *snapshot = snapshot_pack(path, &error);
	if (!snapshot)
		fail_msg("%s", error->message);
	json_object_set_new(request, "do", json_string("submit"));
	json_object_set_new(request, "snapshot", snapshot);
	g_autoptr(json_t) answer = converse(l, request, &error);
	if (!answer)
		fail_msg("%s", error->message);
	return kx_json_int(json_object_get(answer, "submission"), "id", 0);
}

json_t *lab_ask(Lab *l, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_autoptr(GError) error = NULL;
	g_autoptr(Client) c = client_new(l->socket, NULL);
	json_t *answer = c ? client_ask(c, from_text(text), &error) : NULL;
	return answer || !c ? answer : request_refusal(error);
}

json_t *lab_status(Lab *l, gint64 id)
{
	g_autoptr(json_t) answer = lab_ask(l, "{'do': 'status', 'id': %" G_GINT64_FORMAT "}", id);
	json_t *s = json_object_get(answer, "submission");
	return s ? json_incref(s) : json_object();
}

bool lab_is(Lab *l, gint64 id, const char *state)
{
	g_autoptr(json_t) s = lab_status(l, id);
	return g_strcmp0(kx_json_str(s, "state"), state) == 0;
}

void lab_wait(Lab *l, gint64 id, const char *state)
{
	gint64 deadline = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;
	while (!lab_is(l, id, state)) {
		if (g_get_monotonic_time() > deadline) {
			g_autoptr(json_t) s = lab_status(l, id);
			char *text = json_dumps(s, JSON_INDENT(1));
			fail_msg("submission %d is not %s: %s", (int)id, state, text);
		}
		g_usleep(10000);
	}
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void lab_expect_runs(Lab *l, const char *expected)
{
	g_autoptr(Store) store = store_open(l->results, STORE_READ, NULL);
	assert_non_null(store);
	g_autoptr(GPtrArray) runs = store_campaigns(store, NULL);
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
	for (guint i = runs->len; i-- > 0;) {
		const StoreCampaign *c = runs->pdata[i];
		g_autoptr(GPtrArray) trials = store_trials(store, c->id, NULL);
		g_ptr_array_add(all, g_strdup_printf("%s:%u", c->slug, trials->len));
		assert_int_equal(c->state, STORE_DONE);
	}
	g_ptr_array_sort(all, by_name);
	g_ptr_array_add(all, NULL);
	g_autofree char *text = g_strjoinv(" ", (char **)all->pdata);
	assert_string_equal(text, expected);
}

/* Rules that were broken, leases that are held; NULL: none. */
static char *what_is_left(Lab *l)
{
	g_autofree char *violations = g_build_filename(l->results, "violations", NULL);
	char *text = kx_read_file(violations, 1 << 20, NULL, NULL);
	if (text)
		return text;
	g_autofree char *state = in_lab(l, "state");
	g_autofree char *leases = in_lab(l, "state/leases");
	g_autoptr(GDir) dir = g_dir_open(leases, 0, NULL);
	const char *name;
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *target = g_strndup(name, strcspn(name, "."));
		unsigned slot = (unsigned)g_ascii_strtoull(name + strcspn(name, ".") + 1, NULL, 10);
		if (lease_is_held(state, target, slot))
			return g_strdup_printf("%s is still held", name);
	}
	return NULL;
}

void lab_expect_clean(Lab *l)
{
	g_autofree char *left = what_is_left(l);
	if (left)
		fail_msg("%s", left);
}
