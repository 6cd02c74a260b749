/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pair of initcalls must keep its order: boots of one kernel in orders between a good and a
 * bad one. Nothing is compiled after the kernel itself. */
#include "engine/engine-internal.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "initcall/log.h"
#include "initcall/pairs.h"
#include "search/order.h"

struct EngineOrder {
	InitcallPairs *pairs;
	OrderSearch *search;
	guint *order; /* scratch: one order */
	unsigned path_boots, proof_boots;
	json_t *names; /* document "orders": what the orders that were made are called */
};

void engine_order_free(Engine *e)
{
	if (!e->order)
		return;
	e->search = NULL; /* it is the order search's */
	order_free(e->order->search);
	initcall_pairs_free(e->order->pairs);
	g_free(e->order->order);
	json_decref(e->order->names);
	g_free(e->order);
	e->order = NULL;
}

static bool wanted(const Engine *e)
{
	return e->campaign->order && !e->answered;
}

/* ---- the two orders ---- */

static bool is_log(const char *path)
{
	g_autofree char *name = g_path_get_basename(path);
	return strstr(name, "vmlinu") == NULL && strstr(name, "bzImage") == NULL &&
	       g_strcmp0(name, "kernel") != 0;
}

/* The functions that a boot log calls, in their order. */
static char **functions_of_log(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	g_autoptr(InitcallLog) log = initcall_log_new();
	g_autoptr(GStrvBuilder) out = g_strv_builder_new();
	gsize len;
	GError *why = NULL;
	if (!g_file_get_contents(path, &text, &len, &why)) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING, "%s", why->message);
		g_error_free(why);
		return NULL;
	}
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		const char *message = strstr(lines[i], "calling ");
		message = message ? message : lines[i];
		initcall_log_line(log, message, strlen(message), -1, i + 1);
	}
	const GPtrArray *steps = initcall_log_steps(log);
	for (guint i = 0; i < steps->len; i++) {
		const InitcallStep *s = steps->pdata[i];
		if (s->kind == INITCALL_STEP_INITCALL && !s->module)
			g_strv_builder_add(out, s->name);
	}
	return g_strv_builder_end(out);
}

/* Brings the order into that of a file: another kernel's, or a boot log's. */
static bool follow(InitcallOrder *o, const char *path, GError **error)
{
	if (!path)
		return true;
	if (is_log(path)) {
		g_auto(GStrv) functions = functions_of_log(path, error);
		if (functions)
			initcall_order_follow(o, (const char *const *)functions);
		return functions != NULL;
	}
	g_autoptr(InitcallOrder) from = initcall_order_read(path, NULL, error);
	if (!from)
		return false;
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i < from->calls->len; i++)
		g_ptr_array_add(names, ((Initcall *)from->calls->pdata[i])->function);
	g_ptr_array_add(names, NULL);
	initcall_order_follow(o, (const char *const *)names->pdata);
	return true;
}

static bool move_all(InitcallOrder *o, char *const *moves, unsigned n, GError **error)
{
	for (unsigned i = 0; i < n; i++)
		if (!initcall_order_move(o, moves[i], false, error))
			return false;
	return true;
}

static bool scramble(InitcallOrder *o, const CampaignOrder *c, GError **error)
{
	g_autoptr(GPtrArray) keep = g_ptr_array_new();
	for (unsigned i = 0; i < c->keep_count; i++)
		g_ptr_array_add(keep, c->keep[i]);
	g_ptr_array_add(keep, NULL);
	return c->scramble == SCRAMBLE_NOTHING ||
	       initcall_order_scramble(o, c->seed, (const char *const *)keep->pdata, error);
}

static InitcallPairs *read_pairs(const Engine *e, const char *vmlinux, GError **error)
{
	const CampaignOrder *c = e->campaign->order;
	g_autoptr(InitcallOrder) good = initcall_order_read(vmlinux, NULL, error);
	g_autoptr(InitcallOrder) bad = good ? initcall_order_read(vmlinux, NULL, error) : NULL;
	if (!bad || !follow(good, c->good_from, error) ||
	    !follow(bad, c->bad_from ? c->bad_from : c->good_from, error) ||
	    !scramble(bad, c, error) || !move_all(good, c->good, c->good_count, error) ||
	    !move_all(bad, c->bad, c->bad_count, error))
		return NULL;
	return initcall_pairs_new(good, bad, error);
}

static bool make_search(Engine *e, GError **error)
{
	const Campaign *c = e->campaign;
	EngineOrder *o = e->order;
	OrderProblem p = {
		.n = initcall_pairs_items(o->pairs),
		.good = initcall_pairs_good(o->pairs),
		.bad = initcall_pairs_bad(o->pairs),
		.group = initcall_pairs_group(o->pairs),
		.names = initcall_pairs_names(o->pairs),
		.confidence = c->search.confidence,
		.mode = c->mode == BOOT_COLD ? SEARCH_COLD : SEARCH_KEXEC,
		.mode_proof = SEARCH_COLD,
		.seed = c->search.seed,
	};
	o->search = order_new(&p, error);
	o->order = g_new(guint, p.n);
	return o->search != NULL;
}

static bool begin(Engine *e, GError **error)
{
	const EngineKernel *k = engine_kernel(e, ENGINE_AS_COMPILED, false, false);
	g_return_val_if_fail(k && k->ok, false);
	g_autofree char *folder = g_path_get_dirname(k->kernel);
	g_autofree char *vmlinux = g_build_filename(folder, "vmlinux", NULL);
	e->order = g_new0(EngineOrder, 1);
	e->order->pairs = read_pairs(e, vmlinux, error);
	if (!e->order->pairs || !make_search(e, error)) {
		g_prefix_error(error, "%s: order: ", e->campaign->path);
		return false;
	}
	e->search = order_search(e->order->search);
	engine_note(e, "info", "order", 0,
		    "%u initcalls and levels, %u pairs stand differently in the bad order: at "
		    "least %.0f boots",
		    initcall_pairs_items(e->order->pairs), order_pairs(e->order->search),
		    ceil(log2(order_pairs(e->order->search) + 1)));
	return true;
}

/* ---- what the engine asks of a variant ---- */

char *engine_order_name(const Engine *e, SearchMask mask)
{
	if (mask == ENGINE_AS_COMPILED || !e->order)
		return g_strdup(mask == ENGINE_AS_COMPILED ? "the kernel as compiled" : "an order");
	return order_variant_name(e->order->search, mask);
}

char *engine_order_hypothesis(const Engine *e, const SearchHypothesis *h)
{
	return e->order ? order_hypothesis_name(e->order->search, h) : g_strdup("?");
}

/* For who reads the run without this search. */
static bool remember_name(Engine *e, SearchMask mask, GError **error)
{
	EngineOrder *o = e->order;
	g_autofree char *key = g_strdup_printf("%" G_GUINT64_FORMAT, mask);
	g_autofree char *name = order_variant_name(o->search, mask);
	if (!o->names) {
		o->names = store_document(e->store, e->run->id, "orders", error);
		if (!o->names)
			return false;
	}
	if (!json_is_object(o->names)) {
		json_decref(o->names);
		o->names = json_object();
	}
	json_object_set_new(o->names, key, kx_json_text(name));
	return store_set_document(e->store, e->run->id, "orders", o->names, error);
}

bool engine_order_request(Engine *e, SearchMask mask, json_t *request, GError **error)
{
	if (mask == ENGINE_AS_COMPILED)
		return true;
	g_autofree char *file =
		g_strdup_printf("order-%u-%u.txt", ORDER_LINE(mask), ORDER_POSITION(mask));
	g_autofree char *path = g_build_filename(e->run->dir, "requests", file, NULL);
	if (!e->order || !order_of(e->order->search, mask, e->order->order)) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: there is no such order",
			    e->run->slug);
		return false;
	}
	g_autofree char *text = initcall_pairs_text(e->order->pairs, e->order->order);
	json_object_set_new(request, "order", kx_json_text(path));
	return kx_write_file(path, text, -1, error) && remember_name(e, mask, error);
}

/* ---- the plan ---- */

static void untestable(Engine *e, SearchMask mask, bool lab)
{
	if (mask != ENGINE_AS_COMPILED)
		order_observe_untestable(e->order->search, mask, true);
}

static void observe(Engine *e, const StoreTrial *t, int outcome)
{
	SearchMode mode = g_str_equal(t->mode, "cold") ? SEARCH_COLD : SEARCH_KEXEC;
	bool fault = outcome == ENGINE_FAULT;
	*(ORDER_LINE(t->mask) ? &e->order->proof_boots : &e->order->path_boots) += 1;
	if (fault || outcome == ENGINE_CLEAN)
		order_observe(e->order->search, t->mask, fault, !fault, mode);
	else
		order_observe_untestable(e->order->search, t->mask, false);
	e->search = order_search(e->order->search);
}

static StorePosterior *belief(Engine *e, unsigned trial)
{
	engine_look(e);
	return engine_posterior(e, trial);
}

static bool next(Engine *e, const char **ret_budget)
{
	SearchCosts costs;
	g_autoptr(GArray) built = g_array_new(FALSE, FALSE, sizeof(SearchMask));
	engine_costs(e, built, &costs);
	/* An order costs a rewrite, a tenth of a boot: a boot that tells more goes first. */
	costs.build_s = MIN(costs.build_s, costs.boot_s / 10);
	costs.switch_s = MIN(costs.switch_s, costs.boot_s / 10);
	costs.builds_left = SEARCH_UNLIMITED;
	if (order_next(e->order->search, &costs, &e->next) == SEARCH_DONE) {
		OrderVerdict v;
		SearchCosts more = costs;
		SearchExperiment x;
		order_verdict(e->order->search, &v);
		more.boots_left = SEARCH_UNLIMITED;
		if (v.proved || order_next(e->order->search, &more, &x) != SEARCH_EXPERIMENT)
			return false;
		*ret_budget = "boots";
		return false;
	}
	e->search = order_search(e->order->search);
	e->purpose = search_purpose_name(e->next.purpose);
	return true;
}

static json_t *item_json(const Engine *e, guint item)
{
	const Initcall *c = initcall_pairs_call(e->order->pairs, item);
	const char *name = initcall_pairs_names(e->order->pairs)[item];
	json_t *o = json_pack("{s:o}", "name", kx_json_text(name));
	if (c) {
		json_object_set_new(o, "function", kx_json_text(c->function));
		json_object_set_new(o, "level", json_string(initcall_level_name(c->level)));
	}
	return o;
}

static char *must(const Engine *e, InitcallSwap pair)
{
	const char *const *names = initcall_pairs_names(e->order->pairs);
	return g_strdup_printf("%s must run before %s", names[pair.late], names[pair.early]);
}

/* What was found, in a sentence. */
static char *sentence(const Engine *e, const OrderVerdict *v)
{
	g_autofree char *a = v->n_pairs ? must(e, v->pair[0]) : NULL;
	g_autofree char *b = v->n_pairs > 1 ? must(e, v->pair[1]) : NULL;
	switch (v->claim) {
	case ORDER_ONE:
		return g_steal_pointer(&a);
	case ORDER_BOTH:
		return g_strdup_printf("%s, or %s: it takes both the wrong way round", a, b);
	case ORDER_EITHER:
		return g_strdup_printf("%s, and %s: either the wrong way round is enough", a, b);
	default:
		return g_strdup("the order does not matter");
	}
}

static json_t *order_json(const Engine *e, const OrderVerdict *v, const char *text)
{
	json_t *pairs = json_array();
	for (guint i = 0; i < v->n_pairs; i++)
		json_array_append_new(pairs, json_pack("{s:o, s:o}", "first",
						       item_json(e, v->pair[i].late), "second",
						       item_json(e, v->pair[i].early)));
	return json_pack("{s:s, s:b, s:b, s:o, s:o, s:i, s:i, s:i, s:i}", "claim",
			 order_claim_name(v->claim), "proved", (int)v->proved, "more", (int)v->more,
			 "sentence", kx_json_text(text), "pairs", pairs, "items",
			 (int)initcall_pairs_items(e->order->pairs), "differing_pairs",
			 (int)order_pairs(e->order->search), "boots_to_find",
			 (int)e->order->path_boots, "boots_to_prove", (int)e->order->proof_boots);
}

static char *reason_of(const Engine *e, const OrderVerdict *v, const char *budget, const char *text)
{
	const EngineOrder *o = e->order;
	if (v->proved)
		return g_strdup_printf(
			"%s; found among %u pairs in %u boots, and proved in %u more: "
			"in the good order it brings the fault, in the bad one its "
			"absence takes it away",
			text, order_pairs(o->search), o->path_boots, o->proof_boots);
	if (v->claim == ORDER_NOTHING)
		return g_strdup(v->search.reason);
	return g_strdup_printf("%s%s%s; not proved%s", budget ? "the budget of " : "",
			       budget ? budget : "", budget ? " was used up first; so far " : text,
			       v->more ? ": a third pair takes part" : "");
}

static bool conclude(Engine *e, const char *budget, GError **error)
{
	OrderVerdict v;
	order_verdict(e->order->search, &v);
	e->search = order_search(e->order->search);
	engine_look(e);
	bool none = !v.proved && v.claim == ORDER_NOTHING && v.search.kind == SEARCH_VERDICT_NONE;
	g_autofree char *text = sentence(e, &v);
	g_autofree char *reason = reason_of(e, &v, budget, text);
	g_autoptr(StoreVerdict) out = g_new0(StoreVerdict, 1);
	out->kind = g_strdup(v.proved ? "cause" : none ? "none" : "inconclusive");
	out->effect = g_strdup("causes");
	out->probability = CLAMP(v.probability, 0, 1);
	out->why = g_strdup(v.proved ? "rule" : budget ? "budget" : search_why_name(v.search.why));
	out->reason = g_steal_pointer(&reason);
	out->details = engine_details(e, &v.search);
	json_object_set_new(out->details, "order", order_json(e, &v, text));
	if (v.proved)
		json_object_set_new(out->details, "sentence", kx_json_text(text));
	e->answered = true;
	if (!engine_record_verdict(e, out, error))
		return false;
	engine_tell_verdict(e, out);
	return true;
}

const EnginePlan engine_plan_order = {
	.name = "order",
	.wanted = wanted,
	.begin = begin,
	.untestable = untestable,
	.observe = observe,
	.belief = belief,
	.recorded = engine_tell_leader,
	.next = next,
	.conclude = conclude,
	.time_left = engine_search_time_left,
};
