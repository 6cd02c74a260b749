/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initcall/order-internal.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"

void initcall_order_free(InitcallOrder *o)
{
	if (!o)
		return;
	g_clear_pointer(&o->calls, g_ptr_array_unref);
	g_free(o);
}

/* ---- opening ---- */

void initcall_kernel_clear(InitcallKernel *k)
{
	g_clear_pointer(&k->file, g_bytes_unref);
	g_clear_pointer(&k->elf, g_bytes_unref);
	g_clear_pointer(&k->map, g_bytes_unref);
	g_clear_pointer(&k->image, initcall_image_free);
}

static GBytes *map_file(const char *path, GError **error)
{
	GError *e = NULL;
	GMappedFile *file = g_mapped_file_new(path, FALSE, &e);
	if (!file) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING, "%s", e->message);
		g_error_free(e);
		return NULL;
	}
	GBytes *bytes = g_mapped_file_get_bytes(file);
	g_mapped_file_unref(file);
	return bytes;
}

bool initcall_kernel_open(InitcallKernel *k, const char *path, const char *map, GError **error)
{
	k->path = path;
	k->map_path = map;
	if (!(k->file = map_file(path, error)) || (map && !(k->map = map_file(map, error))))
		return false;
	if (initcall_image_is(k->file) && !(k->image = initcall_image_open(k->file, path, error)))
		return false;
	k->elf = g_bytes_ref(k->image ? k->image->kernel : k->file);
	return true;
}

InitcallTable *initcall_kernel_table(const InitcallKernel *k, GError **error)
{
	return initcall_table_read(k->elf, k->path, k->map, k->map_path, error);
}

static InitcallOrder *order_of(const InitcallTable *t)
{
	InitcallOrder *o = g_new0(InitcallOrder, 1);
	o->is_arm64 = t->elf->is_arm64;
	o->calls = g_ptr_array_new_with_free_func((GDestroyNotify)initcall_free);
	for (guint i = 0; i < t->slots->len; i++) {
		const Initcall *from = &((const InitcallSlot *)t->slots->pdata[i])->call;
		Initcall *c = g_memdup2(from, sizeof(*from));
		c->function = g_strdup(from->function);
		c->module = g_strdup(from->module);
		c->file = g_strdup(from->file);
		g_ptr_array_add(o->calls, c);
	}
	return o;
}

InitcallOrder *initcall_order_read(const char *path, const char *map, GError **error)
{
	g_auto(InitcallKernel) k = {0};
	if (!initcall_kernel_open(&k, path, map, error))
		return NULL;
	g_autoptr(InitcallTable) t = initcall_kernel_table(&k, error);
	if (!t)
		return NULL;
	initcall_table_find_files(t, !k.image);
	return order_of(t);
}

/* ---- showing ---- */

json_t *initcall_order_json(const InitcallOrder *o)
{
	json_t *all = json_array();
	for (guint i = 0; i < o->calls->len; i++) {
		const Initcall *c = o->calls->pdata[i];
		g_autofree char *address = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", c->address);
		json_t *one = json_pack("{s:s, s:o}", "level", initcall_level_name(c->level),
					"function", kx_json_text(c->function));
		if (c->module)
			json_object_set_new(one, "module", kx_json_text(c->module));
		json_object_set_new(one, "address", json_string(address));
		if (c->file)
			json_object_set_new(one, "file", kx_json_text(c->file));
		if (c->line)
			json_object_set_new(one, "line", json_integer(c->line));
		json_array_append_new(all, one);
	}
	return json_pack("{s:o}", "initcalls", all);
}

static char *name_of(const Initcall *c)
{
	return c->module ? g_strdup_printf("%s@%s", c->function, c->module) : g_strdup(c->function);
}

char *initcall_order_text(const InitcallOrder *o)
{
	GString *s = g_string_new(NULL);
	int width = 0;
	for (guint i = 0; i < o->calls->len; i++) {
		g_autofree char *name = name_of(o->calls->pdata[i]);
		width = MAX(width, (int)MIN(strlen(name), 56));
	}
	for (guint i = 0; i < o->calls->len; i++) {
		const Initcall *c = o->calls->pdata[i];
		g_autofree char *name = name_of(c);
		g_string_append_printf(s, "%-13s %-*s 0x%" G_GINT64_MODIFIER "x",
				       initcall_level_name(c->level), width, name, c->address);
		if (c->file || c->line)
			g_string_append_printf(s, " %s", c->file ? c->file : "?");
		if (c->line)
			g_string_append_printf(s, ":%u", c->line);
		g_string_append_c(s, '\n');
	}
	return g_string_free(s, FALSE);
}
