/* SPDX-License-Identifier: GPL-2.0-or-later */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "campaign/campaign-internal.h"

#define OPTIONAL_STRING(key, member)                                                               \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, OracleConfig,        \
			       member, 0, CYAML_UNLIMITED)

static const cyaml_schema_field_t window_fields[] = {
	OPTIONAL_STRING("from", window_from),
	OPTIONAL_STRING("to", window_to),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t blocked_fields[] = {
	CYAML_FIELD_SEQUENCE("when", CYAML_FLAG_POINTER, OracleConfig, blocked_when,
			     &kx_yaml_string_entry, 1, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("until", CYAML_FLAG_POINTER, OracleConfig, blocked_until, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t part_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, OraclePart, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("at", CYAML_FLAG_POINTER, OraclePart, at, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t part_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, OraclePart, part_fields),
};
static const cyaml_schema_field_t oracle_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, OracleConfig, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("title", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, OracleConfig,
			       title, 0, CYAML_UNLIMITED),
	/* nested in the file, flat in the struct: its fields count from the struct's start */
	{.key = "window",
	 .value = {CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, OracleConfig, window_fields)}},
	CYAML_FIELD_SEQUENCE("parts", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, OracleConfig, parts,
			     &part_schema, 0, ORACLE_MAX_PARTS),
	{.key = "blocked",
	 .value = {CYAML_VALUE_MAPPING(CYAML_FLAG_OPTIONAL, OracleConfig, blocked_fields)}},
	CYAML_FIELD_SEQUENCE("devices", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, OracleConfig,
			     devices, &kx_yaml_string_entry, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("addresses", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, OracleConfig,
			     address_texts, &kx_yaml_string_entry, 0, CYAML_UNLIMITED),
	OPTIONAL_STRING("alive", alive),
	KX_YAML_BOOL("hang_is_fault", CYAML_FLAG_OPTIONAL, OracleConfig, hang_is_fault),
	KX_YAML_BOOL("panic_is_fault", CYAML_FLAG_OPTIONAL, OracleConfig, panic_is_fault),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t oracle_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, OracleConfig, oracle_fields),
};

void oracle_config_free(OracleConfig *o)
{
	if (!o)
		return;
	g_free(o->path);
	g_free(o->addresses);
	kx_yaml_free(&oracle_schema, o);
}

static bool check_pattern(const OracleConfig *o, const char *key, const char *pattern,
			  GError **error)
{
	if (!pattern || !campaign_check_text(o->path, key, pattern, error))
		return !pattern;
	int number;
	PCRE2_SIZE at;
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, 0, &number, &at, NULL);
	if (code) {
		pcre2_code_free(code);
		return true;
	}
	char said[256] = "";
	pcre2_get_error_message(number, (PCRE2_UCHAR *)said, sizeof(said));
	return campaign_error(error, o->path, key, "'%s' is no valid pattern: at character %zu: %s",
			      pattern, at + 1, said);
}

/* Names stand in tables and in sentences. */
static bool check_part_name(const OracleConfig *o, unsigned i, GError **error)
{
	g_autofree char *key = g_strdup_printf("parts.%u.name", i);
	const char *name = o->parts[i].name;
	if (!campaign_check_text(o->path, key, name, error))
		return false;
	if (strlen(name) > ORACLE_PART_NAME_MAX || *name == '(' || strpbrk(name, "\t\r\n"))
		return campaign_error(error, o->path, key,
				      "'%s' is no name of a part: one line of at most %u bytes, "
				      "without a '(' in front",
				      name, ORACLE_PART_NAME_MAX);
	for (unsigned k = 0; k < i; k++)
		if (g_str_equal(o->parts[k].name, name))
			return campaign_error(error, o->path, key,
					      "there is a part '%s' already; put both patterns "
					      "into one, with a '|' between",
					      name);
	return true;
}

static bool check_parts(const OracleConfig *o, GError **error)
{
	for (unsigned i = 0; i < o->parts_count; i++) {
		g_autofree char *key = g_strdup_printf("parts.%u.at", i);
		if (!check_part_name(o, i, error) || !check_pattern(o, key, o->parts[i].at, error))
			return false;
	}
	for (unsigned i = 0; i < o->blocked_when_count; i++) {
		g_autofree char *key = campaign_entry_key("blocked.when", i);
		if (!check_pattern(o, key, o->blocked_when[i], error))
			return false;
	}
	return check_pattern(o, "blocked.until", o->blocked_until, error);
}

static bool check_device(const char *text)
{
	unsigned segment, bus, device, function;
	int end = 0;
	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &segment, &bus, &device, &function, &end) == 4 &&
	    end == 12 && !text[end])
		return device < 32 && function < 8;
	end = 0;
	return sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &end) == 3 && end == 7 &&
	       !text[end] && device < 32 && function < 8;
}

static bool parse_range(const char *text, AddressRange *ret)
{
	char *end;
	if (!g_str_has_prefix(text, "0x"))
		return false;
	ret->start = g_ascii_strtoull(text, &end, 16);
	if (end == text + 1 || !g_str_has_prefix(end, "-0x"))
		return false;
	const char *second = end + 1;
	ret->end = g_ascii_strtoull(second, &end, 16);
	return end > second + 2 && !*end && ret->start <= ret->end;
}

static bool check_oracle(OracleConfig *o, GError **error)
{
	if (!campaign_check_name(o->path, "name", o->name, error) ||
	    !check_pattern(o, "window.from", o->window_from, error) ||
	    !check_pattern(o, "window.to", o->window_to, error) ||
	    !check_pattern(o, "alive", o->alive, error) || !check_parts(o, error))
		return false;
	for (unsigned i = 0; i < o->devices_count; i++)
		if (!check_device(o->devices[i])) {
			g_autofree char *at = campaign_entry_key("devices", i);
			return campaign_error(error, o->path, at,
					      "'%s' is no PCI device: expected bb:dd.f or "
					      "ssss:bb:dd.f in hexadecimal",
					      o->devices[i]);
		}
	o->addresses = g_new0(AddressRange, o->address_texts_count + 1);
	for (unsigned i = 0; i < o->address_texts_count; i++)
		if (!parse_range(o->address_texts[i], &o->addresses[o->addresses_count++])) {
			g_autofree char *at = campaign_entry_key("addresses", i);
			return campaign_error(error, o->path, at,
					      "'%s' is no address range: expected "
					      "0xFIRST-0xLAST with FIRST ≤ LAST",
					      o->address_texts[i]);
		}
	return true;
}

OracleConfig *oracle_config_load(const char *path, GError **error)
{
	g_autofree char *full = g_canonicalize_filename(path, NULL);
	g_autoptr(OracleConfig) o = kx_yaml_load(full, &oracle_schema, error);
	if (!o)
		return NULL;
	o->path = g_steal_pointer(&full);
	return check_oracle(o, error) ? g_steal_pointer(&o) : NULL;
}
