/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/plan.h"

#include <string.h>

/* A target while a plan is made: each is asked for once. */
typedef struct {
	unsigned slots;
	const char *why; /* there are none */
	bool *taken;
} Place;

typedef struct {
	PlanItem *item;
	guint *of_owner; /* how many of his run; in Plan.of_owner */
} Waiting;

typedef struct {
	const PlanLab *lab;
	guint running;
	GHashTable *of_owner; /* owner → guint */
	GHashTable *names;    /* of campaigns that run */
	GHashTable *places;   /* target → Place */
	gint64 change_us;
} Plan;

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

static Place *place_of(Plan *p, const char *target)
{
	Place *l = g_hash_table_lookup(p->places, target);
	if (l)
		return l;
	l = g_new0(Place, 1);
	l->slots = p->lab->slots(target, &l->why, p->lab->user);
	l->taken = g_new0(bool, l->slots);
	for (unsigned slot = 0; slot < l->slots; slot++)
		l->taken[slot] = p->lab->is_held(target, slot, p->lab->user);
	g_hash_table_insert(p->places, (gpointer)target, l);
	return l;
}

static void place_free(gpointer data)
{
	Place *l = data;
	g_free(l->taken);
	g_free(l);
}

/* A free place on a target, or -1. */
static int free_slot(const Place *l)
{
	for (unsigned slot = 0; slot < l->slots; slot++)
		if (!l->taken[slot])
			return (int)slot;
	return -1;
}

/* Its place, or why there is none: *busy names what is in use, *ret_why says why nothing may be
 * used. */
static int look_for(Plan *p, const char *target, GString *busy, const char **ret_why)
{
	const Place *l = place_of(p, target);
	int slot = free_slot(l);
	if (!l->slots)
		*ret_why = l->why;
	if (slot < 0 && l->slots) {
		g_string_append(busy, busy->len ? ", " : "");
		g_string_append(busy, target);
	}
	return slot;
}

/* It has this place from now on. */
static void occupy(Plan *p, const PlanItem *i, const char *target, unsigned slot)
{
	Place *l = target && *target ? place_of(p, target) : NULL;
	if (l && slot < l->slots)
		l->taken[slot] = true;
	if (i->campaign)
		g_hash_table_add(p->names, (gpointer)i->campaign);
	p->running++;
}

static const char *find_one(Plan *p, const PlanItem *i, GString *busy, const char **ret_why,
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

static bool find_target(Plan *p, PlanItem *i)
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
	i->in_the_way = !target && busy->len;
	i->reason = busy->len ? g_strdup_printf("waits for target %s", busy->str)
			      : g_strdup(why ? why : "none of its targets may be used");
	return false;
}

static guint *of_owner(Plan *p, guint64 *owner)
{
	guint *n = g_hash_table_lookup(p->of_owner, owner);
	if (!n) {
		n = g_new0(guint, 1);
		g_hash_table_insert(p->of_owner, owner, n);
	}
	return n;
}

static bool goes_before(const Waiting *one, const Waiting *other)
{
	const PlanItem *a = one->item, *b = other->item;
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (*one->of_owner != *other->of_owner)
		return *one->of_owner < *other->of_owner;
	if (a->owner != b->owner && a->served_us != b->served_us)
		return a->served_us < b->served_us;
	return a->id < b->id;
}

static void try_start(Plan *p, const Waiting *w)
{
	PlanItem *i = w->item;
	if (i->campaign && g_hash_table_contains(p->names, i->campaign)) {
		i->reason = g_strdup_printf("waits for the other run of %s", i->campaign);
	} else if (p->running >= p->lab->jobs) {
		i->reason = g_strdup_printf("waits for its turn: %u run%s, and no more may",
					    p->running, p->running == 1 ? "s" : "");
		i->in_the_way = true;
	} else if (find_target(p, i)) {
		i->action = PLAN_START;
		occupy(p, i, i->target, i->target_slot);
		++*w->of_owner;
	}
}

static void begin(Plan *p, PlanItem *items, guint n)
{
	for (guint k = 0; k < n; k++) {
		PlanItem *i = &items[k];
		i->action = PLAN_KEEP;
		i->target = NULL;
		i->reason = NULL;
		i->held = false;
		i->in_the_way = false;
		if (i->running) {
			occupy(p, i, i->bound, i->slot);
			++*of_owner(p, &i->owner);
		}
	}
}

/* ---- urgent ones ---- */

static bool may_use(const PlanItem *i, const char *target)
{
	bool bound = i->bound && *i->bound;
	return bound ? g_str_equal(i->bound, target)
		     : g_strv_contains((const char *const *)i->targets, target);
}

/* Whether a place that `v` leaves is of use to it. */
static bool would_help(Plan *p, const PlanItem *i, const PlanItem *v)
{
	g_autoptr(GString) busy = g_string_new(NULL);
	const char *why = NULL;
	int slot;
	for (char *const *t = i->also; t && *t; t++)
		if (look_for(p, *t, busy, &why) < 0)
			return false;
	if (v->bound && may_use(i, v->bound))
		return p->lab->slots(v->bound, &why, p->lab->user) > 0;
	/* only one fewer must run */
	return p->running >= p->lab->jobs && find_one(p, i, busy, &why, &slot);
}

static bool is_lower(const PlanItem *a, const PlanItem *b)
{
	return a->priority != b->priority ? a->priority < b->priority : a->id > b->id;
}

static void make_room(Plan *p, PlanItem *i, PlanItem *items, guint n, GHashTable *promised)
{
	PlanItem *victim = NULL;
	for (guint k = 0; k < n; k++) {
		PlanItem *v = &items[k];
		if (!v->running || g_hash_table_contains(promised, v) || !would_help(p, i, v))
			continue;
		if (v->stopping || v->action == PLAN_STOP) {
			g_hash_table_add(promised, v);
			return;
		}
		if (!v->urgent && v->priority < i->priority && (!victim || is_lower(v, victim)))
			victim = v;
	}
	if (!victim)
		return;
	g_hash_table_add(promised, victim);
	victim->action = PLAN_STOP;
	g_free(victim->reason);
	hold(victim, g_strdup_printf("stopped for the urgent submission %" G_GINT64_FORMAT, i->id));
	g_autofree char *before = i->reason;
	i->reason = g_strdup_printf("%s; %" G_GINT64_FORMAT " is told to end for it", before,
				    victim->id);
}

gint64 plan_make(PlanItem *items, guint n, const PlanLab *lab)
{
	g_autoptr(GArray) waiting = g_array_new(FALSE, FALSE, sizeof(Waiting));
	g_autoptr(GHashTable) owners =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
	g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) places =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, place_free);
	Plan p = {.lab = lab,
		  .of_owner = owners,
		  .names = names,
		  .places = places,
		  .change_us = G_MAXINT64};
	begin(&p, items, n);
	for (guint k = 0; k < n; k++) {
		PlanItem *i = &items[k];
		if (!i->running && may_start(&p, i)) {
			Waiting w = {i, of_owner(&p, &i->owner)};
			g_array_append_val(waiting, w);
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
			if (goes_before(&g_array_index(waiting, Waiting, k),
					&g_array_index(waiting, Waiting, best)))
				best = k;
		Waiting w = g_array_index(waiting, Waiting, best);
		g_array_remove_index_fast(waiting, best);
		try_start(&p, &w);
	}
	g_autoptr(GHashTable) promised = g_hash_table_new(NULL, NULL);
	for (guint k = 0; k < n; k++)
		if (items[k].in_the_way && items[k].urgent)
			make_room(&p, &items[k], items, n, promised);
	return p.change_us;
}
