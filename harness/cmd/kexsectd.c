/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main() of kexsectd: options, nothing else. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/retention.h"
#include "http/http.h"

enum {
	OPT_STATE = 256,
	OPT_SOCKET,
	OPT_CONFIG,
	OPT_BACKUP,
	OPT_CHECK,
	OPT_ENGINE,
	OPT_RETRY,
	OPT_GRACE,
	OPT_ACCEPT,
	OPT_THIN,
	OPT_NEW_TOKEN,
	OPT_NAME,
	OPT_VERSION
};

static const struct option options[] = {{"help", no_argument, NULL, 'h'},
					{"version", no_argument, NULL, OPT_VERSION},
					{"verbose", no_argument, NULL, 'v'},
					{"state", required_argument, NULL, OPT_STATE},
					{"socket", required_argument, NULL, OPT_SOCKET},
					{"config", required_argument, NULL, OPT_CONFIG},
					{"backup", required_argument, NULL, OPT_BACKUP},
					{"check", no_argument, NULL, OPT_CHECK},
					{"engine", required_argument, NULL, OPT_ENGINE},
					{"retry", required_argument, NULL, OPT_RETRY},
					{"grace", required_argument, NULL, OPT_GRACE},
					{"accept", required_argument, NULL, OPT_ACCEPT},
					{"thin", required_argument, NULL, OPT_THIN},
					{"new-token", required_argument, NULL, OPT_NEW_TOKEN},
					{"name", required_argument, NULL, OPT_NAME},
					{0}};

static const char help[] =
	"usage: kexsectd [OPTION…]\n\n"
	"Runs campaigns from a queue, unattended: 'kexsect submit' puts them there.\n\n"
	"  --state DIR         the queue and what belongs to it (default: $STATE_DIRECTORY, else "
	"/var/lib/kexsect)\n"
	"  --socket PATH       where the commands reach it (default: $KEXSECT_SOCKET, else "
	"DIR/socket)\n"
	"  --config FILE       limits, hours, folders (default: /etc/kexsect/kexsectd.yaml when it "
	"is there)\n"
	"  --backup FILE       write a copy of the queue's database and end; also while a daemon "
	"runs\n"
	"  --check             read all of the databases of queue and results and end; also while "
	"a "
	"daemon\n"
	"                      runs: 1 when one is damaged or a snapshot is missing\n"
	"  --new-token ROLE    make a token for HTTP, print it and end: read, operate or admin\n"
	"  --name NAME         with it: whose it is (default: the role)\n"
	"  --engine PROGRAM    what runs a campaign (default: kexsect beside this program);\n"
	"                      with one of these there is no preflight unless the configuration "
	"asks "
	"for it\n"
	"  --retry SECONDS     wait after the first failure of an engine (default: 10)\n"
	"  --grace SECONDS     from asking an engine to end to killing it (default: 45)\n"
	"  -v, --verbose\n"
	"  --version\n\n"
	"SIGTERM ends it: what runs is told to end, and goes on with the next start. SIGHUP reads "
	"the configuration again.\n";

typedef struct {
	DaemonOptions daemon;
	const char *backup, *accept, *thin, *role, *name;
	bool verbose, check;
} Own;

/* The number of an option, or NAN with a message. */
static bool number(const char *name, const char *text, double *ret)
{
	char *end;
	double value = g_ascii_strtod(text, &end);
	if (end != text && !*end && value > 0 && value <= 1e5) {
		*ret = value;
		return true;
	}
	g_printerr("kexsectd: --%s %s: a number above 0 is wanted\n", name, text);
	return false;
}

static bool take_number(Own *o, int option, const char *value)
{
	double n;
	if (option == OPT_RETRY)
		return number("retry", value, &o->daemon.retry_s);
	if (!number("grace", value, &n))
		return false;
	o->daemon.stop_grace_s = (unsigned)MAX(n, 1);
	return true;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, Own *o)
{
	int option;
	while ((option = getopt_long(argc, argv, "hv", options, NULL)) != -1)
		switch (option) {
		case 'h':
			fputs(help, stdout);
			return 0;
		case OPT_VERSION:
			puts("kexsectd " KEXSECT_VERSION);
			return 0;
		case 'v':
			o->verbose = true;
			break;
		case OPT_STATE:
			o->daemon.state = optarg;
			break;
		case OPT_SOCKET:
			o->daemon.socket = optarg;
			break;
		case OPT_CONFIG:
			o->daemon.config = optarg;
			break;
		case OPT_BACKUP:
			o->backup = optarg;
			break;
		case OPT_CHECK:
			o->check = true;
			break;
		case OPT_ENGINE:
			o->daemon.program = optarg;
			o->daemon.stand_in = true;
			break;
		case OPT_ACCEPT:
			o->accept = optarg;
			break;
		case OPT_THIN:
			o->thin = optarg;
			break;
		case OPT_NEW_TOKEN:
			o->role = optarg;
			break;
		case OPT_NAME:
			o->name = optarg;
			break;
		case OPT_RETRY:
		case OPT_GRACE:
			if (!take_number(o, option, optarg))
				return 2;
			break;
		default:
			g_printerr("kexsectd: wrong option (see kexsectd --help)\n");
			return 2;
		}
	if (argc - optind == (o->thin ? 1 : 0))
		return -1;
	g_printerr("kexsectd: %s (see kexsectd --help)\n",
		   o->thin ? "a folder is missing" : "an option is wanted, not a word");
	return 2;
}

static int fail(GError *error)
{
	g_printerr("kexsectd: %s\n", error ? error->message : "failed");
	g_clear_error(&error);
	return 1;
}

/* `rule`: "DAYS,GIB" */
static int thin(const char *rule, const char *results)
{
	const char *comma = strchr(rule, ',');
	double gib = comma ? g_ascii_strtod(comma + 1, NULL) : 0;
	GError *error = NULL;
	if (nice(10) < 0)
		g_debug("the priority stays as it is");
	int n = retention_apply(results, (unsigned)atoi(rule), gib, &error);
	if (n < 0)
		return fail(error);
	if (n)
		g_message("%d trials were thinned in %s", n, results);
	return 0;
}

static int check(const Own *o)
{
	GError *error = NULL;
	g_autoptr(DaemonConfig) c = daemon_config_load(o->daemon.config, o->daemon.state, &error);
	if (!c || !daemon_verify(o->daemon.state, c, &error))
		return fail(error);
	printf("the databases in %s and %s are whole\n", o->daemon.state, c->results);
	return 0;
}

static int new_token(const Own *o)
{
	GError *error = NULL;
	g_autofree char *token =
		http_new_token(o->daemon.state, o->role, o->name ? o->name : o->role, &error);
	if (!token)
		return fail(error);
	puts(token);
	return 0;
}

static char *engine_beside_us(void)
{
	g_autofree char *exe = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = g_path_get_dirname(exe ? exe : "/usr/bin/kexsectd");
	return g_build_filename(folder, "kexsect", NULL);
}

int main(int argc, char **argv)
{
	static const char usual_config[] = "/etc/kexsect/kexsectd.yaml";
	Own o = {0};
	kx_log_init("kexsectd", false);
	int status = parse(argc, argv, &o);
	if (status >= 0)
		return status;
	kx_log_init("kexsectd", o.verbose);
	if (o.accept)
		return daemon_accept(o.accept);
	if (o.thin)
		return thin(o.thin, argv[optind]);

	GError *error = NULL;
	const char *given = g_getenv("STATE_DIRECTORY"), *socket = g_getenv("KEXSECT_SOCKET");
	if (!o.daemon.state)
		o.daemon.state = given && *given ? given : "/var/lib/kexsect";
	if (!o.daemon.config && g_file_test(usual_config, G_FILE_TEST_EXISTS))
		o.daemon.config = usual_config;
	if (o.check)
		return check(&o);
	if (o.backup)
		return queue_backup(o.daemon.state, o.backup, &error) ? 0 : fail(error);
	if (o.role)
		return new_token(&o);
	o.daemon.front = &http_front;
	if (!o.daemon.socket && socket && *socket)
		o.daemon.socket = socket;
	g_autofree char *engine = engine_beside_us();
	if (!o.daemon.program)
		o.daemon.program = engine;
	status = daemon_run(&o.daemon, &error);
	return error ? fail(error) : status;
}
