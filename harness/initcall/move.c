/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changing an order: one move, or all of it from a file. */
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "initcall/order-internal.h"

#define MAX_ORDER (16u << 20)

/* Console and security ones run before the early ones. */
static int rank(InitcallLevel level)
{
	return level == INITCALL_CONSOLE ? -2 : level == INITCALL_SECURITY ? -1 : (int)level;
}

static bool is_special(InitcallLevel level)
{
	return level == INITCALL_CONSOLE || level == INITCALL_SECURITY || level == INITCALL_EARLY;
}

static const Initcall *call(const InitcallOrder *o, guint i)
{
	return o->calls->pdata[i];
}

static bool input(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool input(GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (error)
		*error = g_error_new_valist(KX_ERROR, KX_ERROR_INPUT, format, args);
	va_end(args);
	return false;
}

/* ---- names ---- */

static bool is_named(const Initcall *c, const char *name, const char *at)
{
	size_t len = at ? (size_t)(at - name) : strlen(name);
	if (strncmp(c->function, name, len) != 0 || c->function[len])
		return false;
	return !at || g_strcmp0(c->module, at + 1) == 0;
}

gint64 initcall_order_find(const InitcallOrder *o, const char *name, GError **error)
{
	const char *at = strchr(name, '@');
	gint64 found = -1;
	g_autoptr(GString) all = g_string_new(NULL);
	unsigned count = 0;
	for (guint i = 0; i < o->calls->len; i++) {
		const Initcall *c = call(o, i);
		if (!is_named(c, name, at))
			continue;
		found = i;
		count++;
		g_string_append_printf(all, "%s%s@%s (%s)", all->len ? ", " : "", c->function,
				       c->module ? c->module : "?", initcall_level_name(c->level));
	}
	if (count == 1)
		return found;
	if (count)
		input(error, "'%s' is the name of %u initcalls: %s", name, count, all->str);
	else
		input(error,
		      "there is no initcall '%s' built into this kernel (one of a module runs when "
		      "that is loaded: it is in no table)",
		      name);
	return -1;
}

/* ---- one move ---- */

typedef struct {
	char *function, *other;
	InitcallLevel level;
	enum { LAST, FIRST, BEFORE, AFTER } place;
} Move;

static void move_clear(Move *m)
{
	g_free(m->function);
	g_free(m->other);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Move, move_clear)

static bool parse(const char *text, Move *m, GError **error)
{
	const char *equals = strchr(text, '=');
	const char *colon = equals ? strchr(equals, ':') : NULL;
	*m = (Move){0};
	if (!equals || equals == text)
		return input(error,
			     "'%s' is no move: FN=LEVEL[:before FN2|:after FN2|:first|:last] is "
			     "expected, as in iommu_init=arch",
			     text);
	m->function = g_strndup(text, (gsize)(equals - text));
	g_strstrip(m->function);
	g_autofree char *level =
		colon ? g_strndup(equals + 1, (gsize)(colon - equals - 1)) : g_strdup(equals + 1);
	m->level = initcall_level_parse(g_strstrip(level), -1);
	if (m->level < 0)
		return input(
			error,
			"'%s': '%s' is no level; they are early, pure, core, postcore, arch, "
			"subsys, fs, rootfs, device, late, or 0 to 7, each with _sync (0s) for "
			"the part after it",
			text, level);
	g_autofree char *place = g_strdup(colon ? colon + 1 : "last");
	g_strstrip(place);
	if (g_str_equal(place, "first") || g_str_equal(place, "last")) {
		m->place = g_str_equal(place, "first") ? FIRST : LAST;
		return true;
	}
	m->place = g_str_has_prefix(place, "before ") ? BEFORE : AFTER;
	if (m->place == AFTER && !g_str_has_prefix(place, "after "))
		return input(error, "'%s': '%s' is no place: before FN2, after FN2, first or last",
			     text, place);
	m->other = g_strdup(place + (m->place == BEFORE ? 7 : 6));
	g_strstrip(m->other);
	return true;
}

bool initcall_move_check(const char *move, char **ret_function, GError **error)
{
	g_auto(Move) m;
	if (!parse(move, &m, error))
		return false;
	if (ret_function)
		*ret_function = g_steal_pointer(&m.function);
	return true;
}

static bool allowed(const Initcall *c, InitcallLevel to, bool force, GError **error)
{
	InitcallLevel which = is_special(c->level) ? c->level : to;
	if (!is_special(which))
		return true;
	const char *name = initcall_level_name(which);
	if (c->level != to)
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "%s cannot be moved from %s to %s: %s", c->function,
			    initcall_level_name(c->level), initcall_level_name(to),
			    which == INITCALL_EARLY
				    ? "where the early ones end is a constant in the kernel's code"
				    : "that is a table of its own, run from other code");
	else if (!force)
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "%s is one of the %s initcalls, which run before most of the kernel "
			    "works: moving it is done with --force only",
			    c->function, name);
	else
		return true;
	return false;
}

/* Where in `o`, which does not hold the moved one, it goes. */
static gint64 place_of(const InitcallOrder *o, const Move *m, GError **error)
{
	if (m->other) {
		gint64 at = initcall_order_find(o, m->other, error);
		if (at < 0)
			return -1;
		if (call(o, (guint)at)->level != m->level) {
			input(error, "%s is not in %s but in %s", m->other,
			      initcall_level_name(m->level),
			      initcall_level_name(call(o, (guint)at)->level));
			return -1;
		}
		return at + (m->place == AFTER);
	}
	guint at = 0;
	while (at < o->calls->len && (rank(call(o, at)->level) < rank(m->level) ||
				      (m->place == LAST && call(o, at)->level == m->level)))
		at++;
	return at;
}

bool initcall_order_move(InitcallOrder *o, const char *move, bool force, GError **error)
{
	g_auto(Move) m;
	if (!parse(move, &m, error))
		return false;
	gint64 from = initcall_order_find(o, m.function, error);
	if (from < 0 || !allowed(call(o, (guint)from), m.level, force, error))
		return false;
	Initcall *c = g_ptr_array_steal_index(o->calls, (guint)from);
	gint64 to = place_of(o, &m, error);
	g_ptr_array_insert(o->calls, (gint)(to < 0 ? from : to), c);
	if (to >= 0)
		c->level = m.level;
	return to >= 0;
}

/* ---- a whole order ---- */

typedef struct {
	const InitcallOrder *o;
	bool *used;
	GPtrArray *calls; /* Initcall of o */
	GArray *levels;	  /* InitcallLevel, one for each */
	const char *path;
	bool force;
} Arrangement;

/* The one meant: by address where several have the name (or it is the only one with it). */
static gint64 pick(const Arrangement *a, const char *name, uint64_t address)
{
	const char *at = strchr(name, '@');
	gint64 found = -1;
	unsigned count = 0;
	for (guint i = 0; i < a->o->calls->len; i++) {
		if (a->used[i] || !is_named(call(a->o, i), name, at))
			continue;
		if (address && call(a->o, i)->address == address)
			return i;
		found = i;
		count++;
	}
	return count == 1 ? found : -1;
}

static bool add(Arrangement *a, size_t line, const char *level_name, const char *name,
		uint64_t address, GError **error)
{
	InitcallLevel level = initcall_level_parse(level_name, -1);
	if (level < 0)
		return input(error, "%s: entry %zu: '%s' is no level", a->path, line, level_name);
	gint64 i = pick(a, name, address);
	GError *e = NULL;
	if (i < 0) {
		/* again for its message */
		if (initcall_order_find(a->o, name, &e) < 0) {
			g_propagate_prefixed_error(error, e, "%s: entry %zu: ", a->path, line);
			return false;
		}
		return input(error, "%s: entry %zu: '%s' is named twice", a->path, line, name);
	}
	const InitcallLevel *last =
		a->levels->len ? &g_array_index(a->levels, InitcallLevel, a->levels->len - 1)
			       : NULL;
	if (last && rank(level) < rank(*last))
		return input(error, "%s: entry %zu: %s (%s) comes after %s: levels run in order",
			     a->path, line, name, level_name, initcall_level_name(*last));
	if (!allowed(call(a->o, (guint)i), level, true, &e)) {
		g_propagate_prefixed_error(error, e, "%s: entry %zu: ", a->path, line);
		return false;
	}
	a->used[i] = true;
	g_ptr_array_add(a->calls, a->o->calls->pdata[i]);
	g_array_append_val(a->levels, level);
	return true;
}

static bool read_json(Arrangement *a, const char *text, GError **error)
{
	g_autoptr(json_t) j = kx_json_parse(text, a->path, error);
	if (!j)
		return false;
	size_t i;
	json_t *one;
	json_array_foreach (json_object_get(j, "initcalls"), i, one) {
		const char *level = kx_json_str(one, "level"), *fn = kx_json_str(one, "function");
		const char *module = kx_json_str(one, "module");
		const char *address = kx_json_str(one, "address");
		if (!level || !fn)
			return input(error, "%s: entry %zu has no level or function", a->path,
				     i + 1);
		g_autofree char *name =
			module ? g_strdup_printf("%s@%s", fn, module) : g_strdup(fn);
		if (!add(a, i + 1, level, name, address ? g_ascii_strtoull(address, NULL, 0) : 0,
			 error))
			return false;
	}
	return true;
}

static bool read_lines(Arrangement *a, const char *text, GError **error)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (size_t i = 0; lines[i]; i++) {
		char *comment = strchr(lines[i], '#');
		if (comment)
			*comment = '\0';
		g_auto(GStrv) all = g_strsplit_set(g_strstrip(lines[i]), " \t", -1);
		const char *words[3] = {NULL, NULL, ""};
		guint n = 0;
		for (char **w = all; *w && n < 3; w++)
			if (**w)
				words[n++] = *w;
		if (!n)
			continue;
		if (n < 2)
			return input(error, "%s:%zu: LEVEL FUNCTION is expected", a->path, i + 1);
		uint64_t address =
			g_str_has_prefix(words[2], "0x") ? g_ascii_strtoull(words[2], NULL, 0) : 0;
		if (!add(a, i + 1, words[0], words[1], address, error))
			return false;
	}
	return true;
}

/* All that may be left out go where they were: in front. */
static bool complete(Arrangement *a, GError **error)
{
	const InitcallOrder *o = a->o;
	guint front = 0;
	for (guint i = 0; i < o->calls->len; i++) {
		if (a->used[i])
			continue;
		InitcallLevel level = call(o, i)->level;
		if (!is_special(level))
			return input(error, "%s: %s (%s) is missing: an order names every initcall",
				     a->path, call(o, i)->function, initcall_level_name(level));
		while (front < a->levels->len &&
		       rank(g_array_index(a->levels, InitcallLevel, front)) < rank(level))
			front++;
		if (front < a->levels->len &&
		    g_array_index(a->levels, InitcallLevel, front) == level)
			return input(error, "%s: only some of the %s initcalls are named", a->path,
				     initcall_level_name(level));
		/* the whole level at once, so that the check above holds for it */
		for (guint k = i; k < o->calls->len && call(o, k)->level == level; k++) {
			if (a->used[k])
				return input(error, "%s: only some of the %s initcalls are named",
					     a->path, initcall_level_name(level));
			a->used[k] = true;
			g_ptr_array_insert(a->calls, (gint)front, o->calls->pdata[k]);
			g_array_insert_val(a->levels, front, level);
			front++;
		}
	}
	for (guint i = 0; i < a->calls->len && !a->force; i++)
		if (a->calls->pdata[i] != o->calls->pdata[i] &&
		    is_special(g_array_index(a->levels, InitcallLevel, i)))
			return allowed(a->calls->pdata[i],
				       g_array_index(a->levels, InitcallLevel, i), false, error);
	return true;
}

bool initcall_order_arrange(InitcallOrder *o, const char *path, bool force, GError **error)
{
	g_autofree char *text = kx_read_file(path, MAX_ORDER, NULL, error);
	if (!text)
		return false;
	g_autofree bool *used = g_new0(bool, o->calls->len + 1);
	g_autoptr(GPtrArray) calls = g_ptr_array_new();
	g_autoptr(GArray) levels = g_array_new(FALSE, FALSE, sizeof(InitcallLevel));
	Arrangement a = {o, used, calls, levels, path, force};
	const char *start = text + strspn(text, " \t\r\n");
	if (!(*start == '{' ? read_json(&a, text, error) : read_lines(&a, text, error)) ||
	    !complete(&a, error))
		return false;
	for (guint i = 0; i < calls->len; i++) {
		o->calls->pdata[i] = calls->pdata[i];
		((Initcall *)calls->pdata[i])->level = g_array_index(levels, InitcallLevel, i);
	}
	return true;
}
