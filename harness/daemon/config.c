/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config.h"

#include "base/error.h"
#include "base/yaml.h"
#include "daemon/window.h"

#define STRING(key, member)                                                                        \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, DaemonConfig,        \
			       member, 0, CYAML_UNLIMITED)

static const cyaml_strval_t preflights[] = {
	{"none", CONFIG_PREFLIGHT_NONE},
	{"quick", CONFIG_PREFLIGHT_QUICK},
	{"boot", CONFIG_PREFLIGHT_BOOT},
};
static const cyaml_schema_field_t limits_fields[] = {
	CYAML_FIELD_UINT("campaigns", CYAML_FLAG_OPTIONAL, ConfigLimits, jobs),
	CYAML_FIELD_FLOAT("disk_free_gib", CYAML_FLAG_OPTIONAL, ConfigLimits, disk_free_gib),
	CYAML_FIELD_FLOAT("campaign_gib", CYAML_FLAG_OPTIONAL, ConfigLimits, campaign_gib),
	CYAML_FIELD_FLOAT("cache_gib", CYAML_FLAG_OPTIONAL, ConfigLimits, cache_gib),
	CYAML_FIELD_UINT("builds", CYAML_FLAG_OPTIONAL, ConfigLimits, builds),
	CYAML_FIELD_UINT("queue", CYAML_FLAG_OPTIONAL, ConfigLimits, queue),
	CYAML_FIELD_UINT("queue_of_user", CYAML_FLAG_OPTIONAL, ConfigLimits, queue_of_user),
	CYAML_FIELD_UINT("retries", CYAML_FLAG_OPTIONAL, ConfigLimits, retries),
	CYAML_FIELD_UINT("quarantine_after", CYAML_FLAG_OPTIONAL, ConfigLimits, quarantine_after),
	CYAML_FIELD_UINT("stall_minutes", CYAML_FLAG_OPTIONAL, ConfigLimits, stall_minutes),
	CYAML_FIELD_UINT("request_s", CYAML_FLAG_OPTIONAL, ConfigLimits, request_s),
	CYAML_FIELD_UINT("answer_s", CYAML_FLAG_OPTIONAL, ConfigLimits, answer_s),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t target_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, ConfigTarget, name, 1, 64),
	CYAML_FIELD_UINT("slots", CYAML_FLAG_OPTIONAL, ConfigTarget, slots),
	CYAML_FIELD_UINT("quarantine_after", CYAML_FLAG_OPTIONAL, ConfigTarget, quarantine_after),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t target_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, ConfigTarget, target_fields),
};
static const cyaml_schema_field_t tls_fields[] = {
	CYAML_FIELD_STRING_PTR("certificate", CYAML_FLAG_POINTER, ConfigTls, certificate, 1,
			       CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("key", CYAML_FLAG_POINTER, ConfigTls, key, 1, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t retention_fields[] = {
	CYAML_FIELD_UINT("days", CYAML_FLAG_OPTIONAL, DaemonConfig, keep_days),
	CYAML_FIELD_FLOAT("gib", CYAML_FLAG_OPTIONAL, DaemonConfig, keep_gib),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t fields[] = {
	STRING("results", results),
	STRING("cache", cache),
	STRING("window", window),
	STRING("socket_group", socket_group),
	STRING("listen", listen),
	KX_YAML_BOOL("read_without_token", CYAML_FLAG_OPTIONAL, DaemonConfig, read_without_token),
	CYAML_FIELD_MAPPING("tls", CYAML_FLAG_OPTIONAL, DaemonConfig, tls, tls_fields),
	CYAML_FIELD_SEQUENCE("hosts", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, DaemonConfig, hosts,
			     &kx_yaml_string_entry, 0, 100),
	CYAML_FIELD_ENUM("preflight", CYAML_FLAG_OPTIONAL, DaemonConfig, preflight, preflights,
			 CYAML_ARRAY_LEN(preflights)),
	CYAML_FIELD_MAPPING("limits", CYAML_FLAG_OPTIONAL, DaemonConfig, limits, limits_fields),
	/* nested in the file, flat in the struct */
	{.key = "retention",
	 .value = {CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, DaemonConfig, retention_fields)}},
	CYAML_FIELD_SEQUENCE("targets", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, DaemonConfig,
			     targets, &target_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("notify", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, DaemonConfig,
			     notify, &config_notify_schema, 0, 100),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, DaemonConfig, fields),
};

static bool bad(const char *path, const char *key, const char *what, GError **error)
{
	g_autofree char *where = kx_yaml_where(path, key);
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: %s", where, what);
	return false;
}

static bool is_given(const char *path, const char *key)
{
	g_autofree char *where = path ? kx_yaml_where(path, key) : NULL;
	return where && !g_str_equal(where, path);
}

static bool check(const DaemonConfig *c, const char *path, GError **error)
{
	const ConfigLimits *l = &c->limits;
	const struct {
		const char *key;
		double value, low, high;
	} ranges[] = {
		{"limits.campaigns", l->jobs, 1, 1000},
		{"limits.disk_free_gib", l->disk_free_gib, 0, 1e6},
		{"limits.campaign_gib", l->campaign_gib, 0, 1e6},
		{"limits.cache_gib", l->cache_gib, 1, 1e6},
		{"limits.builds", l->builds, 0, 1000},
		{"limits.queue", l->queue, 1, 1e5},
		{"limits.queue_of_user", l->queue_of_user, 1, 1e5},
		{"limits.retries", l->retries, 0, 100},
		{"limits.quarantine_after", l->quarantine_after, 1, 1000},
		{"limits.stall_minutes", l->stall_minutes, 0, 1e5},
		{"limits.request_s", l->request_s, 1, 3600},
		{"limits.answer_s", l->answer_s, 1, 86400},
		{"retention.days", c->keep_days, 0, 1e5},
		{"retention.gib", c->keep_gib, 0, 1e6},
	};
	for (guint i = 0; path && i < G_N_ELEMENTS(ranges); i++)
		if (!(ranges[i].value >= ranges[i].low && ranges[i].value <= ranges[i].high)) {
			g_autofree char *what =
				g_strdup_printf("%.10g is out of range: expected %.10g to %.10g",
						ranges[i].value, ranges[i].low, ranges[i].high);
			return bad(path, ranges[i].key, what, error);
		}
	for (unsigned i = 0; i < c->targets_count; i++) {
		g_autofree char *key = g_strdup_printf("targets.%u.slots", i);
		if (c->targets[i].slots < 1 || c->targets[i].slots > 1000)
			return bad(path, key, "expected 1 to 1000 slots", error);
		g_autofree char *after = g_strdup_printf("targets.%u.quarantine_after", i);
		if (c->targets[i].quarantine_after > 1000)
			return bad(path, after, "expected at most 1000 failures", error);
	}
	TimeWindow w;
	g_autoptr(GError) why = NULL;
	return !c->window || window_parse(c->window, &w, &why) ||
	       bad(path, "window", why->message, error);
}

static bool check_notify(DaemonConfig *c, const char *path, GError **error)
{
	for (unsigned i = 0; i < c->notify_count; i++) {
		if (!config_notify_check(&c->notify[i], i, path, error))
			return false;
		g_autofree char *key = g_strdup_printf("notify.%u.name", i);
		for (unsigned k = 0; k < i; k++)
			if (g_str_equal(c->notify[k].name, c->notify[i].name))
				return bad(path, key, "there is one of this name already", error);
	}
	return true;
}

static void set_default(unsigned *value, const char *path, const char *key, unsigned fallback)
{
	if (!is_given(path, key))
		*value = fallback;
}

static void set_targets(DaemonConfig *c, const char *path)
{
	for (unsigned i = 0; i < c->targets_count; i++) {
		ConfigTarget *t = &c->targets[i];
		g_autofree char *key = g_strdup_printf("targets.%u.slots", i);
		if (!t->slots)
			set_default(&t->slots, path, key, 1);
		if (!t->quarantine_after)
			t->quarantine_after = c->limits.quarantine_after;
	}
}

/* An absolute path; one in the file is relative to it. */
static void set_folder(char **value, const char *path, const char *state, const char *leaf)
{
	g_autofree char *here = path ? g_path_get_dirname(path) : NULL;
	char *full = *value ? g_canonicalize_filename(*value, here)
			    : g_build_filename(state, leaf, NULL);
	g_free(*value);
	*value = full;
}

/* HTTP is there for this machine unless the file says otherwise. libcyaml frees with free(), as
 * g_strdup() allocates. */
static void set_listen(DaemonConfig *c, const char *path)
{
	c->listen_given = c->listen != NULL;
	if (!c->listen)
		c->listen = g_strdup("127.0.0.1:8470");
	else if (g_str_equal(c->listen, "none"))
		g_clear_pointer(&c->listen, g_free);
	if (!is_given(path, "read_without_token"))
		c->read_without_token = -1;
	if (c->tls.certificate) {
		set_folder(&c->tls.certificate, path, NULL, NULL);
		set_folder(&c->tls.key, path, NULL, NULL);
	}
}

DaemonConfig *daemon_config_load(const char *path, const char *state, GError **error)
{
	g_autofree char *full = path ? g_canonicalize_filename(path, NULL) : NULL;
	g_autoptr(DaemonConfig) c =
		full ? kx_yaml_load(full, &schema, error) : g_new0(DaemonConfig, 1);
	if (!c)
		return NULL;
	set_default(&c->limits.jobs, full, "limits.campaigns", 2);
	set_default(&c->limits.queue, full, "limits.queue", 1000);
	set_default(&c->limits.queue_of_user, full, "limits.queue_of_user", 200);
	set_default(&c->limits.retries, full, "limits.retries", 5);
	set_default(&c->limits.quarantine_after, full, "limits.quarantine_after", 3);
	set_default(&c->limits.stall_minutes, full, "limits.stall_minutes", 60);
	set_targets(c, full);
	set_default(&c->limits.request_s, full, "limits.request_s", 30);
	set_default(&c->limits.answer_s, full, "limits.answer_s", 600);
	set_default(&c->keep_days, full, "retention.days", 30);
	if (!is_given(full, "limits.disk_free_gib"))
		c->limits.disk_free_gib = 4;
	if (!is_given(full, "limits.cache_gib"))
		c->limits.cache_gib = 30;
	set_folder(&c->results, full, state, "results");
	const char *cache = g_getenv("KEXSECT_CACHE");
	if (!c->cache && cache && *cache)
		c->cache = g_canonicalize_filename(cache, NULL);
	set_folder(&c->cache, full, state, "cache");
	set_listen(c, full);
	return check(c, full, error) && check_notify(c, full, error) ? g_steal_pointer(&c) : NULL;
}

void daemon_config_free(DaemonConfig *c)
{
	kx_yaml_free(&schema, c);
}

unsigned daemon_config_slots(const DaemonConfig *c, const char *target)
{
	for (unsigned i = 0; i < c->targets_count; i++)
		if (g_str_equal(c->targets[i].name, target))
			return c->targets[i].slots;
	return 1;
}

unsigned daemon_config_quarantine_after(const DaemonConfig *c, const char *target)
{
	for (unsigned i = 0; i < c->targets_count; i++)
		if (g_str_equal(c->targets[i].name, target))
			return c->targets[i].quarantine_after;
	return c->limits.quarantine_after;
}
