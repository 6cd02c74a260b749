/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/plan.h"

#include <string.h>

typedef struct {
	PlanItem *items;
	guint n;
	const PlanLab *lab;
	guint running;
	GHashTable *of_owner; /* owner → how many of his run */
	gint64 change_us;
} Plan;

static bool occupies(const PlanItem *i)
{
	return i->running || i->action == PLAN_START;
}

/* The clock time of a moment, with the day when it is not within 24 hours. */
static char *time_text(gint64 us, const PlanLab *lab)
{
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC);
	g_autoptr(GDateTime) t = utc ? g_date_time_to_timezone(utc, lab->zone) : NULL;
	bool near = us - lab->now_us < G_TIME_SPAN_DAY;
	return t ? g_date_time_format(t, near ? "%H:%M" : "%F %H:%M") : g_strdup("?");
}

static void hold(PlanItem *i, char *reason)
{
	i->held = true;
	i->reason = reason;
}

/* The clock alone: true when it may run at this time of the day. */
static bool is_time(Plan *p, PlanItem *i)
{
	if (!i->window)
		return true;
	gint64 change;
	bool open = window_is_open(i->window, p->lab->now_us, p->lab->zone, &change);
	p->change_us = MIN(p->change_us, change);
	if (open)
		return true;
	g_autofree char *when = time_text(change, p->lab);
	hold(i, g_strdup_printf("outside of its hours until %s", when));
	return false;
}

static bool may_start(Plan *p, PlanItem *i)
{
	if (!is_time(p, i))
		return false;
	const char *why = p->lab->stop_why ? p->lab->stop_why : p->lab->hold_why;
	if (why) {
		hold(i, g_strdup(why));
		return false;
	}
	if (i->not_before_us > p->lab->now_us) {
		p->change_us = MIN(p->change_us, i->not_before_us);
		g_autofree char *when = time_text(i->not_before_us, p->lab);
		hold(i, g_strdup_printf("tried again at %s", when));
		return false;
	}
	return true;
}

static bool slot_is_free(const Plan *p, const char *target, unsigned slot)
{
	for (guint k = 0; k < p->n; k++) {
		const PlanItem *i = &p->items[k];
		bool mine = i->running && i->slot == slot && g_strcmp0(i->bound, target) == 0;
		bool soon = i->action == PLAN_START && i->target_slot == slot &&
			    g_str_equal(i->target, target);
		if (mine || soon)
			return false;
	}
	return !p->lab->is_held(target, slot, p->lab->user);
}

/* A free place on a target, or -1. */
static int free_slot(const Plan *p, const char *target, unsigned slots)
{
	for (unsigned slot = 0; slot < slots; slot++)
		if (slot_is_free(p, target, slot))
			return (int)slot;
	return -1;
}

/* Its place, or why there is none: *busy names what is in use, *ret_why says why nothing may be
 * used. */
static int look_for(const Plan *p, const char *target, GString *busy, const char **ret_why)
{
	unsigned slots = p->lab->slots(target, ret_why, p->lab->user);
	int slot = free_slot(p, target, slots);
	if (slot < 0 && slots)
		g_string_append_printf(busy, "%s%s", busy->len ? ", " : "", target);
	return slot;
}

static const char *find_one(const Plan *p, const PlanItem *i, GString *busy, const char **ret_why,
			    int *ret_slot)
{
	for (char *const *t = i->targets; *t; t++) {
		if (i->bound && *i->bound && !g_str_equal(*t, i->bound))
			continue;
		*ret_slot = look_for(p, *t, busy, ret_why);
		if (*ret_slot >= 0)
			return *t;
	}
	return NULL;
}

static bool find_target(const Plan *p, PlanItem *i)
{
	g_autoptr(GString) busy = g_string_new(NULL);
	const char *why = NULL;
	int slot = -1;
	const char *target = find_one(p, i, busy, &why, &slot);
	bool all = target != NULL;
	if (all)
		g_string_truncate(busy, 0);
	for (char *const *t = i->also; all && t && *t; t++)
		all = look_for(p, *t, busy, &why) >= 0;
	if (all) {
		i->target = target;
		i->target_slot = (unsigned)slot;
		return true;
	}
	i->held = !busy->len;
	i->reason = busy->len ? g_strdup_printf("waits for target %s", busy->str)
			      : g_strdup(why ? why : "none of its targets may be used");
	return false;
}

static bool twin_runs(const Plan *p, const PlanItem *i)
{
	for (guint k = 0; k < p->n; k++)
		if (&p->items[k] != i && occupies(&p->items[k]) &&
		    g_strcmp0(p->items[k].campaign, i->campaign) == 0)
			return true;
	return false;
}

static guint of_owner(const Plan *p, const PlanItem *i)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(p->of_owner, &i->owner));
}

static void count_owner(Plan *p, PlanItem *i)
{
	g_hash_table_replace(p->of_owner, &i->owner, GUINT_TO_POINTER(of_owner(p, i) + 1));
}

static bool goes_before(const Plan *p, const PlanItem *a, const PlanItem *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	guint of_a = of_owner(p, a), of_b = of_owner(p, b);
	if (of_a != of_b)
		return of_a < of_b;
	if (a->owner != b->owner && a->served_us != b->served_us)
		return a->served_us < b->served_us;
	return a->id < b->id;
}

static void try_start(Plan *p, PlanItem *i)
{
	if (twin_runs(p, i)) {
		i->reason = g_strdup_printf("waits for the other run of %s", i->campaign);
	} else if (p->running >= p->lab->jobs) {
		i->reason = g_strdup_printf("waits for its turn: %u run%s, and no more may",
					    p->running, p->running == 1 ? "s" : "");
	} else if (find_target(p, i)) {
		i->action = PLAN_START;
		p->running++;
		count_owner(p, i);
	}
}

gint64 plan_make(PlanItem *items, guint n, const PlanLab *lab)
{
	Plan p = {.items = items, .n = n, .lab = lab, .change_us = G_MAXINT64};
	g_autoptr(GPtrArray) waiting = g_ptr_array_new();
	g_autoptr(GHashTable) of_owner = g_hash_table_new(g_int64_hash, g_int64_equal);
	p.of_owner = of_owner;
	for (guint k = 0; k < n; k++) {
		PlanItem *i = &items[k];
		i->action = PLAN_KEEP;
		i->target = NULL;
		i->reason = NULL;
		i->held = false;
		p.running += i->running;
		if (i->running)
			count_owner(&p, i);
	}
	for (guint k = 0; k < n; k++) {
		PlanItem *i = &items[k];
		if (!i->running && may_start(&p, i)) {
			g_ptr_array_add(waiting, i);
		} else if (i->running && (!is_time(&p, i) || lab->stop_why)) {
			i->action = PLAN_STOP;
			if (!i->reason)
				hold(i, g_strdup(lab->stop_why));
		}
	}
	/* Each start changes who is next, for fairness. */
	while (waiting->len) {
		guint best = 0;
		for (guint k = 1; k < waiting->len; k++)
			if (goes_before(&p, waiting->pdata[k], waiting->pdata[best]))
				best = k;
		try_start(&p, g_ptr_array_remove_index_fast(waiting, best));
	}
	return p.change_us;
}
