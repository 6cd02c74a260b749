/* SPDX-License-Identifier: GPL-2.0-or-later */
/* YAML files checked against libcyaml schemas, with errors that say file:line:column, what was
 * found, and what was expected there. */
#pragma once

#include <cyaml/cyaml.h>
#include <glib.h>

/* A truth value that accepts true, false, yes and no only: libcyaml's own takes any word. The
 * member is an int (0 or 1). */
extern const cyaml_strval_t kx_yaml_bools[4];
#define KX_YAML_BOOL(key, flags, structure, member)                                                \
	CYAML_FIELD_ENUM(key, (flags) | CYAML_FLAG_STRICT, structure, member, kx_yaml_bools, 4)

/* Entry of a list of strings (char **member; unsigned member_count). */
extern const cyaml_schema_value_t kx_yaml_string_entry;

/* Reads a file of at most 1 MiB, without aliases, to the struct that `top` (CYAML_VALUE_MAPPING
 * with CYAML_FLAG_POINTER) describes. The caller frees it by kx_yaml_free with the same schema. */
void *kx_yaml_load(const char *path, const cyaml_schema_value_t *top, GError **error);
void kx_yaml_free(const cyaml_schema_value_t *top, void *data);

/* "FILE:line:col" of the value at `key` (dotted path, list entries by number: "target.launcher" or
 * "patches.3.file"), for errors found after loading, such as an unknown name. Just FILE when there
 * is none. Caller frees. */
char *kx_yaml_where(const char *path, const char *key);
