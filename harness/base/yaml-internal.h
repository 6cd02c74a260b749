/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <cyaml/cyaml.h>
#include <glib.h>

/* Turns what libcyaml logged about a failed load into one line "FILE:line:col: …" in *error. */
void kx_yaml_explain(const char *path, const char *text, size_t len,
		     const cyaml_schema_value_t *top, const char *said, const char *fallback,
		     GError **error);
