/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/ends.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "engine/engine-internal.h"
#include "engine/work.h"

#define GRID 4000
#define TRIES 3	     /* of a job that the lab lets fail */
#define STRAYS 2     /* one fault of a good kernel may be a stray one; so many are not */
#define MISSED 0.05  /* the probability behind "would be missed" */
#define LONG_S 900.0 /* for a first fault no more boots are made after so long */

typedef struct {
	Ends *e;
	const Campaign *c;
	const TargetConfig *target;
	EngineWork work;
	EndsSide *side; /* that is booted */
	double total_s; /* of the boots so far */
	unsigned timed;
	unsigned number;     /* of the last boot */
	bool infra, machine; /* the last boot failed; because of the machine */
	char *infra_why;
} Run;

/* ---- numbers ---- */

void ends_rate(unsigned hits, unsigned misses, double *ret_mean, double *ret_low, double *ret_high)
{
	double top = (double)hits + misses ? hits / ((double)hits + misses) : 0.5, sum = 0, at = 0;
	double peak = hits * log(fmax(top, 1e-300)) + misses * log(fmax(1 - top, 1e-300));
	double weight[GRID];
	for (int i = 0; i < GRID; i++) {
		double q = (i + 0.5) / GRID;
		weight[i] = exp(hits * log(q) + misses * log1p(-q) - peak);
		sum += weight[i];
	}
	*ret_mean = (hits + 1.0) / (hits + misses + 2.0);
	*ret_low = *ret_high = 0;
	for (int i = 0; i < GRID; i++) {
		double before = at;
		at += weight[i] / sum;
		if (before <= 0.025 && at > 0.025)
			*ret_low = (double)i / GRID;
		if (before <= 0.975 && at > 0.975)
			*ret_high = (i + 1.0) / GRID;
	}
}

/* ---- jobs ---- */

static void say(const Ends *e, const char *format, const char *what)
{
	g_autofree char *text = g_strconcat(format, what, NULL);
	if (e->step)
		e->step(text, e->user);
}

static void take_trial(Run *r, const json_t *line)
{
	const char *outcome = kx_json_str(line, "outcome"), *reason = kx_json_str(line, "reason");
	double s = kx_json_num(json_object_get(line, "seconds"), "total", NAN);
	EndsSide *side = r->side;
	bool fault = g_strcmp0(outcome, "fault") == 0, clean = g_strcmp0(outcome, "clean") == 0;
	side->faults += fault;
	side->cleans += clean;
	r->number++;
	r->infra = g_strcmp0(outcome, "infra") == 0;
	r->machine = r->infra && g_strcmp0(kx_json_str(line, "cause"), "machine") == 0;
	if (!isnan(s)) {
		r->total_s += s;
		r->timed++;
	}
	if (r->infra) {
		g_free(r->infra_why);
		r->infra_why = g_strdup(reason ? reason : "?");
	} else if (!fault && !clean) {
		side->others++;
		g_free(side->trouble);
		side->trouble =
			g_strdup_printf("%s: %s", outcome ? outcome : "?", reason ? reason : "");
	}
	say(r->e, "boot: ", outcome ? outcome : "?");
}

static void on_line(const char *event, const json_t *line, gpointer user)
{
	Run *r = user;
	if (g_strcmp0(event, "trial") == 0)
		take_trial(r, line);
	else if (g_strcmp0(event, "step") == 0 && json_object_get(line, "total"))
		say(r->e, kx_json_str(line, "step"), ""); /* of a build */
}

/* False: the lab failed. True: *ret_ok says whether the job could do it. */
static bool judge_job(Run *r, const char *kind, bool *ret_ok, GError **error)
{
	const char *status = engine_work_status(&r->work);
	const json_t *result = r->work.result;
	*ret_ok = g_str_equal(status, "ok");
	if (*ret_ok || g_str_equal(status, "unbuildable"))
		return true;
	r->machine |= result && g_strcmp0(kx_json_str(result, "cause"), "machine") == 0;
	r->e->lost |= result && g_strcmp0(kx_json_str(result, "target"), "failed") == 0;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: %s", kind, engine_work_reason(&r->work));
	return false;
}

/* After a failure of the lab: true when it is worth another try, after a while. */
static bool try_again(Run *r, unsigned *tries, GError **why)
{
	double wait_s = r->e->retry_s > 0 ? r->e->retry_s : 2;
	r->e->machine = r->machine ? r->e->machine + 1 : 0;
	if (++*tries >= TRIES || r->e->lost || kx_cancelled())
		return false;
	say(r->e, "trying again: ", (*why)->message);
	g_clear_error(why);
	for (unsigned i = 1; i < *tries; i++)
		wait_s *= 4;
	for (double t = 0; t < wait_s && !kx_cancelled(); t += 0.1)
		g_usleep((gulong)(MIN(wait_s, 0.1) * G_USEC_PER_SEC));
	return true;
}

/* The kernel and its identity; NULL with *error, or without: it does not build. */
static json_t *build_once(Run *r, uint64_t mask, bool launcher, GError **error)
{
	bool ok = false;
	r->machine = false;
	say(r->e, "building ", launcher ? "the launcher" : r->side->name);
	if (!engine_work_build(&r->work, r->c, mask, launcher, error) ||
	    !judge_job(r, "build", &ok, error))
		return NULL;
	const json_t *result = r->work.result;
	const json_t *seconds = json_object_get(result, "seconds");
	double s = kx_json_num(seconds, "compile", 0) + kx_json_num(seconds, "apply", 0) +
		   kx_json_num(seconds, "configure", 0);
	if (!kx_json_bool(result, "cached", false) && !launcher)
		r->e->build_s = isnan(r->e->build_s) ? s : fmax(s, r->e->build_s);
	if (ok)
		return json_incref(r->work.result);
	g_free(r->side->trouble);
	r->side->trouble = g_strdup_printf("it does not build: %s", engine_work_reason(&r->work));
	return NULL;
}

static json_t *build(Run *r, uint64_t mask, bool launcher, GError **error)
{
	GError *why = NULL;
	for (unsigned tries = 0;;) {
		json_t *result = build_once(r, mask, launcher, &why);
		if (!why)
			return result;
		if (!try_again(r, &tries, &why))
			break;
	}
	g_propagate_error(error, why);
	return NULL;
}

/* So many boots in one job, up to the outcome `stop`; NULL: all of them. */
static bool boot(Run *r, uint64_t mask, const json_t *kernel, const char *launcher, unsigned boots,
		 const char *stop, GError **error)
{
	bool ok = false;
	const EndsSide *side = r->side;
	g_autofree char *cmdline = engine_cmdline(r->c, mask);
	const char *keep = r->e->evidence ? r->e->evidence : r->work.folder;
	g_autofree char *evidence = g_build_filename(keep, "boots", NULL);
	g_autoptr(json_t) request = json_pack(
		"{s:i s:s s:s s:O s:O s:s s:s s:i s:i s:s s:s s:[s]}", "format", 1, "target",
		r->target->path, "oracle", r->c->oracle->path, "kernel",
		json_object_get(kernel, "kernel"), "identity", json_object_get(kernel, "identity"),
		"cmdline", cmdline, "mode", r->c->mode == BOOT_COLD ? "cold" : "kexec", "boots",
		(int)boots, "first", (int)r->number + 1, "cache", r->e->cache, "evidence", evidence,
		"stop_at", "infra");
	if (stop)
		json_array_append_new(json_object_get(request, "stop_at"), json_string(stop));
	if (launcher)
		json_object_set_new(request, "launcher_kernel", kx_json_text(launcher));
	if (r->target->vm.phase.steps)
		json_object_set_new(request, "phase_first",
				    json_integer(side->faults + side->cleans + side->others));
	unsigned last = r->number + boots; /* no number is used twice, whoever crashes when */
	if (!kx_mkdir(evidence, error) || !engine_work(&r->work, "boot", request, error) ||
	    !judge_job(r, "boot", &ok, error)) {
		r->number = last;
		return false;
	}
	if (!r->infra)
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: %s", side->name, r->infra_why);
	return false;
}

/* ---- one end ---- */

/* How many boots it gets: a machine on which each takes minutes does not spend its night here. */
static unsigned affordable(const Run *r, unsigned least, unsigned most)
{
	double each = r->timed ? r->total_s / r->timed : 0;
	return each * most > LONG_S ? MAX(least, (unsigned)(LONG_S / each)) : most;
}

static bool may_go_on(const EndsSide *s, unsigned least, unsigned most)
{
	unsigned boots = s->faults + s->cleans + s->others;
	if (boots < least)
		return true;
	if (s->others == boots) /* it does not come up */
		return false;
	return s->wants_fault ? s->faults == 0 && boots < most : false;
}

static bool boot_side(Run *r, uint64_t mask, const json_t *kernel, const char *launcher,
		      GError **error)
{
	unsigned least = r->e->least ? r->e->least : ENDS_LEAST;
	unsigned limit = MAX(r->e->most ? r->e->most : ENDS_MOST, least), most = limit;
	EndsSide *s = r->side;
	GError *why = NULL;
	for (unsigned tries = 0; most = affordable(r, least, limit), may_go_on(s, least, most);) {
		unsigned done = s->faults + s->cleans + s->others;
		/* the machine stays up within a job, so the rest is one job up to its first fault
		 */
		unsigned n = done < least ? least - done : most - done;
		r->machine = r->infra = false;
		bool ok = boot(r, mask, kernel, launcher, n, done < least ? NULL : "fault", &why);
		if (s->faults + s->cleans + s->others > done)
			tries = 0;
		else if (ok)
			g_set_error(&why, KX_ERROR, KX_ERROR_FAILED, "the job made no boot");
		if (why && !try_again(r, &tries, &why)) {
			g_propagate_error(error, why);
			return false;
		}
	}
	r->e->machine = 0;
	return true;
}

static bool has_launcher(const Run *r)
{
	return r->c->mode == BOOT_KEXEC && g_str_equal(r->target->launcher.kernel, "base");
}

static bool try_side(Run *r, EndsSide *side, uint64_t mask, GError **error)
{
	const char *own = r->target->launcher.kernel;
	r->side = side;
	side->tried = true;
	g_autoptr(GError) why = NULL;
	g_autoptr(json_t) launcher = has_launcher(r) ? build(r, 0, true, &why) : NULL;
	g_autoptr(json_t) kernel = launcher || !has_launcher(r)
					   ? build(r, engine_compiled(r->c, mask), false, &why)
					   : NULL;
	if (kernel && boot_side(r, mask, kernel,
				launcher		   ? kx_json_str(launcher, "kernel")
				: g_str_equal(own, "base") ? NULL
							   : own,
				&why))
		return true;
	if (!why)
		return true; /* it does not build: side->trouble */
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

static EndsState state_of(const EndsSide *s)
{
	unsigned seen = s->faults + s->cleans;
	if (!seen)
		return s->whole && s->trouble && g_str_has_prefix(s->trouble, "it does not build")
			       ? ENDS_WRONG
			       : ENDS_UNSURE;
	/* A rare fault may need more boots than these; only the search makes so many. */
	if (s->wants_fault)
		return s->faults ? ENDS_OK : ENDS_UNSURE;
	if (!s->faults)
		return ENDS_OK;
	return s->whole && s->faults >= STRAYS ? ENDS_WRONG : ENDS_UNSURE;
}

/* What it means, in words. */
static char *meaning(const EndsSide *s)
{
	if (s->faults + s->cleans == 0)
		return g_strdup("whether it faults is not known");
	if (s->state == ENDS_OK)
		return g_strdup(s->wants_fault ? "as the campaign says"
					       : "no fault, as the campaign says");
	if (s->wants_fault)
		return g_strdup_printf(
			"the campaign says that it faults; a fault in fewer than %.2g %% "
			"of the boots would be missed so in 5 %% of the cases or more",
			100 * (1 - pow(MISSED, 1.0 / s->cleans)));
	if (!s->whole)
		return g_strdup(
			"one should think that it does not fault; a candidate may make it worse, "
			"so that others do better");
	return g_strdup(
		s->state == ENDS_WRONG
			? "the campaign says that it does not fault: the difference is not "
			  "made by what is suspected"
			: "the campaign says that it does not; one fault may be a stray one");
}

static void judge(EndsSide *s)
{
	unsigned boots = s->faults + s->cleans + s->others;
	if (!s->tried)
		return;
	s->state = state_of(s);
	g_autofree char *seen =
		boots ? g_strdup_printf("%u of %u boots fault; ", s->faults, boots) : g_strdup("");
	g_autofree char *means = meaning(s);
	s->text = g_strdup_printf("%s%s%s%s", seen, means, s->trouble ? "; " : "",
				  s->trouble ? s->trouble : "");
}

/* ---- both ---- */

uint64_t ends_full(const Campaign *c, const json_t *matrix, bool *ret_whole)
{
	*ret_whole = true;
	if (campaign_is_numbered(c))
		return c->candidates_count;
	g_auto(EngineProblem) p = {0};
	uint64_t all = 0, full = 0;
	for (unsigned i = 0; i < c->candidates_count && i < 64; i++)
		all |= (uint64_t)1 << i;
	if (!engine_problem(c, matrix, &p, NULL))
		return all;
	g_autoptr(Search) search = search_new(&p.problem, NULL);
	for (unsigned i = 0; search && i < c->candidates_count; i++) {
		uint64_t more = search_closure(search, full | (uint64_t)1 << i);
		if (search_is_valid(search, more))
			full = more;
	}
	*ret_whole = full == all;
	return search ? full : all;
}

static char *full_name(const Campaign *c, uint64_t mask, bool whole)
{
	if (campaign_is_numbered(c))
		return g_strdup("the end of the range");
	return whole ? g_strdup_printf("all %u candidates", c->candidates_count)
		     : g_strdup_printf("%d of %u candidates, all that go together",
				       __builtin_popcountll(mask), c->candidates_count);
}

static bool try_both(Run *r, GError **error)
{
	const Campaign *c = r->c;
	Ends *e = r->e;
	bool cures = c->effect == EFFECT_CURES;
	bool whole;
	uint64_t full = ends_full(c, e->matrix, &whole);
	e->base.name = g_strdup(c->history ? "the start of the range" : "the base");
	e->base.wants_fault = cures;
	e->base.whole = true;
	e->full.name = full_name(c, full, whole);
	e->full.whole = campaign_is_numbered(c);
	e->full.wants_fault = !cures;
	/* In an order campaign the other order is only known from the compiled kernel. */
	bool both = campaign_searches(c) && !c->order && full;
	return try_side(r, &e->base, 0, error) &&
	       (!both || state_of(&e->base) == ENDS_WRONG || try_side(r, &e->full, full, error));
}

bool ends_run(Ends *e, const Campaign *c, GError **error)
{
	e->q = e->q_low = e->q_high = e->boot_s = e->build_s = NAN;
	g_autofree char *folder = kx_temp_dir("check", NULL);
	if (!folder) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: no folder can be made",
			    g_get_tmp_dir());
		return false;
	}
	Run r = {.e = e,
		 .c = c,
		 .target = e->target ? e->target : c->targets[0],
		 .work = {.program = e->program,
			  .folder = folder,
			  .cache = e->cache,
			  .sandbox = !e->no_sandbox,
			  .line = on_line,
			  .user = &r}};
	bool ok = try_both(&r, error);
	judge(&e->base);
	judge(&e->full);
	const EndsSide *faulty = e->base.wants_fault ? &e->base : &e->full;
	if (faulty->faults + faulty->cleans)
		ends_rate(faulty->faults, faulty->cleans, &e->q, &e->q_low, &e->q_high);
	if (r.timed)
		e->boot_s = r.total_s / r.timed;
	engine_work_clear(&r.work);
	g_free(r.infra_why);
	kx_remove_tree(folder, NULL);
	return ok;
}

static void clear_side(EndsSide *s)
{
	g_free(s->name);
	g_free(s->trouble);
	g_free(s->text);
}

void ends_clear(Ends *e)
{
	clear_side(&e->base);
	clear_side(&e->full);
}

static json_t *number(double x)
{
	return isnan(x) ? json_null() : json_real(x);
}

json_t *ends_json(const Ends *e)
{
	static const char *const states[] = {"ok", "unsure", "wrong"};
	json_t *sides = json_array();
	for (const EndsSide *s = &e->base; s; s = s == &e->base ? &e->full : NULL)
		if (s->tried)
			json_array_append_new(
				sides, json_pack("{s:o s:s s:s s:o s:i s:i s:i}", "name",
						 kx_json_text(s->name), "wants",
						 s->wants_fault ? "fault" : "clean", "state",
						 states[s->state], "text",
						 kx_json_text(s->text ? s->text : ""), "boots",
						 (int)(s->faults + s->cleans + s->others), "faults",
						 (int)s->faults, "cleans", (int)s->cleans));
	json_t *q = isnan(e->q) ? json_null()
				: json_pack("{s:f s:f s:f}", "mean", e->q, "low", e->q_low, "high",
					    e->q_high);
	return json_pack("{s:o s:o s:o s:o}", "sides", sides, "q", q, "boot_s", number(e->boot_s),
			 "build_s", number(e->build_s));
}
