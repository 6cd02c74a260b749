/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/yaml-internal.h"

#define MAX_YAML (1u << 20)

const cyaml_strval_t kx_yaml_bools[4] = {{"false", 0}, {"true", 1}, {"no", 0}, {"yes", 1}};

const cyaml_schema_value_t kx_yaml_string_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static void take_log(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
	if (level >= CYAML_LOG_ERROR)
		g_string_append_vprintf(ctx, format, args);
}

static const cyaml_config_t base_config = {
	.log_fn = take_log,
	.mem_fn = cyaml_mem,
	.log_level = CYAML_LOG_ERROR,
	.flags = CYAML_CFG_NO_ALIAS,
};

void *kx_yaml_load(const char *path, const cyaml_schema_value_t *top, GError **error)
{
	size_t len;
	g_autofree char *text = kx_read_file(path, MAX_YAML, &len, error);
	if (!text)
		return NULL;
	g_autoptr(GString) said = g_string_new(NULL);
	cyaml_config_t config = base_config;
	config.log_ctx = said;
	cyaml_data_t *data = NULL;
	cyaml_err_t err = cyaml_load_data((const uint8_t *)text, len, &config, top, &data, NULL);
	if (err == CYAML_OK && data)
		return data;
	if (err == CYAML_OK)
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s:1:1: the file is empty", path);
	else
		kx_yaml_explain(path, text, len, top, said->str, cyaml_strerror(err), error);
	return NULL;
}

void kx_yaml_free(const cyaml_schema_value_t *top, void *data)
{
	if (data)
		cyaml_free(&base_config, top, data, 0);
}
