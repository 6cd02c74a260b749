/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firmware loads the file etc/acpi/tables as a whole and then works through etc/table-loader:
 * entries of 128 bytes that say where to allocate, which fields of the file are pointers into it
 * (they hold offsets until then), and over which bytes a checksum is to be made. Layout of the
 * entries: hw/acpi/bios-linker-loader.c; of the tables: ACPI 6.4, 5.2. */
#include "target/firmware.h"

#include <string.h>

#include "base/error.h"
#include "base/fs.h"

#define MAX_TABLE (1u << 20)
#define HEADER 36
#define TABLES "etc/acpi/tables"
#define RSDP "etc/acpi/rsdp"

enum { ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3 };
enum { ZONE_HIGH = 1, ZONE_FSEG = 2 };

typedef struct {
	GByteArray *tables, *loader;
	GArray *offsets; /* guint32: what the RSDT lists */
	guint32 facs, dsdt, facp;
} Compose;

static void put32(GByteArray *a, guint at, guint32 value)
{
	guint32 le = GUINT32_TO_LE(value);
	memcpy(a->data + at, &le, sizeof(le));
}

static guint32 get32(const GByteArray *a, guint at)
{
	guint32 le;
	memcpy(&le, a->data + at, sizeof(le));
	return GUINT32_FROM_LE(le);
}

static guint8 *new_entry(GByteArray *loader, guint32 command)
{
	guint at = loader->len;
	g_byte_array_set_size(loader, at + 128);
	memset(loader->data + at, 0, 128);
	put32(loader, at, command);
	return loader->data + at;
}

static void number32(guint8 *to, guint32 value)
{
	guint32 le = GUINT32_TO_LE(value);
	memcpy(to, &le, sizeof(le));
}

static void add_allocate(GByteArray *loader, const char *file, guint32 align, guint8 zone)
{
	guint8 *e = new_entry(loader, ALLOCATE);
	memcpy(e + 4, file, strlen(file));
	number32(e + 60, align);
	e[64] = zone;
}

static void add_pointer(GByteArray *loader, const char *in, guint32 offset, guint8 size)
{
	guint8 *e = new_entry(loader, ADD_POINTER);
	memcpy(e + 4, in, strlen(in));
	memcpy(e + 60, TABLES, strlen(TABLES));
	number32(e + 116, offset);
	e[120] = size;
}

static void add_checksum(GByteArray *loader, const char *file, guint32 result, guint32 start,
			 guint32 length)
{
	guint8 *e = new_entry(loader, ADD_CHECKSUM);
	memcpy(e + 4, file, strlen(file));
	number32(e + 60, result);
	number32(e + 64, start);
	number32(e + 68, length);
}

static bool refuse(GError **error, const char *path, const char *what)
{
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: %s", path, what);
	return false;
}

/* Loads one table; its length field must agree with the file. */
static GByteArray *load(const char *path, GError **error)
{
	gsize len;
	char *data = kx_read_file(path, MAX_TABLE, &len, error);
	if (!data)
		return NULL;
	GByteArray *t = g_byte_array_new_take((guint8 *)data, len);
	bool facs = len >= 64 && memcmp(data, "FACS", 4) == 0; /* has no checksum */
	if ((!facs && len < HEADER) || get32(t, 4) != len) {
		refuse(error, path, "is no whole ACPI table");
		g_byte_array_unref(t);
		return NULL;
	}
	return t;
}

static guint32 append(Compose *c, const GByteArray *t)
{
	while (c->tables->len % 64) /* FACS must be, the others may */
		g_byte_array_append(c->tables, (const guint8 *)"", 1);
	guint32 at = c->tables->len;
	g_byte_array_append(c->tables, t->data, t->len);
	return at;
}

/* These hold addresses of memory that the firmware gave out besides the tables. */
static bool can_move(const GByteArray *t)
{
	static const char *const fixed[] = {"TPM2", "TCPA", "UEFI", "BGRT", "NFIT",
					    "BERT", "HEST", "ERST", "RSDT", "XSDT"};
	for (gsize i = 0; i < G_N_ELEMENTS(fixed); i++)
		if (memcmp(t->data, fixed[i], 4) == 0)
			return false;
	return true;
}

static bool add_table(Compose *c, const char *path, GError **error)
{
	g_autoptr(GByteArray) t = load(path, error);
	if (!t)
		return false;
	if (memcmp(t->data, "RSDT", 4) == 0 || memcmp(t->data, "XSDT", 4) == 0)
		return true; /* made anew */
	if (!can_move(t))
		return refuse(error, path, "holds addresses that cannot be moved");
	guint32 at = append(c, t);
	if (memcmp(t->data, "FACS", 4) == 0)
		c->facs = at;
	else if (memcmp(t->data, "DSDT", 4) == 0)
		c->dsdt = at;
	else
		g_array_append_val(c->offsets, at);
	if (memcmp(t->data, "FACP", 4) == 0)
		c->facp = at;
	return true;
}

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_replaced(const char *name, const GPtrArray *signatures)
{
	for (guint i = 0; i < signatures->len; i++)
		if (strncmp(name, g_ptr_array_index(signatures, i), 4) == 0)
			return true;
	return false;
}

static GPtrArray *signatures_of(const char *const *replacements, GError **error)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
	for (; *replacements; replacements++) {
		g_autoptr(GByteArray) t = load(*replacements, error);
		if (!t)
			return NULL;
		g_ptr_array_add(all, g_strndup((const char *)t->data, 4));
	}
	return g_steal_pointer(&all);
}

static bool add_all(Compose *c, const char *acpi, const char *const *replacements, GError **error)
{
	g_autoptr(GPtrArray) signatures = signatures_of(replacements, error);
	g_autoptr(GDir) dir = signatures ? g_dir_open(acpi, 0, error) : NULL;
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *name;
	if (!dir)
		return false;
	while ((name = g_dir_read_name(dir)))
		if (g_str_has_suffix(name, ".aml") && !is_replaced(name, signatures))
			g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, by_name); /* the order of a folder is none */
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(acpi, g_ptr_array_index(names, i), NULL);
		if (!add_table(c, path, error))
			return false;
	}
	for (; *replacements; replacements++)
		if (!add_table(c, *replacements, error))
			return false;
	if (!c->facp || !c->dsdt)
		return refuse(error, acpi, "FACP or DSDT is missing: not all tables of a machine");
	return true;
}

/* FIRMWARE_CTRL, DSDT and, where the table is long enough, their 64-bit copies. */
static void link_facp(Compose *c)
{
	guint len = get32(c->tables, c->facp + 4);
	const struct {
		guint at;
		guint8 size;
		guint32 value;
	} fields[] = {{36, 4, c->facs}, {40, 4, c->dsdt}, {132, 8, 0}, {140, 8, c->dsdt}};
	for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
		guint at = c->facp + fields[i].at;
		if (fields[i].at + fields[i].size > len)
			continue;
		memset(c->tables->data + at, 0, fields[i].size);
		put32(c->tables, at, fields[i].value);
		if (fields[i].value)
			add_pointer(c->loader, TABLES, at, fields[i].size);
	}
	c->tables->data[c->facp + 9] = 0;
	add_checksum(c->loader, TABLES, c->facp + 9, c->facp, len);
}

static guint32 make_rsdt(Compose *c)
{
	guint32 len = HEADER + 4 * c->offsets->len;
	g_autoptr(GByteArray) t = g_byte_array_new();
	g_byte_array_append(t, c->tables->data + c->facp, HEADER); /* its OEM ids and revisions */
	g_byte_array_set_size(t, len);
	memcpy(t->data, "RSDT", 4);
	put32(t, 4, len);
	t->data[8] = 1;
	t->data[9] = 0;
	for (guint i = 0; i < c->offsets->len; i++)
		put32(t, HEADER + 4 * i, g_array_index(c->offsets, guint32, i));
	guint32 at = append(c, t);
	for (guint i = 0; i < c->offsets->len; i++)
		add_pointer(c->loader, TABLES, at + HEADER + 4 * i, 4);
	add_checksum(c->loader, TABLES, at + 9, at, len);
	return at;
}

/* Revision 0: 20 bytes, with a checksum over them. */
static GByteArray *make_rsdp(Compose *c, guint32 rsdt)
{
	GByteArray *rsdp = g_byte_array_new();
	g_byte_array_set_size(rsdp, 20);
	memset(rsdp->data, 0, 20);
	memcpy(rsdp->data, "RSD PTR ", 8);
	memcpy(rsdp->data + 9, c->tables->data + c->facp + 10, 6);
	put32(rsdp, 16, rsdt);
	add_pointer(c->loader, RSDP, 16, 4);
	add_checksum(c->loader, RSDP, 8, 0, 20);
	return rsdp;
}

static bool write_array(const char *folder, const char *name, const GByteArray *a, GError **error)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	return kx_write_file(path, (const char *)a->data, (gssize)a->len, error);
}

bool firmware_compose(const char *acpi, const char *const *replacements, const char *folder,
		      GError **error)
{
	g_autoptr(GByteArray) tables = g_byte_array_new(), loader = g_byte_array_new();
	g_autoptr(GArray) offsets = g_array_new(FALSE, FALSE, sizeof(guint32));
	Compose c = {.tables = tables, .loader = loader, .offsets = offsets};
	/* offset 0 is 'none' here, so nothing may begin there */
	g_byte_array_set_size(tables, 64);
	memset(tables->data, 0, 64);
	if (!add_all(&c, acpi, replacements, error))
		return false;
	add_allocate(loader, RSDP, 16, ZONE_FSEG);
	add_allocate(loader, TABLES, 64, ZONE_HIGH);
	link_facp(&c);
	g_autoptr(GByteArray) rsdp = make_rsdp(&c, make_rsdt(&c));
	return write_array(folder, "tables", tables, error) &&
	       write_array(folder, "rsdp", rsdp, error) &&
	       write_array(folder, "loader", loader, error);
}
