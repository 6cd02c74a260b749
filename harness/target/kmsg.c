/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/kmsg.h"

#include <string.h>

#include "base/fs.h"
#include "target/console/bounded.h"

#define MAX_TABLES 256

struct Kmsg {
	char *folder;
	Bounded *file, *text;
	unsigned tables;
	GError *error; /* the first one */
};

Kmsg *kmsg_new(const char *folder)
{
	Kmsg *k = g_new0(Kmsg, 1);
	k->folder = g_strdup(folder);
	return k;
}

static bool begin(Kmsg *k)
{
	g_autofree char *path = g_build_filename(k->folder, "kmsg.log", NULL);
	k->file = bounded_new(path, BOUNDED_KEEP, &k->error);
	if (k->file)
		k->text = bounded_new(NULL, BOUNDED_KEEP, NULL);
	return k->file != NULL;
}

void kmsg_add(Kmsg *k, const char *record, gsize len)
{
	if (len == 0 || k->error || (!k->file && !begin(k)))
		return;
	bounded_add(k->file, record, len);
	bounded_add(k->text, record, len);
	if (record[len - 1] != '\n') {
		bounded_add(k->file, "\n", 1);
		bounded_add(k->text, "\n", 1);
	}
}

static bool is_table_name(const char *name)
{
	gsize len = strlen(name);
	if (len < 1 || len > 16)
		return false;
	for (const char *c = name; *c; c++)
		if (!g_ascii_isalnum(*c) && *c != '_' && *c != '!')
			return false;
	return true;
}

void kmsg_add_table(Kmsg *k, const char *payload, gsize len)
{
	gsize name = strnlen(payload, len) + 1;
	if (name > len || !is_table_name(payload) || ++k->tables > MAX_TABLES) {
		g_warning("the variant sent something that is no ACPI table: not kept");
		return;
	}
	g_autofree char *acpi = g_build_filename(k->folder, "acpi", NULL);
	g_autofree char *path = g_strdup_printf("%s/%s.aml", acpi, payload);
	if (!k->error && kx_mkdir(acpi, &k->error))
		kx_write_file(path, payload + name, (gssize)(len - name), &k->error);
}

bool kmsg_finish(Kmsg *k, char **ret_text, GError **error)
{
	bool ok = !k->error;
	if (k->error)
		g_propagate_error(error, g_steal_pointer(&k->error));
	if (k->text)
		bounded_finish(g_steal_pointer(&k->text), ret_text, NULL);
	if (k->file)
		ok = bounded_finish(g_steal_pointer(&k->file), NULL, ok ? error : NULL) && ok;
	kmsg_free(k);
	return ok;
}

void kmsg_free(Kmsg *k)
{
	if (!k)
		return;
	bounded_free(k->file);
	bounded_free(k->text);
	g_clear_error(&k->error);
	g_free(k->folder);
	g_free(k);
}
