/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/agent_protocol.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/proc.h"

#define MAX_FILE (64u << 20)
#define TABLE_FOLDER "kernel/firmware/acpi"

typedef struct archive Archive;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Archive, archive_write_free)
typedef struct archive_entry ArchiveEntry;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveEntry, archive_entry_free)

static bool archive_failed(Archive *a, const char *what, GError **error)
{
	g_set_error(error, KX_ERROR,
		    archive_errno(a) == ENOSPC ? KX_ERROR_NO_SPACE : KX_ERROR_FAILED,
		    "initramfs: %s: %s", what, archive_error_string(a));
	return false;
}

static bool put_entry(Archive *a, ArchiveEntry *entry, const char *data, gsize len, GError **error)
{
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	archive_entry_set_nlink(entry, 1);
	archive_entry_set_size(entry, (la_int64_t)len);
	if (archive_write_header(a, entry) != ARCHIVE_OK ||
	    (len > 0 && archive_write_data(a, data, len) != (la_ssize_t)len))
		return archive_failed(a, archive_entry_pathname(entry), error);
	return true;
}

static bool put_folder(Archive *a, const char *name, GError **error)
{
	g_autoptr(ArchiveEntry) entry = archive_entry_new();
	archive_entry_set_pathname(entry, name);
	archive_entry_set_mode(entry, S_IFDIR | 0755);
	return put_entry(a, entry, NULL, 0, error);
}

/* Each folder of `name` that `seen` does not have yet. */
static bool put_parents(Archive *a, GHashTable *seen, const char *name, GError **error)
{
	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		char *folder = g_strndup(name, (gsize)(slash - name));
		if (g_hash_table_add(seen, folder) && !put_folder(a, folder, error))
			return false;
	}
	return true;
}

static bool put_file(Archive *a, GHashTable *seen, const char *name, const char *from,
		     GError **error)
{
	gsize len;
	g_autofree char *data = kx_read_file(from, MAX_FILE, &len, error);
	if (!data || !put_parents(a, seen, name, error))
		return false;
	g_autoptr(ArchiveEntry) entry = archive_entry_new();
	archive_entry_set_pathname(entry, name);
	archive_entry_set_mode(entry, S_IFREG | 0755);
	return put_entry(a, entry, data, len, error);
}

static bool put_text(Archive *a, const char *name, const char *text, GError **error)
{
	g_autoptr(ArchiveEntry) entry = archive_entry_new();
	archive_entry_set_pathname(entry, name);
	archive_entry_set_mode(entry, S_IFREG | 0644);
	return put_entry(a, entry, text, strlen(text), error);
}

/* The kernel opens it for process 1 before anything could be mounted. */
static bool put_console(Archive *a, GHashTable *seen, GError **error)
{
	g_autoptr(ArchiveEntry) entry = archive_entry_new();
	archive_entry_set_pathname(entry, "dev/console");
	archive_entry_set_mode(entry, S_IFCHR | 0600);
	archive_entry_set_rdevmajor(entry, 5);
	archive_entry_set_rdevminor(entry, 1);
	return put_parents(a, seen, "dev/console", error) && put_entry(a, entry, NULL, 0, error);
}

static bool put_program(Archive *a, GHashTable *seen, const char *name, const char *program,
			GError **error)
{
	g_auto(GStrv) libraries = initramfs_libraries(program, error);
	if (!libraries || !put_file(a, seen, name, program, error))
		return false;
	for (char **l = libraries; *l; l++)
		if (!put_file(a, seen, *l + 1, *l, error)) /* the name without the first slash */
			return false;
	return true;
}

static bool put_tables(Archive *a, GHashTable *seen, const char *const *tables, GError **error)
{
	for (; tables && *tables; tables++) {
		g_autofree char *base = g_path_get_basename(*tables);
		g_autofree char *name = g_strconcat(TABLE_FOLDER "/", base, NULL);
		if (!put_file(a, seen, name, *tables, error))
			return false;
	}
	return true;
}

static bool put_root(Archive *a, GHashTable *seen, const InitramfsContent *c, GError **error)
{
	static const char *const folders[] = {"proc", "sys", "run"};
	for (gsize i = 0; i < G_N_ELEMENTS(folders); i++)
		if (!put_folder(a, folders[i], error))
			return false;
	return put_console(a, seen, error) && put_file(a, seen, "init", c->agent, error) &&
	       (!c->kexec || put_program(a, seen, "usr/sbin/kexec", c->kexec, error));
}

/* One archive appended to `fd`. */
static bool write_archive(int fd, const InitramfsContent *c, bool tables, GError **error)
{
	g_autoptr(Archive) a = archive_write_new();
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	archive_write_set_format_cpio_newc(a);
	archive_write_set_bytes_per_block(a, 512);
	if (archive_write_open_fd(a, fd) != ARCHIVE_OK)
		return archive_failed(a, "cannot begin", error);
	if (!(tables ? put_tables(a, seen, c->tables, error) : put_root(a, seen, c, error)))
		return false;
	return archive_write_close(a) == ARCHIVE_OK || archive_failed(a, "cannot end", error);
}

bool initramfs_write(const char *path, const InitramfsContent *c, GError **error)
{
	int fd = g_creat(path, 0644);
	if (fd < 0) {
		kx_set_errno(error, errno, "cannot write %s", path);
		return false;
	}
	bool ok = (!c->tables || !*c->tables || write_archive(fd, c, true, error)) &&
		  write_archive(fd, c, false, error);
	return g_close(fd, ok ? error : NULL) && ok;
}

static bool write_orders(int fd, const InitramfsOrders *o, GError **error)
{
	g_autoptr(Archive) a = archive_write_new();
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autofree char *text = g_strdup_printf("%u %s", o->wait_us, o->cmdline);
	archive_write_set_format_cpio_newc(a);
	archive_write_set_bytes_per_block(a, 512);
	if (archive_write_open_fd(a, fd) != ARCHIVE_OK)
		return archive_failed(a, "cannot begin", error);
	if (!put_file(a, seen, AGENT_ORDERS "/kernel", o->kernel, error) ||
	    !put_file(a, seen, AGENT_ORDERS "/initrd", o->initrd, error) ||
	    !put_text(a, AGENT_ORDERS "/kexec", text, error))
		return false;
	return archive_write_close(a) == ARCHIVE_OK || archive_failed(a, "cannot end", error);
}

bool initramfs_add_orders(const char *path, const char *launcher, const InitramfsOrders *orders,
			  GError **error)
{
	gsize len;
	g_autofree char *image = kx_read_file(launcher, MAX_FILE, &len, error);
	if (!image || !kx_write_file(path, image, (gssize)len, error))
		return false;
	int fd = g_open(path, O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0) {
		kx_set_errno(error, errno, "cannot write %s", path);
		return false;
	}
	bool ok = write_orders(fd, orders, error);
	return g_close(fd, ok ? error : NULL) && ok;
}

/* iasl's exit status is 0 for some files that it cannot compile: only a table is a success. */
static char *compile_table(const char *source, const char *folder, GError **error)
{
	g_autofree char *base = g_path_get_basename(source);
	char *dot = strrchr(base, '.');
	if (dot)
		*dot = 0;
	g_autofree char *prefix = g_build_filename(folder, base, NULL);
	g_autofree char *table = g_strconcat(prefix, ".aml", NULL);
	const char *argv[] = {"iasl", "-p", prefix, source, NULL};
	g_auto(KxProcResult) r = {0};
	g_unlink(table);
	if (!kx_proc_run(&(KxProc){.argv = argv, .timeout_s = 30}, &r, error))
		return NULL;
	if (r.status == 0 && g_file_test(table, G_FILE_TEST_EXISTS))
		return g_steal_pointer(&table);
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "ACPI table %s: iasl does not compile it: %s",
		    source, g_strstrip(*r.err ? r.err : r.out));
	return NULL;
}

char **initramfs_compile_tables(const char *const *sources, unsigned count, const char *folder,
				GError **error)
{
	g_autoptr(GStrvBuilder) tables = g_strv_builder_new();
	for (unsigned i = 0; i < count; i++) {
		g_autofree char *table = compile_table(sources[i], folder, error);
		if (!table)
			return NULL;
		g_strv_builder_add(tables, table);
	}
	return g_strv_builder_end(tables);
}

/* A line of `ld.so --list`: "\tlibc.so.6 => /lib/…/libc.so.6 (0x…)" or "\t/lib64/ld-… (0x…)". */
static char *library_of(const char *line)
{
	const char *path = strchr(line, '/');
	return path ? g_strndup(path, strcspn(path, " ")) : NULL;
}

char **initramfs_libraries(const char *program, GError **error)
{
	g_autoptr(GStrvBuilder) found = g_strv_builder_new();
	g_auto(KxProcResult) r = {0};
	const char *argv[] = {"ldd", program, NULL};
	const char *env[] = {"LC_ALL=C", NULL};
	if (!kx_proc_run(&(KxProc){.argv = argv, .env = env, .timeout_s = 30}, &r, error))
		return NULL;
	if (strstr(r.out, "not found")) {
		g_set_error(error, KX_ERROR, KX_ERROR_MISSING, "%s: a library is missing:\n%s",
			    program, r.out);
		return NULL;
	}
	/* a static program: status 1 and no lines, nothing to take along */
	g_auto(GStrv) lines = g_strsplit(r.out, "\n", -1);
	for (char **l = lines; *l; l++) {
		g_autofree char *path = library_of(*l);
		if (path)
			g_strv_builder_add(found, path);
	}
	return g_strv_builder_end(found);
}

char *initramfs_find_kexec(void)
{
	static const char *const places[] = {"kexec", "/usr/sbin/kexec", "/sbin/kexec"};
	char *found = NULL;
	for (gsize i = 0; !found && i < G_N_ELEMENTS(places); i++)
		found = g_find_program_in_path(places[i]);
	return found;
}
