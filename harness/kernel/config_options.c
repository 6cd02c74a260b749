/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What turns one configuration into another. Three questions, each answered by the kernel's own
 * kconfig: which of the differing symbols must be set, for the others follow; which of these are
 * taken only together with others; and does it all add up. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "kernel/kernel-internal.h"

#define FORMAT "kexsect-options-2"
#define MAX_CONFIG (4u << 20)
#define MAX_ROUNDS 20
#define MAX_BROUGHT 12 /* names in a title */

typedef struct {
	KernelProbe *probe;
	char *from_text;
	GHashTable *from, *to; /* both settled */
	GPtrArray *differs;    /* names, sorted */
	GPtrArray *chosen;     /* names that are set; the others follow */
	GHashTable *reached;   /* what all of `chosen` give */
	GHashTable *symbols;   /* name to KernelSymbol */
	GPtrArray *units;      /* KernelUnit */
	GHashTable *tried;     /* what the last try_with() gave */
} Difference;

static void difference_clear(Difference *d)
{
	kernel_probe_free(d->probe);
	g_free(d->from_text);
	g_clear_pointer(&d->from, g_hash_table_unref);
	g_clear_pointer(&d->to, g_hash_table_unref);
	g_clear_pointer(&d->differs, g_ptr_array_unref);
	g_clear_pointer(&d->chosen, g_ptr_array_unref);
	g_clear_pointer(&d->reached, g_hash_table_unref);
	g_clear_pointer(&d->symbols, g_hash_table_unref);
	g_clear_pointer(&d->units, g_ptr_array_unref);
	g_clear_pointer(&d->tried, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Difference, difference_clear)

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in which two tables differ, sorted. */
static GPtrArray *differing(GHashTable *a, GHashTable *b)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter it;
	gpointer name;
	g_hash_table_iter_init(&it, a);
	while (g_hash_table_iter_next(&it, &name, NULL))
		if (!g_str_equal(kernel_value(a, name), kernel_value(b, name)))
			g_ptr_array_add(out, g_strdup(name));
	g_hash_table_iter_init(&it, b);
	while (g_hash_table_iter_next(&it, &name, NULL))
		if (!g_hash_table_contains(a, name) && !g_str_equal(kernel_value(b, name), "n"))
			g_ptr_array_add(out, g_strdup(name));
	g_ptr_array_sort(out, by_name);
	return out;
}

static bool is_in(GPtrArray *names, const char *name)
{
	return g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL);
}

/* `from` with the values that these names have in `to`, settled. */
static GHashTable *with(Difference *d, GPtrArray *names, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_copy(names, NULL, NULL);
	g_ptr_array_set_free_func(list, NULL);
	g_ptr_array_add(list, NULL);
	g_autofree char *text =
		kernel_config_with(d->from_text, (const char *const *)list->pdata, d->to);
	return kernel_probe_settle(d->probe, text, error);
}

/* ---- which must be set ---- */

/* A text or number that `to` does not have cannot be set to anything. */
static bool can_be_set(const Difference *d, const char *name)
{
	const char *before = kernel_value(d->from, name), *after = kernel_value(d->to, name);
	return !g_str_equal(after, "n") || (strlen(before) == 1 && strchr("ymn", *before));
}

/* First those that the least configuration names; what then is still not right is added, and may
 * bring others along. */
static bool choose(Difference *d, GHashTable *least, GError **error)
{
	d->chosen = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < d->differs->len; i++)
		if (g_hash_table_contains(least, d->differs->pdata[i]) &&
		    can_be_set(d, d->differs->pdata[i]))
			g_ptr_array_add(d->chosen, g_strdup(d->differs->pdata[i]));
	for (guint round = 0; round < MAX_ROUNDS; round++) {
		g_clear_pointer(&d->reached, g_hash_table_unref);
		d->reached = with(d, d->chosen, error);
		if (!d->reached)
			return false;
		g_autoptr(GPtrArray) left = differing(d->reached, d->to);
		bool grew = false;
		for (guint i = 0; i < left->len; i++)
			if (!is_in(d->chosen, left->pdata[i]) && can_be_set(d, left->pdata[i])) {
				g_ptr_array_add(d->chosen, g_strdup(left->pdata[i]));
				grew = true;
			}
		if (!grew)
			return true;
	}
	return true;
}

static bool is_reached(const Difference *d, GHashTable *values)
{
	g_autoptr(GPtrArray) left = differing(values, d->reached);
	return left->len == 0;
}

/* Takes those of `list` out of the chosen ones that follow from the rest. */
static bool prune(Difference *d, GPtrArray *list, guint first, guint n, GError **error)
{
	if (!n)
		return true;
	g_autoptr(GPtrArray) rest = g_ptr_array_new();
	for (guint i = 0; i < d->chosen->len; i++) {
		bool tried = false;
		for (guint k = first; k < first + n; k++)
			tried = tried || g_str_equal(list->pdata[k], d->chosen->pdata[i]);
		if (!tried)
			g_ptr_array_add(rest, d->chosen->pdata[i]);
	}
	g_autoptr(GHashTable) values = with(d, rest, error);
	if (!values)
		return false;
	if (is_reached(d, values)) {
		for (guint k = first; k < first + n; k++)
			for (guint i = 0; i < d->chosen->len; i++)
				if (g_str_equal(d->chosen->pdata[i], list->pdata[k])) {
					g_ptr_array_remove_index(d->chosen, i);
					break;
				}
		return true;
	}
	return n == 1 || (prune(d, list, first, n / 2, error) &&
			  prune(d, list, first + n / 2, n - n / 2, error));
}

/* What the least configuration does not name is probably set by others. Of a choice's members it
 * is the one that is on that should stay, so the others are tried first. */
static bool prune_all(Difference *d, GHashTable *least, GError **error)
{
	g_autoptr(GPtrArray) off = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) on = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < d->chosen->len; i++) {
		const char *name = d->chosen->pdata[i];
		if (!g_hash_table_contains(least, name))
			g_ptr_array_add(g_str_equal(kernel_value(d->to, name), "n") ? off : on,
					g_strdup(name));
	}
	if (!prune(d, off, 0, off->len, error) || !prune(d, on, 0, on->len, error))
		return false;
	g_ptr_array_sort(d->chosen, by_name);
	return true;
}

/* What followed can be a cause of its own all the same, when it can be set without the rest: then
 * it is a candidate, and what it followed from needs it. (What was invisible before cannot.) */
static bool restore(Difference *d, GError **error)
{
	g_autoptr(GPtrArray) maybe = g_ptr_array_new();
	for (guint i = 0; i < d->differs->len; i++) {
		char *name = d->differs->pdata[i];
		const KernelSymbol *s = g_hash_table_lookup(d->symbols, name);
		if (s && s->prompt && !is_in(d->chosen, name) && can_be_set(d, name) &&
		    g_hash_table_contains(d->from, name))
			g_ptr_array_add(maybe, name);
	}
	if (d->chosen->len + maybe->len > KERNEL_MAX_OPTIONS)
		return true;
	for (guint i = 0; i < maybe->len; i++) {
		char *name = maybe->pdata[i];
		g_autoptr(GPtrArray) one = g_ptr_array_new();
		g_ptr_array_add(one, name);
		g_autoptr(GHashTable) values = with(d, one, error);
		if (!values)
			return false;
		if (g_str_equal(kernel_value(values, name), kernel_value(d->reached, name)))
			g_ptr_array_add(d->chosen, g_strdup(name));
	}
	g_ptr_array_sort(d->chosen, by_name);
	return true;
}

/* ---- which need others ---- */

static bool is_taken(const Difference *d, const KernelUnit *u, GHashTable *values)
{
	for (guint i = 0; i < u->names->len; i++)
		if (!g_str_equal(kernel_value(values, u->names->pdata[i]),
				 kernel_value(d->reached, u->names->pdata[i])))
			return false;
	return true;
}

/* Whether u is taken with itself, what it is known to need and the first n of `others`. */
static bool try_with(Difference *d, const KernelUnit *u, GPtrArray *others, guint n,
		     bool *ret_taken, GError **error)
{
	g_clear_pointer(&d->tried, g_hash_table_unref);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_ptr_array_extend(names, u->names, NULL, NULL);
	GHashTableIter it;
	gpointer needed;
	g_hash_table_iter_init(&it, u->needs);
	while (g_hash_table_iter_next(&it, &needed, NULL))
		g_ptr_array_extend(names, ((KernelUnit *)needed)->names, NULL, NULL);
	for (guint i = 0; i < n; i++)
		g_ptr_array_extend(names, ((KernelUnit *)others->pdata[i])->names, NULL, NULL);
	g_ptr_array_sort(names, by_name);
	d->tried = with(d, names, error);
	if (!d->tried)
		return false;
	*ret_taken = is_taken(d, u, d->tried);
	return true;
}

static KernelUnit *unit_of(const Difference *d, const char *name)
{
	for (guint i = 0; i < d->units->len; i++)
		if (is_in(((KernelUnit *)d->units->pdata[i])->names, name))
			return d->units->pdata[i];
	return NULL;
}

/* All other units, those first that its Kconfig entry speaks of. */
static GPtrArray *others_of(const Difference *d, const KernelUnit *u)
{
	GPtrArray *out = g_ptr_array_new();
	for (guint i = 0; i < u->names->len; i++) {
		const KernelSymbol *s = g_hash_table_lookup(d->symbols, u->names->pdata[i]);
		for (char **m = s ? s->mentions : NULL; m && *m; m++) {
			KernelUnit *other = unit_of(d, *m);
			if (other && other != u && !g_ptr_array_find(out, other, NULL))
				g_ptr_array_add(out, other);
		}
	}
	for (guint i = 0; i < d->units->len; i++) {
		KernelUnit *other = d->units->pdata[i];
		if (other != u && !g_ptr_array_find(out, other, NULL))
			g_ptr_array_add(out, other);
	}
	return out;
}

/* Whether all of u is as wished in `values` and was not before. */
static bool came_along(const Difference *d, const KernelUnit *u, GHashTable *values)
{
	for (guint i = 0; i < u->names->len; i++)
		if (!is_in(d->differs, u->names->pdata[i]))
			return false;
	return is_taken(d, u, values);
}

/* After the last try: others that cannot be kept away, and options that are no candidates. */
static void note_company(const Difference *d, KernelUnit *u)
{
	for (guint i = 0; i < d->units->len; i++) {
		KernelUnit *other = d->units->pdata[i];
		if (other != u && came_along(d, other, d->tried))
			g_hash_table_add(u->needs, other);
	}
	for (guint i = 0; i < d->differs->len; i++) {
		const char *name = d->differs->pdata[i];
		const KernelSymbol *s = g_hash_table_lookup(d->symbols, name);
		if (s && s->prompt && !is_in(d->chosen, name) &&
		    g_str_equal(kernel_value(d->tried, name), kernel_value(d->reached, name)))
			g_ptr_array_add(u->brings, g_strdup(name));
	}
}

/* The last of the shortest beginning of `others` with which u is taken is needed; then the same
 * again with it, until nothing more is. */
static bool find_needs(Difference *d, KernelUnit *u, GError **error)
{
	g_autoptr(GPtrArray) others = others_of(d, u);
	bool taken;
	if (!try_with(d, u, others, 0, &taken, error))
		return false;
	while (!taken && others->len) {
		guint bad = 0, good = 1;
		for (;; good = MIN(good * 2, others->len)) {
			if (!try_with(d, u, others, good, &taken, error))
				return false;
			if (taken || good == others->len)
				break;
			bad = good;
		}
		if (!taken) /* only in company that is none of ours: leave it alone */
			return true;
		while (good - bad > 1) {
			guint middle = bad + (good - bad) / 2;
			if (!try_with(d, u, others, middle, &taken, error))
				return false;
			*(taken ? &good : &bad) = middle;
		}
		g_hash_table_add(u->needs, others->pdata[good - 1]);
		g_ptr_array_set_size(others, (gint)good - 1);
		if (!try_with(d, u, others, 0, &taken, error))
			return false;
	}
	note_company(d, u);
	return true;
}

/* ---- the answer ---- */

void kernel_option_free(KernelOption *o)
{
	if (!o)
		return;
	g_free(o->name);
	g_free(o->title);
	g_free(o->text);
	g_free(o->depends);
	g_strfreev(o->paths);
	g_free(o);
}

/* What comes with something that is needed need not be said again. */
static void trim_company(const Difference *d)
{
	/* from the last one on: what is needed stands before, and keeps all of its own */
	for (guint i = d->units->len; i > 0; i--) {
		KernelUnit *u = d->units->pdata[i - 1];
		GHashTableIter it;
		gpointer needed;
		g_hash_table_iter_init(&it, u->needs);
		while (g_hash_table_iter_next(&it, &needed, NULL))
			for (guint k = u->brings->len; k > 0; k--)
				if (is_in(((KernelUnit *)needed)->brings, u->brings->pdata[k - 1]))
					g_ptr_array_remove_index(u->brings, k - 1);
	}
}

static char *unit_name(const KernelUnit *u)
{
	const char *first = u->names->pdata[0];
	guint n = u->names->len;
	if (u->grouped)
		return g_strdup_printf("%s (%u options)", *u->dir ? u->dir : first, n);
	return n == 1	? g_strdup(first)
	       : n == 2 ? g_strdup_printf("%s+%s", first, (char *)u->names->pdata[1])
			: g_strdup_printf("%s (+%u)", first, n - 1);
}

static json_t *unit_json(const Difference *d, const KernelUnit *u)
{
	g_autoptr(GString) text = g_string_new(NULL), names = g_string_new(NULL);
	g_autoptr(GHashTable) paths = g_hash_table_new(g_str_hash, g_str_equal);
	json_t *files = json_array(), *depends = json_array();
	const KernelSymbol *s = NULL;
	for (guint i = 0; i < u->names->len; i++) {
		const char *name = u->names->pdata[i];
		g_string_append_printf(text, "%s%s=%s", i ? " " : "", name,
				       kernel_value(d->to, name));
		g_string_append_printf(names, "%s%s", i ? ", " : "", name);
		s = g_hash_table_lookup(d->symbols, name);
		if (s && g_hash_table_add(paths, s->path))
			json_array_append_new(files, json_string(s->path));
	}
	for (guint i = 0; i < d->units->len; i++)
		if (g_hash_table_contains(u->needs, d->units->pdata[i]))
			json_array_append_new(depends, json_integer(i));
	g_autofree char *name = unit_name(u);
	g_autoptr(GString) title =
		g_string_new(u->names->len == 1 ? (s && s->prompt ? s->prompt : "") : names->str);
	for (guint i = 0; i < MIN(u->brings->len, MAX_BROUGHT); i++)
		g_string_append_printf(title, "%s%s", i ? ", " : "; brings ",
				       (char *)u->brings->pdata[i]);
	if (u->brings->len > MAX_BROUGHT)
		g_string_append_printf(title, " and %u more", u->brings->len - MAX_BROUGHT);
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", kx_json_text(name), "title",
			 kx_json_text(title->str), "text", kx_json_text(text->str), "depends",
			 depends, "paths", files);
}

static void say(const Difference *d)
{
	g_autoptr(GPtrArray) left = differing(d->reached, d->to);
	guint grouped = 0;
	for (guint i = 0; i < d->units->len; i++)
		grouped += ((KernelUnit *)d->units->pdata[i])->grouped;
	g_message("the configurations differ in %u symbols; %u are set and make %u candidates, the "
		  "others follow",
		  d->differs->len, d->chosen->len, d->units->len);
	if (grouped)
		g_message("more than %d options: %u candidates are groups of options from one "
			  "folder; a verdict that names one can be looked into with config.options",
			  KERNEL_MAX_OPTIONS, grouped);
	if (left->len) {
		g_ptr_array_add(left, NULL);
		g_autofree char *names = g_strjoinv(", ", (char **)left->pdata);
		g_message("these differ, but cannot be set on this source: %s", names);
	}
}

static json_t *answer(Difference *d)
{
	json_t *options = json_array(), *consequences = json_array();
	for (guint i = 0; i < d->units->len; i++)
		json_array_append_new(options, unit_json(d, d->units->pdata[i]));
	for (guint i = 0; i < d->differs->len; i++)
		if (!is_in(d->chosen, d->differs->pdata[i]))
			json_array_append_new(consequences, json_string(d->differs->pdata[i]));
	return json_pack("{s:i, s:o, s:o, s:i}", "format", 1, "options", options, "consequences",
			 consequences, "probes", (int)kernel_probe_runs(d->probe));
}

static bool settle_both(Difference *d, const char *from, const char *to, GHashTable **ret_least,
			GError **error)
{
	d->from_text = kx_read_file(from, MAX_CONFIG, NULL, error);
	g_autofree char *to_text = d->from_text ? kx_read_file(to, MAX_CONFIG, NULL, error) : NULL;
	if (!to_text)
		return false;
	d->from = kernel_probe_settle(d->probe, d->from_text, error);
	d->to = d->from ? kernel_probe_settle(d->probe, to_text, error) : NULL;
	*ret_least = d->to ? kernel_probe_least(d->probe, error) : NULL;
	if (!*ret_least)
		return false;
	d->differs = differing(d->from, d->to);
	if (d->differs->len)
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
		    "%s and %s give the same configuration of this source", from, to);
	return false;
}

static json_t *compare(Difference *d, const KernelSource *s, const Recipe *recipe, const char *from,
		       const char *to, GError **error)
{
	g_autoptr(GHashTable) least = NULL;
	if (!settle_both(d, from, to, &least, error) || !choose(d, least, error))
		return NULL;
	kernel_probe_expect(d->probe, 10 + 2 * MIN(d->chosen->len, KERNEL_MAX_OPTIONS));
	g_autoptr(GHashTable) wanted = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < d->differs->len; i++)
		g_hash_table_add(wanted, d->differs->pdata[i]);
	d->symbols = kernel_scan_symbols(s, kernel_probe_work(d->probe)->src, recipe->arch, wanted,
					 error);
	if (!d->symbols || !prune_all(d, least, error) || !restore(d, error))
		return NULL;
	d->units = kernel_units(d->chosen, d->symbols, KERNEL_MAX_OPTIONS);
	for (guint i = 0; i < d->units->len; i++)
		if (!find_needs(d, d->units->pdata[i], error))
			return NULL;
	kernel_units_order(d->units);
	trim_company(d);
	say(d);
	return answer(d);
}

static char *cache_key(const KernelSource *s, const Recipe *r, const char *from, const char *to,
		       GError **error)
{
	g_autofree char *a = kx_sha256_file(from, error);
	g_autofree char *b = a ? kx_sha256_file(to, error) : NULL;
	g_autofree char *cc = b ? kernel_compiler_version(s->toolchain, error) : NULL;
	if (!cc)
		return NULL;
	g_autofree char *what =
		g_strdup_printf("%s\n%s\n%s\n%s\n%s\n%s\n", FORMAT, s->tree, r->arch, cc, a, b);
	return g_compute_checksum_for_string(G_CHECKSUM_SHA256, what, -1);
}

static GPtrArray *read_options(const json_t *j)
{
	GPtrArray *out = g_ptr_array_new_with_free_func((GDestroyNotify)kernel_option_free);
	size_t i, k;
	json_t *one, *index;
	json_array_foreach (json_object_get(j, "options"), i, one) {
		KernelOption *o = g_new0(KernelOption, 1);
		o->name = g_strdup(kx_json_str(one, "name"));
		o->title = g_strdup(kx_json_str(one, "title"));
		o->text = g_strdup(kx_json_str(one, "text"));
		o->paths = kx_json_strv(one, "paths");
		const json_t *depends = json_object_get(one, "depends");
		o->depends = g_new0(guint, json_array_size(depends) + 1);
		json_array_foreach (depends, k, index)
			o->depends[o->depends_count++] = (guint)json_integer_value(index);
		g_ptr_array_add(out, o);
	}
	return out;
}

GPtrArray *kernel_config_options(const char *cache, const Recipe *recipe, const char *from,
				 const char *to, bool sandbox, KernelStepFunc step, gpointer user,
				 GError **error)
{
	KernelProgress p = {.func = step, .user = user};
	g_autoptr(KernelSource) s = kernel_source_get(cache, recipe, &p, NULL, error);
	g_autofree char *key = s ? cache_key(s, recipe, from, to, error) : NULL;
	if (!key)
		return NULL;
	g_autofree char *dir = g_build_filename(cache, "options", NULL);
	g_autofree char *file = g_strdup_printf("%s/%s.json", dir, key);
	g_autoptr(json_t) known = kx_json_load(file, NULL);
	if (known) {
		kernel_touch(file);
		return read_options(known);
	}
	g_auto(Difference) d = {.probe = kernel_probe_new(cache, recipe, s, sandbox, &p, error)};
	g_autoptr(json_t) found = d.probe ? compare(&d, s, recipe, from, to, error) : NULL;
	if (!found || !kx_mkdir(dir, error) || !kx_json_save(file, found, error))
		return NULL;
	return read_options(found);
}
