/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plays `kexsect run`: a campaign whose trials are sleeps, recorded in a real store, so that what
 * is lost or counted twice shows there. How it plays is a comment in the campaign file: # fake:
 * trials=5 ms=20 crash=3 refuse=1 garbage=1 deaf=1 linger=500 crash=N: dies once, in trial N.
 * refuse=N: ends with an error for the first N sittings. garbage: says what is no event. deaf:
 * SIGTERM does not end it. linger: its job outlives it by so many ms. gate=N: each N-th trial
 * (check_gate=1: the check) begins when the file RESULTS/open-NAME is there, and takes it away.
 * Comments "# say: EVENT" are said as they are, once a sitting. While the file CACHE/sick-TARGET is
 * there, the target is: three trials fail because of the machine and the engine gives in, or with
 * ladder=1 says that the machine cannot be brought back; `health` plays kexsect health.
 *
 * It holds a lock on the campaign, and its jobs one on the target: who finds one taken writes to
 * RESULTS/violations. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/proc.h"
#include "store/store.h"

typedef struct {
	const char *file, *results, *target, *boots, *cache;
	bool again;
	char *name, *script, *text;
	Store *store;
	StoreCampaign *run;
	gint64 sitting;
} Play;

static volatile sig_atomic_t stopped;

static void on_term(int number)
{
	stopped = 1;
}

static unsigned option(const Play *p, const char *key)
{
	g_autofree char *word = g_strdup_printf(" %s=", key);
	const char *at = strstr(p->script, word);
	return at ? (unsigned)strtoul(at + strlen(word), NULL, 10) : 0;
}

static void sleep_ms(unsigned ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
	nanosleep(&t, NULL);
}

static void violation(const Play *p, const char *what)
{
	g_autofree char *path = g_build_filename(p->results, "violations", NULL);
	FILE *f = fopen(path, "a");
	if (f) {
		fprintf(f, "%s: %s on %s\n", p->name, what, p->target);
		fclose(f);
	}
}

static int lock(const Play *p, const char *prefix, const char *name)
{
	g_autofree char *leaf = g_strconcat(prefix, name, NULL);
	g_autofree char *path = g_build_filename(p->results, leaf, NULL);
	int fd = open(path, O_RDWR | O_CREAT, 0644);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
		violation(p, leaf);
	return fd;
}

static void parse(int argc, char **argv, Play *p)
{
	for (int i = 1; i < argc; i++) {
		const char **to = g_str_equal(argv[i], "run")	      ? &p->file
				  : g_str_equal(argv[i], "--results") ? &p->results
				  : g_str_equal(argv[i], "--target")  ? &p->target
				  : g_str_equal(argv[i], "--boots")   ? &p->boots
				  : g_str_equal(argv[i], "--cache")   ? &p->cache
				  : g_str_equal(argv[i], "health")    ? &p->file
				  : g_str_equal(argv[i], "check")     ? &p->file
								      : NULL;
		if (to && i + 1 < argc)
			*to = argv[++i];
		p->again |= g_str_equal(argv[i], "--again");
	}
}

static bool read_script(Play *p)
{
	char *text = p->text = kx_read_file(p->file, 8 << 20, NULL, NULL);
	const char *script = text ? strstr(text, "# fake:") : NULL;
	const char *name = text ? strstr(text, "name: ") : NULL;
	if (!script || !name)
		return false;
	p->script = g_strndup(script, strcspn(script, "\n"));
	p->name = g_strndup(name + 6, strcspn(name + 6, "\n"));
	return true;
}

static bool find_run(Play *p)
{
	GPtrArray *all = store_campaigns(p->store, NULL);
	for (guint i = 0; all && i < all->len && !p->run; i++) {
		const StoreCampaign *c = all->pdata[i];
		if (g_str_equal(c->name, p->name))
			p->run = store_find_campaign(p->store, c->slug, NULL);
	}
	if (all)
		g_ptr_array_unref(all);
	if (p->run && !(p->again && p->run->state == STORE_DONE))
		return true;
	store_campaign_free(p->run);
	p->run = g_new0(StoreCampaign, 1);
	p->run->name = g_strdup(p->name);
	p->run->digest = g_strdup("d");
	p->run->title = g_strdup("");
	p->run->question = g_strdup("");
	p->run->effect = g_strdup("cures");
	p->run->state_reason = g_strdup("");
	p->run->config = json_object();
	GPtrArray *none = g_ptr_array_new();
	bool ok = store_add_campaign(p->store, p->run, none, NULL);
	g_ptr_array_unref(none);
	return ok;
}

/* The job of one trial: a process that uses the target. */
static pid_t start_job(const Play *p, unsigned ms)
{
	pid_t parent = getpid(), pid = fork();
	if (pid != 0)
		return pid;
	unsigned linger = option(p, "linger");
	stopped = 0;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	lock(p, "target-", p->target);
	unsigned step = ms < 1000 ? 5 : 50; /* fifty of these must not wear out a benchmark */
	for (unsigned t = 0; t < ms && !stopped; t += step)
		sleep_ms(step);
	for (unsigned t = 0; stopped && t < linger; t += 5)
		sleep_ms(5);
	_exit(stopped ? 1 : 0);
}

static bool trial(const Play *p, unsigned number)
{
	pid_t job = start_job(p, option(p, "ms"));
	int status = -1;
	while (waitpid(job, &status, 0) < 0 && errno == EINTR)
		if (stopped)
			kill(job, SIGTERM);
	if (stopped || status != 0) {
		kill(job, SIGTERM);
		return false;
	}
	StoreTrial t = {.number = number,
			.build = (char *)"b",
			.target = (char *)p->target,
			.mode = (char *)"kexec",
			.purpose = (char *)"search",
			.outcome = (char *)"fault",
			.reason = (char *)"",
			.evidence = (char *)""};
	return store_add_trial(p->store, p->run->id, p->sitting, &t, NULL, NULL, NULL, NULL);
}

static void say(json_t *event)
{
	kx_json_line(event);
	json_decref(event);
}

static void say_verdict(const Play *p)
{
	say(json_pack("{s:s, s:s, s:s, s:s, s:f, s:s}", "event", "verdict", "run", p->run->slug,
		      "kind", "cause", "sentence", "it cures the fault", "probability", 0.995,
		      "reason", "as seen"));
}

static void garbage(void)
{
	g_autofree char *longest = g_strnfill(2 << 20, 'x');
	fputs("{\"event\": 3}\n[1]\nnull\n{\"event\"\n\xff\xfe\n\n{\"event\":\"trial\"}\n", stdout);
	fputs("{\"event\":\"leader\",\"name\":[[]]}\n{\"event\":\"verdict\"", stdout);
	puts(longest);
	fflush(stdout);
}

static void say_as_told(const Play *p)
{
	for (const char *at = p->text; (at = strstr(at, "\n# say: ")); at++)
		printf("%.*s\n", (int)strcspn(at + 8, "\n"), at + 8);
	fflush(stdout);
}

static char *sick_path(const Play *p)
{
	g_autofree char *leaf = g_strconcat("sick-", p->target, NULL);
	return g_build_filename(p->cache, leaf, NULL);
}

static bool is_sick(const Play *p)
{
	g_autofree char *path = sick_path(p);
	return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Who looks on says when it goes on, however slow they are. */
static void wait_at_gate(const Play *p)
{
	g_autofree char *path = g_strdup_printf("%s/open-%s", p->results, p->name);
	while (!stopped && !g_file_test(path, G_FILE_TEST_EXISTS))
		sleep_ms(20);
	unlink(path);
}

/* What an engine does with a machine that does not answer; its exit status. */
static int give_in(const Play *p)
{
	for (int i = 1; i <= 3 && !option(p, "ladder") && !stopped; i++) {
		say(json_pack("{s:s, s:s, s:s, s:s, s:s}", "event", "trial", "target", p->target,
			      "outcome", "infra", "cause", "machine", "reason",
			      "the launcher does not answer"));
		sleep_ms(option(p, "ms"));
	}
	if (!option(p, "ladder"))
		return 1;
	say(json_pack("{s:s, s:s, s:s, s:s}", "event", "target", "target", p->target, "state",
		      "failed", "reason", "power, cold start and launcher were tried"));
	return 3;
}

/* `health FILE --target T --cache C`: exit status. */
static int health(const Play *p)
{
	lock(p, "target-", p->target);
	for (unsigned t = 0; t < option(p, "health_ms") && !stopped; t += 5)
		sleep_ms(5);
	bool sick = is_sick(p);
	say(json_pack("{s:s, s:s, s:b, s:s}", "event", "result", "status", sick ? "failed" : "ok",
		      "healthy", !sick, "reason", sick ? "no step of the ladder helps" : ""));
	return sick;
}

/* `check FILE --boot --target T …`: exit status. What comes out: check=1: the campaign is wrong, by
 * boots; 2: it is killed once; 3: it seems wrong once, 4: always, without a boot; 5: a sick target
 * is lost; a sick target: the lab's failure. RESULTS/checks has a line for each that was begun. */
static int check(const Play *p)
{
	g_autofree char *path = g_build_filename(p->results, "checks", NULL);
	FILE *f = fopen(path, "a");
	unsigned how = option(p, "check");
	lock(p, "target-", p->target);
	if (f) {
		fprintf(f, "%s\n", p->name);
		fclose(f);
	}
	for (unsigned t = 0; t < option(p, "check_ms") && !stopped; t += 5)
		sleep_ms(5);
	if (option(p, "check_gate"))
		wait_at_gate(p);
	g_autofree char *mark = g_strdup_printf("%s/check-crashed-%s", p->results, p->name);
	bool once = (how == 2 || how == 3) && !g_file_test(mark, G_FILE_TEST_EXISTS) &&
		    kx_write_scratch(mark, "", -1, 0644, NULL);
	if (how == 2 && once)
		raise(SIGKILL);
	if (stopped)
		return 1;
	bool sick = is_sick(p), wrong = how == 1 || once || how == 4, bad = wrong || sick;
	say(json_pack("{s:b, s:s, s:s, s:i, s:[{s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s}], s:n, "
		      "s:{s:[], "
		      "s:{s:f, s:f, s:f}, s:f, s:f}}",
		      "ok", !bad, "verdict",
		      wrong  ? "wrong"
		      : sick ? "lab"
			     : "ready",
		      "target", sick && how == 5 ? "failed" : "", "machine", (int)sick, "checks",
		      "group", "tools", "state", "ok", "what", "gcc", "detail", "12", "group",
		      once || how == 4 ? "patches" : "boot", "state", bad ? "bad" : "ok", "what",
		      sick ? "lab" : "the base", "detail",
		      sick ? "no launcher" : "0 of 30 boots fault", "matrix", "boot", "sides", "q",
		      "mean", 0.8, "low", 0.4, "high", 0.99, "boot_s", 4.5, "minutes", 15.2));
	return bad;
}

static int play(Play *p)
{
	GPtrArray *trials = store_trials(p->store, p->run->id, NULL);
	unsigned done = trials ? trials->len : 0, crash = option(p, "crash"),
		 gate = option(p, "gate");
	if (trials)
		g_ptr_array_unref(trials);
	p->sitting = store_begin_sitting(p->store, p->run->id, NULL);
	for (unsigned n = done + 1; n <= option(p, "trials"); n++) {
		g_autofree char *mark = g_strdup_printf("%s/crashed-%s", p->results, p->run->slug);
		if (n == crash && !g_file_test(mark, G_FILE_TEST_EXISTS) &&
		    kx_write_scratch(mark, "", -1, 0644, NULL))
			raise(SIGKILL);
		if (is_sick(p))
			return give_in(p);
		if (gate && n % gate == 0)
			wait_at_gate(p);
		if (!trial(p, n)) {
			fputs("kexsect: stopped\n", stderr);
			return 1;
		}
		say(json_pack("{s:s, s:i, s:s, s:s, s:f}", "event", "trial", "trial", (int)n,
			      "outcome", "fault", "name", "a", "elapsed", (double)n));
	}
	StoreVerdict v = {.kind = (char *)"cause",
			  .effect = (char *)"cures",
			  .probability = 0.995,
			  .why = (char *)"rule",
			  .reason = (char *)"as seen"};
	if (!store_finish(p->store, p->run->id, &v, NULL))
		return 1;
	say_verdict(p);
	return 0;
}

static bool refuses(const Play *p)
{
	g_autofree char *path = g_strdup_printf("%s/refused-%s", p->results, p->name);
	g_autofree char *text = kx_read_file(path, 64, NULL, NULL);
	unsigned long before = text ? strtoul(text, NULL, 10) : 0;
	if (before >= option(p, "refuse"))
		return false;
	g_autofree char *now = g_strdup_printf("%lu", before + 1);
	fprintf(stderr, "kexsect: the lab is closed (%lu)\n", before + 1);
	return kx_write_scratch(path, now, -1, 0644, NULL);
}

static int run(Play *p)
{
	GError *error = NULL;
	p->store = store_open(p->results, STORE_WRITE, &error);
	if (!p->store || !find_run(p)) {
		g_printerr("kexsect: %s\n", error ? error->message : "no run");
		return 1;
	}
	say(json_pack("{s:s, s:s, s:s}", "event", "campaign", "run", p->run->slug, "name",
		      p->name));
	if (p->run->state != STORE_DONE)
		return play(p);
	say_verdict(p);
	return 0;
}

int main(int argc, char **argv)
{
	Play p = {0};
	parse(argc, argv, &p);
	bool checks = argc > 1 && g_str_equal(argv[1], "health");
	g_autofree char *beside =
		checks && p.cache ? g_build_filename(p.cache, "..", "results", NULL) : NULL;
	if (checks)
		p.results = beside;
	if (!p.file || !p.results || !p.target || !p.cache || !kx_proc_inherited() ||
	    kx_proc_inherited()[0] < 0 || !read_script(&p)) {
		fputs("fake engine: something is missing\n", stderr);
		return 2;
	}
	struct sigaction action = {.sa_handler = on_term};
	if (option(&p, "deaf"))
		action.sa_handler = SIG_IGN;
	sigaction(SIGTERM, &action, NULL);
	kx_mkdir(p.results, NULL);
	bool before = argc > 1 && g_str_equal(argv[1], "check");
	if (!checks)
		lock(&p, "campaign-", p.name);
	if (option(&p, "garbage"))
		garbage();
	if (!checks && !before)
		say_as_told(&p);
	int status = checks ? health(&p) : before ? check(&p) : refuses(&p) ? 1 : run(&p);
	store_campaign_free(p.run);
	store_free(p.store);
	g_free(p.name);
	g_free(p.script);
	g_free(p.text);
	return status;
}
