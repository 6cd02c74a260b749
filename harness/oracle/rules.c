/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/error.h"
#include "base/yaml.h"
#include "oracle/oracle-internal.h"

static bool compile(const OracleConfig *config, const char *key, const char *pattern,
		    FaultRegex **ret, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (!pattern)
		return true;
	*ret = fault_regex_new(pattern, &why);
	if (*ret)
		return true;
	g_autofree char *where =
		config->path ? kx_yaml_where(config->path, key) : g_strdup("oracle");
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: %s: %s", where, key, why->message);
	return false;
}

static bool compile_parts(OracleRules *r, const OracleConfig *config, GError **error)
{
	r->parts = g_new0(FaultRegex *, config->parts_count + 1);
	r->blocked_when = g_new0(FaultRegex *, config->blocked_when_count + 1);
	for (unsigned i = 0; i < config->parts_count; i++) {
		g_autofree char *key = g_strdup_printf("parts.%u.at", i);
		if (!compile(config, key, config->parts[i].at, &r->parts[i], error))
			return false;
	}
	for (unsigned i = 0; i < config->blocked_when_count; i++) {
		g_autofree char *key = g_strdup_printf("blocked.when.%u", i);
		if (!compile(config, key, config->blocked_when[i], &r->blocked_when[i], error))
			return false;
	}
	return compile(config, "blocked.until", config->blocked_until, &r->blocked_until, error);
}

OracleRules *oracle_rules_new(const OracleConfig *config, GError **error)
{
	g_autoptr(OracleRules) r = g_new0(OracleRules, 1);
	r->config = config;
	if (!compile(config, "window.from", config->window_from, &r->from, error) ||
	    !compile(config, "window.to", config->window_to, &r->to, error) ||
	    !compile(config, "alive", config->alive ? config->alive : ORACLE_DEFAULT_ALIVE,
		     &r->alive, error) ||
	    !compile_parts(r, config, error))
		return NULL;
	if (config->devices_count)
		r->devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (unsigned i = 0; i < config->devices_count; i++) {
		char *name = fault_normalise_device(config->devices[i]);
		if (!name) {
			g_autofree char *key = g_strdup_printf("devices.%u", i);
			g_autofree char *where = config->path ? kx_yaml_where(config->path, key)
							      : g_strdup("oracle");
			g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
				    "%s: '%s' is no PCI device: expected bb:dd.f or ssss:bb:dd.f",
				    where, config->devices[i]);
			return NULL;
		}
		g_hash_table_add(r->devices, name);
	}
	return g_steal_pointer(&r);
}

void oracle_rules_free(OracleRules *r)
{
	if (!r)
		return;
	fault_regex_free(r->from);
	fault_regex_free(r->to);
	fault_regex_free(r->alive);
	for (unsigned i = 0; r->parts && i < r->config->parts_count; i++)
		fault_regex_free(r->parts[i]);
	for (unsigned i = 0; r->blocked_when && i < r->config->blocked_when_count; i++)
		fault_regex_free(r->blocked_when[i]);
	fault_regex_free(r->blocked_until);
	g_free(r->parts);
	g_free(r->blocked_when);
	g_clear_pointer(&r->devices, g_hash_table_unref);
	g_free(r);
}

bool oracle_check(const OracleConfig *config, GError **error)
{
	g_autoptr(OracleRules) r = oracle_rules_new(config, error);
	return r != NULL;
}

bool oracle_rules_device(const OracleRules *r, const Fault *f)
{
	return !r->devices || (f->device && g_hash_table_contains(r->devices, f->device));
}

bool oracle_rules_address(const OracleRules *r, const Fault *f, const char **ret_region)
{
	const OracleConfig *c = r->config;
	*ret_region = NULL;
	if (!c->addresses_count)
		return true;
	if (!f->has_address)
		return false;
	/* VT-d records pages only: an address without an offset stands for its page. */
	uint64_t last = f->address & 0xfff ? f->address : f->address | 0xfff;
	for (unsigned i = 0; i < c->addresses_count; i++)
		if (last >= c->addresses[i].start && f->address <= c->addresses[i].end) {
			*ret_region = i < c->address_texts_count ? c->address_texts[i] : NULL;
			return true;
		}
	return false;
}
