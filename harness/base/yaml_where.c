/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where in a YAML file something is, and what was expected there: libcyaml says what it met and a
 * backtrace of positions; people want FILE:line:column, the key, and what would have been right. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/yaml-internal.h"
#include "base/yaml.h"

typedef struct {
	char *name; /* field name, entry number, or "" for a mapping itself */
	unsigned line, column;
} Frame;

static void frame_free(gpointer data)
{
	Frame *f = data;
	g_free(f->name);
	g_free(f);
}

/* libcyaml's backtrace, innermost first. */
static GPtrArray *parse_backtrace(const char *said)
{
	GPtrArray *frames = g_ptr_array_new_with_free_func(frame_free);
	g_auto(GStrv) lines = g_strsplit(said, "\n", -1);
	for (char **l = lines; *l; l++) {
		char *in = strstr(*l, "  in "), *at = strstr(*l, "(line: ");
		unsigned line, column;
		if (!in || !at || sscanf(at, "(line: %u, column: %u)", &line, &column) != 2)
			continue;
		Frame *f = g_new0(Frame, 1);
		char *open = strchr(in, '\''), *close = open ? strchr(open + 1, '\'') : NULL;
		f->name = open && close ? g_strndup(open + 1, (gsize)(close - open - 1))
					: g_strdup("");
		f->line = line;
		f->column = column;
		g_ptr_array_add(frames, f);
	}
	return frames;
}

static const cyaml_schema_value_t *schema_step(const cyaml_schema_value_t *v, const char *name)
{
	if (v->type == CYAML_SEQUENCE || v->type == CYAML_SEQUENCE_FIXED)
		return v->sequence.entry;
	if (v->type == CYAML_MAPPING)
		for (const cyaml_schema_field_t *f = v->mapping.fields; f->key; f++)
			if (g_str_equal(f->key, name))
				return &f->value;
	return NULL;
}

/* The schema of the value that the innermost frame speaks of; NULL when it cannot be followed. */
static const cyaml_schema_value_t *schema_at(const cyaml_schema_value_t *top,
					     const GPtrArray *frames)
{
	const cyaml_schema_value_t *v = top;
	for (guint i = frames->len; v && i > 0; i--) {
		const Frame *f = g_ptr_array_index(frames, i - 1);
		if (*f->name)
			v = schema_step(v, f->name);
	}
	return v;
}

static char *join_keys(const cyaml_schema_value_t *v)
{
	GString *out = g_string_new(NULL);
	for (const cyaml_schema_field_t *f = v->mapping.fields; f->key; f++)
		g_string_append_printf(out, "%s%s", out->len ? ", " : "", f->key);
	return g_string_free(out, FALSE);
}

static char *describe(const cyaml_schema_value_t *v)
{
	switch (v ? v->type : CYAML__TYPE_COUNT) {
	case CYAML_INT:
	case CYAML_UINT:
		return g_strdup("a whole number");
	case CYAML_FLOAT:
		return g_strdup("a number");
	case CYAML_STRING:
		return g_strdup("a string");
	case CYAML_SEQUENCE:
	case CYAML_SEQUENCE_FIXED:
		return g_strdup("a list");
	case CYAML_MAPPING:
		return g_strdup("a mapping (key: value)");
	case CYAML_ENUM: {
		GString *out = g_string_new("one of ");
		for (guint i = 0; i < v->enumeration.count; i++)
			g_string_append_printf(out, "%s%s", i ? ", " : "",
					       v->enumeration.strings[i].str);
		return g_string_free(out, FALSE);
	}
	default:
		return NULL;
	}
}

static const char *event_name(const char *event)
{
	if (g_str_has_prefix(event, "SEQUENCE"))
		return "a list";
	if (g_str_has_prefix(event, "MAPPING"))
		return "a mapping";
	if (g_str_has_prefix(event, "SCALAR"))
		return "a single value";
	return "the end";
}

typedef struct {
	yaml_document_t doc;
	bool ok;
	char *problem;
	size_t line, column; /* of the problem; from 1 */
} Document;

static void document_load(Document *d, const char *text, size_t len)
{
	yaml_parser_t parser;
	yaml_parser_initialize(&parser);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	d->ok = yaml_parser_load(&parser, &d->doc);
	d->problem = NULL;
	if (!d->ok) {
		d->problem = g_strdup(parser.problem ? parser.problem : "cannot be read");
		d->line = parser.problem_mark.line + 1;
		d->column = parser.problem_mark.column + 1;
	}
	yaml_parser_delete(&parser);
}

static void document_clear(Document *d)
{
	if (d->ok)
		yaml_document_delete(&d->doc);
	g_free(d->problem);
}

/* The mark of mapping key `key` at or after `line`: libcyaml reports an unknown key at the value
 * before. */
static const yaml_mark_t *find_key(Document *d, const char *key, unsigned line)
{
	const yaml_mark_t *best = NULL;
	for (yaml_node_t *n = d->doc.nodes.start; n < d->doc.nodes.top; n++) {
		if (n->type != YAML_MAPPING_NODE)
			continue;
		for (yaml_node_pair_t *p = n->data.mapping.pairs.start;
		     p < n->data.mapping.pairs.top; p++) {
			yaml_node_t *k = yaml_document_get_node(&d->doc, p->key);
			if (k && k->type == YAML_SCALAR_NODE && k->start_mark.line + 1 >= line &&
			    g_str_equal((char *)k->data.scalar.value, key) &&
			    (!best || k->start_mark.line < best->line))
				best = &k->start_mark;
		}
	}
	return best;
}

static void explain(const char *path, Document *d, const cyaml_schema_value_t *top,
		    const char *said, const char *fallback, GError **error)
{
	g_autoptr(GPtrArray) frames = parse_backtrace(said);
	const Frame *inner = frames->len ? g_ptr_array_index(frames, 0) : NULL;
	size_t line = inner ? inner->line : 1, column = inner ? inner->column : 1;
	const cyaml_schema_value_t *schema = schema_at(top, frames);
	const char *load = strstr(said, "Load: ");
	g_autofree char *first =
		load ? g_strndup(load + 6, strcspn(load + 6, "\n")) : g_strdup(fallback);
	g_autofree char *what = NULL, *wanted = NULL;
	const char *name = inner && *inner->name ? inner->name : "this value";

	if (g_str_has_prefix(first, "Unexpected key: ")) {
		const char *key = first + strlen("Unexpected key: ");
		const yaml_mark_t *mark = find_key(d, key, (unsigned)line);
		if (mark) {
			line = mark->line + 1;
			column = mark->column + 1;
		}
		wanted =
			schema && schema->type == CYAML_MAPPING ? join_keys(schema) : g_strdup("?");
		what = g_strdup_printf("unknown key '%s'; known here: %s", key, wanted);
	} else if (g_str_has_prefix(first, "Missing required mapping field: ")) {
		what = g_strdup_printf("the key '%s' is missing",
				       first + strlen("Missing required mapping field: "));
	} else if (g_str_has_prefix(first, "Mapping field already seen: ")) {
		what = g_strdup_printf("the key '%s' is given twice",
				       first + strlen("Mapping field already seen: "));
	} else if (g_str_has_prefix(first, "Expecting ") && strstr(first, "event: ")) {
		wanted = describe(schema);
		what = g_strdup_printf("%s: expected %s, found %s", name,
				       wanted ? wanted : "another type",
				       event_name(strstr(first, "event: ") + 7));
	} else {
		wanted = describe(schema);
		const char *value = strstr(first, "value: ");
		what = g_strdup_printf("%s: expected %s, found %s", name,
				       wanted ? wanted : "another value",
				       value ? value + 7 : first);
	}
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s:%zu:%zu: %s", path, line, column, what);
}

void kx_yaml_explain(const char *path, const char *text, size_t len,
		     const cyaml_schema_value_t *top, const char *said, const char *fallback,
		     GError **error)
{
	Document d;
	document_load(&d, text, len);
	if (d.ok)
		explain(path, &d, top, said, fallback, error);
	else
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s:%zu:%zu: not valid YAML: %s", path,
			    d.line, d.column, d.problem);
	document_clear(&d);
}

static yaml_node_t *node_step(yaml_document_t *doc, yaml_node_t *n, const char *name)
{
	if (n->type == YAML_SEQUENCE_NODE) {
		guint64 i = g_ascii_strtoull(name, NULL, 10);
		yaml_node_item_t *items = n->data.sequence.items.start;
		if (i < (guint64)(n->data.sequence.items.top - items))
			return yaml_document_get_node(doc, items[i]);
	} else if (n->type == YAML_MAPPING_NODE) {
		for (yaml_node_pair_t *p = n->data.mapping.pairs.start;
		     p < n->data.mapping.pairs.top; p++) {
			yaml_node_t *k = yaml_document_get_node(doc, p->key);
			if (k && k->type == YAML_SCALAR_NODE &&
			    g_str_equal((char *)k->data.scalar.value, name))
				return yaml_document_get_node(doc, p->value);
		}
	}
	return NULL;
}

char *kx_yaml_where(const char *path, const char *key)
{
	size_t len;
	g_autofree char *text = kx_read_file(path, 1u << 20, &len, NULL);
	if (!text)
		return g_strdup(path);
	Document d;
	document_load(&d, text, len);
	char *out = NULL;
	yaml_node_t *n = d.ok ? yaml_document_get_root_node(&d.doc) : NULL;
	g_auto(GStrv) names = g_strsplit(key, ".", -1);
	for (char **name = names; n && *name; name++)
		n = node_step(&d.doc, n, *name);
	if (n)
		out = g_strdup_printf("%s:%zu:%zu", path, n->start_mark.line + 1,
				      n->start_mark.column + 1);
	document_clear(&d);
	return out ? out : g_strdup(path);
}
