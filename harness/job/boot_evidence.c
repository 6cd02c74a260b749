/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "job/boot-internal.h"

char *boot_evidence_path(const BootRequest *r, unsigned number)
{
	return g_strdup_printf("%s/%06u", r->evidence, number);
}

char *boot_evidence_begin(const BootRequest *r, unsigned number, GError **error)
{
	g_autofree char *dir = g_strdup_printf("%s/.%06u.part", r->evidence, number);
	/* what a killed job left of the same boot */
	return kx_remove_tree(dir, error) && kx_mkdir(dir, error) ? g_steal_pointer(&dir) : NULL;
}

static bool sync_folder(const char *path, GError **error)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (!ok)
		kx_set_errno(error, errno, "cannot flush %s to disk", path);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool write_in(const char *dir, const char *name, const char *text, GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	return kx_write_file(path, text, -1, error);
}

static bool save_in(const char *dir, const char *name, const json_t *value, GError **error)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	return kx_json_save(path, value, error);
}

static char *fault_lines(const OracleResult *judged)
{
	GString *s = g_string_new(NULL);
	for (guint i = 0; i < judged->faults->len; i++) {
		g_autoptr(json_t) fault =
			oracle_fault_to_json(g_ptr_array_index(judged->faults, i));
		char *line = json_dumps(fault, JSON_COMPACT);
		g_string_append_printf(s, "%s\n", line ? line : "{}");
		free(line);
	}
	return g_string_free(s, FALSE);
}

/* The command as a person can paste it. */
static char *repeat_command(const char *dir)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *request = g_build_filename(dir, "request.json", NULL);
	g_autofree char *program = g_shell_quote(self ? self : "kexsect");
	g_autofree char *file = g_shell_quote(request);
	return g_strdup_printf("%s job boot %s\n", program, file);
}

static bool move_aside(const char *path, GError **error)
{
	for (unsigned i = 1; i < 10000; i++) {
		g_autofree char *aside = g_strdup_printf("%s.%u", path, i);
		if (g_file_test(aside, G_FILE_TEST_EXISTS))
			continue;
		if (rename(path, aside) == 0 || errno == ENOENT)
			return true;
		break;
	}
	kx_set_errno(error, errno, "cannot move the older evidence %s aside", path);
	return false;
}

bool boot_evidence_finish(const BootRequest *r, const BootMoment *when, const char *dir,
			  const OracleResult *judged, const json_t *line, GError **error)
{
	g_autofree char *path = boot_evidence_path(r, when->number);
	g_autofree char *faults = fault_lines(judged);
	g_autofree char *repeat = repeat_command(path);
	g_autoptr(json_t) request = boot_request_repeat(r, when);
	if (!write_in(dir, "faults.jsonl", faults, error) ||
	    !write_in(dir, "repeat", repeat, error) ||
	    !save_in(dir, "request.json", request, error) ||
	    !save_in(dir, "outcome.json", line, error) || !sync_folder(dir, error))
		return false;
	if (g_file_test(path, G_FILE_TEST_EXISTS) && !move_aside(path, error))
		return false;
	if (rename(dir, path) != 0) {
		kx_set_errno(error, errno, "cannot put the evidence at %s", path);
		return false;
	}
	return sync_folder(r->evidence, error);
}
