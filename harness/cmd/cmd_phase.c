/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "cmd/command.h"
#include "engine/phases.h"
#include "job/expand.h"

enum { OPT_VARIANT = OPT_COMMAND, OPT_STEPS, OPT_PERIOD, OPT_MODE, OPT_KEEP };

static const struct option options[] = {OPTION_HELP,
					OPTION_VERBOSE,
					OPTION_CACHE,
					OPTION_JSON,
					OPTION_NO_SANDBOX,
					OPTION_SOURCE,
					OPTION_TOOLCHAIN,
					{"variant", required_argument, NULL, OPT_VARIANT},
					{"steps", required_argument, NULL, OPT_STEPS},
					{"period", required_argument, NULL, OPT_PERIOD},
					{"mode", required_argument, NULL, OPT_MODE},
					{"keep", required_argument, NULL, OPT_KEEP},
					{0}};

typedef struct {
	Phases phases;
	const char *mode;
	char *keep;
} Own;

static bool own_number(const char *option, const char *value, unsigned max, unsigned *ret)
{
	guint64 n;
	if (!cmd_number(option, value, 1, &n))
		return false;
	*ret = (unsigned)MIN(n, max);
	return true;
}

static bool own(int option, const char *value, gpointer user)
{
	Own *o = user;
	if (option == OPT_VARIANT)
		o->phases.variant = value;
	else if (option == OPT_STEPS)
		return own_number("steps", value, 4096, &o->phases.steps);
	else if (option == OPT_PERIOD)
		return own_number("period", value, 1000000, &o->phases.period_us);
	else if (option == OPT_MODE)
		o->mode = value;
	else if (option == OPT_KEEP)
		o->keep = g_canonicalize_filename(value, NULL);
	else
		return false;
	return true;
}

static void tell_step(const char *what, gpointer user)
{
	if (kx_log_is_terminal())
		printf("\r\033[K  … %s", what);
	fflush(stdout);
}

static void tell_boot(const PhasesBoot *b, gpointer user)
{
	if (kx_log_is_terminal())
		printf("\r\033[K  … %4u µs: %s", b->us, b->outcome);
	fflush(stdout);
}

static bool is_evidence(const PhasesBoot *b)
{
	return g_str_equal(b->outcome, "fault") || g_str_equal(b->outcome, "clean");
}

/* "   438 µs  ########    8", and the words of a boot that is no evidence. */
static void print_boot(const PhasesBoot *b, gint64 most)
{
	enum { WIDTH = 40 };
	char bar[WIDTH + 1] = "";
	gint64 n = most > 0 ? (b->accesses * WIDTH + most - 1) / most : 0;
	memset(bar, '#', (size_t)CLAMP(n, 0, WIDTH));
	if (is_evidence(b))
		printf("%7u µs  %-*s %6" G_GINT64_FORMAT "\n", b->us, WIDTH, bar, b->accesses);
	else
		printf("%7u µs  %s: %.200s\n", b->us, b->outcome, b->reason);
}

static void print_text(const Campaign *c, const Phases *p)
{
	gint64 most = 0;
	for (guint i = 0; i < p->boots->len; i++)
		most = MAX(most, ((const PhasesBoot *)p->boots->pdata[i])->accesses);
	printf("%s%s: %s, %s boots at %u phases of %u µs; refused accesses at each\n",
	       kx_log_is_terminal() ? "\r\033[K" : "", c->name,
	       p->variant && *p->variant ? p->variant : "no candidate",
	       p->mode == BOOT_COLD ? "cold" : "kexec", p->used_steps, p->used_period_us);
	for (guint i = 0; i < p->boots->len; i++)
		print_boot(p->boots->pdata[i], most);
	unsigned known = p->faults + p->cleans;
	if (known)
		printf("%u of %u phases: %.2f ± 1/%u\n", p->faults, known,
		       (double)p->faults / known, known);
	if (known < p->boots->len)
		printf("%u boots were no evidence\n", p->boots->len - known);
}

static void set_number(json_t *o, const char *key, gint64 value)
{
	json_object_set_new(o, key, value < 0 ? json_null() : json_integer(value));
}

static void print_json(const Campaign *c, const Phases *p)
{
	json_t *boots = json_array();
	unsigned known = p->faults + p->cleans;
	for (guint i = 0; i < p->boots->len; i++) {
		const PhasesBoot *b = p->boots->pdata[i];
		json_t *o = json_pack("{s:i s:i s:o s:o s:I}", "step", (int)b->step, "phase_us",
				      (int)b->us, "outcome", kx_json_text(b->outcome), "reason",
				      kx_json_text(b->reason), "accesses", (json_int_t)b->accesses);
		set_number(o, "window_us", b->window_us);
		set_number(o, "blocked_us", b->blocked_us);
		if (b->evidence)
			json_object_set_new(o, "evidence", kx_json_text(b->evidence));
		json_array_append_new(boots, o);
	}
	g_autoptr(json_t) all = json_pack(
		"{s:o s:o s:s s:i s:i s:i s:i s:o s:o s:o}", "campaign", kx_json_text(c->name),
		"variant", kx_json_text(p->variant ? p->variant : ""), "mode",
		p->mode == BOOT_COLD ? "cold" : "kexec", "period_us", (int)p->used_period_us,
		"steps", (int)p->used_steps, "faults", (int)p->faults, "cleans", (int)p->cleans,
		"probability", known ? json_real((double)p->faults / known) : json_null(),
		"exactness", known ? json_real(1.0 / known) : json_null(), "boots", boots);
	kx_json_line(all);
}

static int run_phases(const char *name, const CommonOptions *common, Own *o)
{
	GError *error = NULL;
	int status;
	g_autoptr(Campaign) c = cmd_campaign(name, &status);
	if (!c)
		return status;
	Phases *p = &o->phases;
	p->cache = common->cache;
	p->program = "/proc/self/exe";
	p->evidence = o->keep;
	p->no_sandbox = !common->sandbox;
	if (!common->json) {
		p->step = tell_step;
		p->boot = tell_boot;
	}
	kx_catch_signals();
	if (campaign_needs_source(c) &&
	    !expand_campaign(c, common->cache, common->sandbox, NULL, NULL, &error))
		return cmd_fail(error);
	p->mode = !o->mode ? c->mode : g_str_equal(o->mode, "cold") ? BOOT_COLD : BOOT_KEXEC;
	bool ok = phases_run(p, c, &error);
	if (!ok)
		return cmd_fail(error);
	if (common->json)
		print_json(c, p);
	else
		print_text(c, p);
	return p->faults + p->cleans == p->boots->len ? 0 : 1;
}

static int run(int argc, char **argv)
{
	g_auto(CommonOptions) common = {0};
	Own o = {0};
	int status = cmd_parse(&cmd_phase, argc, argv, options, own, &o, &common, 1, 1);
	if (status < 0 && o.mode && !g_str_equal(o.mode, "cold") && !g_str_equal(o.mode, "kexec"))
		status =
			cmd_usage(&cmd_phase, "--mode: expected kexec or cold, found '%s'", o.mode);
	if (status < 0)
		status = run_phases(argv[optind], &common, &o);
	phases_clear(&o.phases);
	g_free(o.keep);
	return status;
}

const Command cmd_phase = {
	.name = "phase",
	.arguments = "CAMPAIGN",
	.summary = "One kernel at every phase of the device's DMA: how probable its fault is",
	.help = "  CAMPAIGN            a file, or the name of a campaign that came with kexsect\n"
		"  --variant A+B       with these candidates (default: none of them)\n"
		"  --steps N           phases (default: the target's vm.phase, else 16)\n"
		"  --period US         of the device's DMA (default: the target's, else 1000)\n"
		"  --mode kexec|cold   (default: the campaign's)\n"
		"  --keep DIR          keep the evidence of the boots there\n"
		"  --cache DIR         (default: $KEXSECT_CACHE, else ~/.cache/kexsect)\n"
		"  --json              one JSON object: boots[], probability, "
		"exactness\n" HELP_SOURCES "  --no-sandbox        as for run\n",
	.run = run,
};
