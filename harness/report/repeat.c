/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document: how to do it again, and on what it was done. */
#include "model.h"

#include <string.h>

#include "campaign/campaign.h"

#define COMMAND_MAX 4096u
#define CONFIG_MAX (4u << 20)

/* ---- commands ---- */

char *model_command(const char *command, const char *argument)
{
	/* plain words stay as people write them */
	const char *plain =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/+,:=@%";
	g_autofree char *q =
		argument[strspn(argument, plain)] == '\0' && *argument && *argument != '-'
			? g_strdup(argument)
			: g_shell_quote(argument);
	return g_strdup_printf("%s %s", command, q);
}

/* What the evidence folder itself says, else the job's command. */
static char *trial_command(const StoreTrial *t)
{
	g_autofree char *said = model_read(t->evidence, "repeat", COMMAND_MAX, NULL);
	g_auto(GStrv) lines = g_strsplit(said ? said : "", "\n", -1);
	for (char **l = lines; *l; l++) {
		if (**l && **l != '#')
			return g_strdup(*l);
	}
	g_autofree char *request = g_build_filename(t->evidence, "request.json", NULL);
	return model_command("kexsect job boot", request);
}

/* A mailbox for git am, or a plain diff. */
static char *apply_command(const char *file)
{
	g_autofree char *start = model_read(file, NULL, 5, NULL);
	bool mail = start && g_str_has_prefix(start, "From ");
	return model_command(mail ? "git am" : "git apply --index", file);
}

static void append_fixtures(const Model *m, json_t *out)
{
	const json_t *told = json_object_get(m->run->config, "series");
	const char *path =
		json_is_object(told) ? kx_json_str(told, "file") : json_string_value(told);
	g_autoptr(Series) series =
		path && g_path_is_absolute(path) ? series_load(path, NULL) : NULL;
	size_t i;
	json_t *x;
	json_array_foreach (json_object_get(m->run->config, "fixtures"), i, x) {
		const char *name =
			json_is_string(x) ? json_string_value(x) : kx_json_str(x, "name");
		const char *file = json_is_object(x) ? kx_json_str(x, "file") : NULL;
		const Patch *patch = !file && series && name ? series_find(series, name) : NULL;
		if (patch)
			file = patch->file;
		if (file) {
			g_autofree char *command = apply_command(file);
			json_array_append_new(out, model_text(command));
		}
	}
}

/* A setting in the words of the kernel's own scripts/config. */
static char *config_command(const char *setting)
{
	const char *eq = strchr(setting, '=');
	g_autofree char *name = eq ? g_strndup(setting, (gsize)(eq - setting)) : g_strdup(setting);
	const char *value = eq ? eq + 1 : "y";
	if (*value == '"') {
		g_autofree char *text = g_strndup(value + 1, strlen(value + 1) - 1);
		g_autofree char *head = g_strdup_printf("scripts/config --set-str %s", name);
		return model_command(head, text);
	}
	const char *word = strcmp(value, "y") == 0   ? "--enable"
			   : strcmp(value, "m") == 0 ? "--module"
			   : strcmp(value, "n") == 0 ? "--disable"
						     : NULL;
	return word ? g_strdup_printf("scripts/config %s %s", word, name)
		    : g_strdup_printf("scripts/config --set-val %s %s", name, value);
}

static void append_settings(json_t *out, const char *text)
{
	g_auto(GStrv) settings = candidate_settings(text, NULL);
	for (char **s = settings; s && *s; s++) {
		g_autofree char *command = config_command(*s);
		json_array_append_new(out, model_text(command));
	}
	if (settings && *settings)
		json_array_append_new(out, json_string("make olddefconfig"));
}

/* The commit of the answer, or its patches and settings on top of the fixtures, in the order of
 * the campaign. */
static json_t *apply(const Model *m)
{
	json_t *out = json_array();
	uint64_t mask = model_answer(m);
	bool history = model_is_history(m);
	if (history && mask) {
		const StoreCandidate *c = m->candidates->pdata[mask - 1];
		g_autofree char *command = model_command("git checkout", c->text);
		json_array_append_new(out, model_text(command));
	}
	append_fixtures(m, out);
	const char *config = kx_json_str(m->run->config, "config_file");
	if (config) {
		g_autofree char *copy = model_command("cp", config);
		g_autofree char *command = g_strconcat(copy, " .config", NULL);
		json_array_append_new(out, model_text(command));
	}
	for (guint i = 0; !history && i < m->candidates->len && i < 64; i++) {
		const StoreCandidate *c = m->candidates->pdata[i];
		if (!(mask >> i & 1))
			continue;
		if (strcmp(c->kind, "config") == 0)
			append_settings(out, c->text);
		if (*c->file == '\0')
			continue;
		g_autofree char *command = apply_command(c->file);
		json_array_append_new(out, model_text(command));
	}
	return out;
}

/* What the answer adds to the kernel's command line. */
static json_t *parameters(const Model *m)
{
	json_t *out = json_array();
	uint64_t mask = model_answer(m);
	for (guint i = 0; !model_is_history(m) && i < m->candidates->len && i < 64; i++) {
		const StoreCandidate *c = m->candidates->pdata[i];
		if (mask >> i & 1 && strcmp(c->kind, "parameter") == 0)
			json_array_append_new(out, model_text(c->text));
	}
	return out;
}

json_t *model_repeat(const Model *m)
{
	json_t *o = json_object();
	const char *file = kx_json_str(m->run->config, "file");
	const StoreTrial *fault = model_example(m, model_variant(m, 0), "fault");
	int answer = model_variant(m, model_cures(m) ? model_answer(m) : 0);
	const StoreTrial *clean = model_example(m, answer, "clean");
	g_autofree char *run = model_command(m->verdict ? "kexsect run --again" : "kexsect run",
					     file ? file : m->run->name);
	const json_t *base = json_object_get(m->run->config, "base");
	const char *given = kx_json_str(base, "given");
	if (given) {
		g_autofree char *source =
			g_strdup_printf("%s=%s", kx_json_str(base, "name"), given);
		g_autofree char *head = g_strconcat(run, " --source", NULL);
		g_free(run);
		run = model_command(head, source);
	}
	json_object_set_new(o, "run", model_text(run));
	if (!fault)
		fault = model_example(m, -1, "fault");
	if (fault) {
		g_autofree char *command = trial_command(fault);
		json_object_set_new(o, "trial", model_text(command));
	}
	if (clean) {
		g_autofree char *command = trial_command(clean);
		json_object_set_new(o, "trial_clean", model_text(command));
	}
	json_object_set_new(o, "apply", apply(m));
	json_object_set_new(o, "parameters", parameters(m));
	return o;
}

/* ---- environment ---- */

static void append_named(json_t *out, const char *name, const char *value)
{
	if (!value || *value == '\0')
		return;
	json_t *o = json_object();
	json_object_set_new(o, "name", model_text(name));
	json_object_set_new(o, "value", model_text(value));
	json_array_append_new(out, o);
}

/* The value of KEY="…" in a .config; NULL when it has none. */
static char *config_text(const char *config, const char *key)
{
	const char *at = config ? strstr(config, key) : NULL;
	const char *begin = at ? at + strlen(key) : NULL;
	const char *end = begin ? strchr(begin, '"') : NULL;
	return end ? g_strndup(begin, (gsize)(end - begin)) : NULL;
}

/* Kconfig writes down what it was configured with (init/Kconfig, CC_VERSION_TEXT: v4.18 and later)
 * and, in its third line, which kernel it is. */
static void append_compiler(const Model *m, json_t *out)
{
	for (guint i = 0; i < m->builds->len; i++) {
		const StoreBuild *b = m->builds->pdata[i];
		g_autofree char *config =
			*b->artifacts ? model_read(b->artifacts, "config", CONFIG_MAX, NULL) : NULL;
		if (!config)
			continue;
		g_auto(GStrv) lines = g_strsplit(config, "\n", 4);
		g_autofree char *compiler = config_text(config, "CONFIG_CC_VERSION_TEXT=\"");
		if (g_strv_length(lines) >= 3 && g_str_has_prefix(lines[2], "# Linux/")) {
			char *end = strstr(lines[2], " Kernel Configuration");
			if (end)
				*end = '\0';
			append_named(out, "kernel", lines[2] + 2);
		}
		append_named(out, "compiler", compiler);
		return;
	}
}

/* What the run wrote down about itself: {"name": "value", …} or [{"name", "value"}, …]. */
static void append_recorded(const Model *m, json_t *out)
{
	const char *key;
	size_t i;
	json_t *v;
	json_object_foreach (m->environment, key, v)
		append_named(out, key, json_string_value(v));
	json_array_foreach (m->environment, i, v)
		append_named(out, kx_json_str(v, "name"), kx_json_str(v, "value"));
}

json_t *model_environment(const Model *m)
{
	json_t *out = json_array();
	append_recorded(m, out);
	append_compiler(m, out);
	return out;
}
