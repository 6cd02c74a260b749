/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patches are strangers' files: what they name is checked before git sees them, and git checks once
 * more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

#define MAX_PATCH (4u << 20)

/* Called for each line outside of hunk bodies that names a path, and for each hunk. */
typedef struct {
	const Patch *patch;
	GPtrArray *paths; /* char *; NULL: not wanted */
	GError **error;
	/* where we are */
	char *target;
	unsigned hunk;
	/* what is looked for: the hunk of `find` whose old text starts at find_line */
	const char *find;
	unsigned find_line, found_hunk;
} Scan;

static bool refuse(const Scan *s, const char *why, const char *what)
{
	g_set_error(s->error, KX_ERROR, KX_ERROR_REFUSED, "%s: refused: %s '%s'", s->patch->file,
		    why, what);
	return false;
}

/* "a/drivers/x.c\t2020…" to "drivers/x.c"; with strip 0 as it stands. */
static bool take_path(Scan *s, const char *raw, int strip)
{
	g_autofree char *path = g_strndup(raw, strcspn(raw, "\t\r\n"));
	g_strchomp(path);
	if (g_str_equal(path, "/dev/null"))
		return true;
	if (path[0] == '/')
		return refuse(s, "an absolute path", path);
	if (path[0] == '"')
		return refuse(s, "an unusual file name", path);
	const char *inner = path;
	if (strip)
		inner = strchr(path, '/') ? strchr(path, '/') + 1 : path;
	g_auto(GStrv) parts = g_strsplit(inner, "/", -1);
	for (char **p = parts; *p; p++)
		if (g_str_equal(*p, "..") || g_str_equal(*p, ".") || !**p ||
		    g_ascii_strcasecmp(*p, ".git") == 0)
			return refuse(s, "a path outside of the source tree:", path);
	if (!g_strcmp0(s->target, inner))
		return true;
	g_free(s->target);
	s->target = g_strdup(inner);
	s->hunk = 0;
	if (s->paths)
		g_ptr_array_add(s->paths, g_strdup(inner));
	return true;
}

/* Lines of a hunk's body that "@@ -l,n +l,m @@" announces. */
static bool parse_hunk(const char *line, unsigned *old_line, unsigned *old_n, unsigned *new_n)
{
	unsigned new_line;
	*old_n = *new_n = 1;
	int end = 0;
	if (sscanf(line, "@@ -%u%n", old_line, &end) != 1 || !end)
		return false;
	line += end;
	if (*line == ',')
		*old_n = (unsigned)strtoul(line + 1, (char **)&line, 10);
	if (sscanf(line, " +%u%n", &new_line, &end) != 1)
		return false;
	line += end;
	if (*line == ',')
		*new_n = (unsigned)strtoul(line + 1, (char **)&line, 10);
	return true;
}

static bool scan_header(Scan *s, const char *line)
{
	static const struct {
		const char *prefix;
		int strip;
	} names[] = {{"--- ", 1},	{"+++ ", 1},	   {"rename from ", 0},
		     {"rename to ", 0}, {"copy from ", 0}, {"copy to ", 0}};
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_has_prefix(line, names[i].prefix)) {
			const char *path = line + strlen(names[i].prefix);
			/* "--- " also starts a mail's own text; a path has no blank before a tab */
			if (names[i].strip && !strchr(path, '/'))
				return true;
			return take_path(s, path, names[i].strip);
		}
	if (g_str_has_prefix(line, "diff --git ")) {
		/* mode changes and empty files have no --- line */
		const char *b = strstr(line, " b/");
		return !b || take_path(s, b + 1, 1);
	}
	bool mode = g_str_has_prefix(line, "new file mode ") ||
		    g_str_has_prefix(line, "new mode ") || g_str_has_prefix(line, "old mode ") ||
		    g_str_has_prefix(line, "deleted file mode ") ||
		    g_str_has_prefix(line, "index ");
	if (mode && g_str_has_suffix(line, " 120000"))
		return refuse(s, "a symbolic link:", s->target ? s->target : "");
	if (mode && g_str_has_suffix(line, " 160000"))
		return refuse(s, "a git submodule:", s->target ? s->target : "");
	return true;
}

static bool scan(Scan *s, const char *text)
{
	unsigned old_left = 0, new_left = 0;
	bool ok = true;
	for (const char *at = text; ok && *at;) {
		size_t len = strcspn(at, "\n");
		g_autofree char *line = g_strndup(at, len);
		at += len + (at[len] == '\n');
		unsigned start;
		if (old_left || new_left) {
			if (*line == '-' && old_left)
				old_left--;
			else if (*line == '+' && new_left)
				new_left--;
			else if (*line != '\\') {
				old_left -= old_left > 0;
				new_left -= new_left > 0;
			}
		} else if (g_str_has_prefix(line, "@@ ") &&
			   parse_hunk(line, &start, &old_left, &new_left)) {
			s->hunk++;
			if (s->find && start == s->find_line && g_strcmp0(s->find, s->target) == 0)
				s->found_hunk = s->hunk;
		} else {
			ok = scan_header(s, line);
		}
	}
	g_clear_pointer(&s->target, g_free);
	return ok;
}

/* The diffs of all messages of a mailbox, decoded. */
static char *decode_mailbox(const char *text, GError **error)
{
	g_autoptr(GPtrArray) mails = kernel_mail_split(text, error);
	if (!mails)
		return NULL;
	g_autoptr(GString) all = g_string_new(NULL);
	for (guint i = 0; i < mails->len; i++)
		g_string_append(all, ((KernelMail *)mails->pdata[i])->diff);
	return g_string_free(g_steal_pointer(&all), FALSE);
}

static bool is_encoded(const char *text)
{
	g_autofree char *lower = g_ascii_strdown(text, MIN((gssize)strlen(text), 1 << 16));
	return g_str_has_prefix(lower, "from ") &&
	       (strstr(lower, "\ncontent-transfer-encoding: quoted-printable") ||
		strstr(lower, "\ncontent-transfer-encoding: base64"));
}

char *kernel_patch_read(const Patch *p, GError **error)
{
	size_t len;
	GError *e = NULL;
	g_autofree char *text = kx_read_file(p->file, MAX_PATCH, &len, &e);
	if (!text) {
		if (g_error_matches(e, KX_ERROR, KX_ERROR_INPUT))
			e->code = KX_ERROR_REFUSED;
		g_propagate_error(error, e);
		return NULL;
	}
	if (memchr(text, '\0', len)) {
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED, "%s: refused: it has NUL bytes",
			    p->file);
		return NULL;
	}
	if (is_encoded(text)) {
		char *plain = decode_mailbox(text, error);
		if (!plain)
			return NULL;
		g_free(text);
		text = plain;
	}
	Scan s = {.patch = p, .error = error};
	return scan(&s, text) ? g_steal_pointer(&text) : NULL;
}

char **kernel_patch_paths(const Patch *p, const char *text, GError **error)
{
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
	Scan s = {.patch = p, .error = error, .paths = paths};
	if (!scan(&s, text))
		return NULL;
	if (!paths->len) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: there is no patch in it",
			    p->file);
		return NULL;
	}
	g_ptr_array_add(paths, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&paths), FALSE);
}

char **kernel_touched_paths(const Patch *p, GError **error)
{
	g_autofree char *text = kernel_patch_read(p, error);
	return text ? kernel_patch_paths(p, text, error) : NULL;
}

void kernel_patch_explain(const Patch *p, const char *text, const char *said, GError **error)
{
	/* "error: patch failed: drivers/iommu/intel/iommu.c:3132" */
	static const char failed[] = "error: patch failed: ";
	const char *at = strstr(said, failed);
	g_autofree char *where =
		at ? g_strndup(at + strlen(failed), strcspn(at + strlen(failed), "\n")) : NULL;
	char *colon = where ? strrchr(where, ':') : NULL;
	if (colon) {
		*colon = '\0';
		Scan s = {.patch = p, .find = where, .find_line = (unsigned)atoi(colon + 1)};
		scan(&s, text);
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: hunk %u does not apply to %s:%u",
			    p->file, s.found_hunk, where, s.find_line);
		return;
	}
	at = strstr(said, "error: ");
	g_autofree char *first = at ? g_strndup(at + 7, strcspn(at + 7, "\n")) : g_strdup(said);
	char *index = strstr(first, "index");
	if (index && g_str_has_suffix(first, "in index")) /* not the reader's word */
		memcpy(index, "tree\0", 5);
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s does not apply: %s", p->file,
		    g_strstrip(first));
}
