/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http/token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "http/http.h"

#define PREFIX "kexsect_"
#define BITS 256
#define MAX_FILE (1 << 20)

typedef struct {
	guint32 id;
	HttpRole role;
	char digest[65]; /* hex */
	char name[33];
} Entry;

struct HttpTokens {
	char *path;
	struct stat seen;
	GArray *entries;
};

static const char *const roles[] = {
	[HTTP_READ] = "read", [HTTP_OPERATE] = "operate", [HTTP_ADMIN] = "admin"};

static HttpRole role_of(const char *name)
{
	for (int i = HTTP_READ; i <= HTTP_ADMIN; i++)
		if (g_strcmp0(name, roles[i]) == 0)
			return (HttpRole)i;
	return HTTP_NOBODY;
}

static char *path_of(const char *state)
{
	return g_build_filename(state, "tokens", NULL);
}

static bool is_name(const char *name)
{
	size_t len = strlen(name);
	return len > 0 && len <= 32 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}

static bool parse_line(const char *line, Entry *e)
{
	char role[16], rest[2];
	gint64 time;
	if (sscanf(line, "%u %15s %64s %" G_GINT64_FORMAT " %32s%1s", &e->id, role, e->digest,
		   &time, e->name, rest) != 5)
		return false;
	e->role = role_of(role);
	return e->role && strlen(e->digest) == 64 && is_name(e->name);
}

HttpTokens *http_tokens_new(const char *state)
{
	HttpTokens *t = g_new0(HttpTokens, 1);
	t->path = path_of(state);
	t->entries = g_array_new(FALSE, TRUE, sizeof(Entry));
	return t;
}

void http_tokens_free(HttpTokens *t)
{
	g_free(t->path);
	g_array_unref(t->entries);
	g_free(t);
}

static void load(HttpTokens *t)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = kx_read_file(t->path, MAX_FILE, NULL, &error);
	if (!text) {
		g_warning("no token is known: %s", error->message);
		return;
	}
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		Entry e = {0};
		if (parse_line(lines[i], &e))
			g_array_append_val(t->entries, e);
		else if (*lines[i] && *lines[i] != '#')
			g_warning("%s:%u: this is no token", t->path, i + 1);
	}
}

static void refresh(HttpTokens *t)
{
	struct stat st = {0};
	if (stat(t->path, &st) != 0)
		st = (struct stat){0};
	if (st.st_ino == t->seen.st_ino && st.st_size == t->seen.st_size &&
	    st.st_mode == t->seen.st_mode && st.st_mtim.tv_sec == t->seen.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == t->seen.st_mtim.tv_nsec)
		return;
	t->seen = st;
	g_array_set_size(t->entries, 0);
	if (st.st_mode & 077)
		g_warning("no token is known: others may read or write %s (chmod 600 it)", t->path);
	else if (st.st_ino)
		load(t);
}

guint http_tokens_count(HttpTokens *t)
{
	refresh(t);
	return t->entries->len;
}

static unsigned differ(const char *a, const char *b)
{
	volatile unsigned sum = 0;
	for (unsigned i = 0; i < 64; i++)
		sum |= (unsigned char)a[i] ^ (unsigned char)b[i];
	return sum;
}

HttpRole http_tokens_find(HttpTokens *t, const char *token, DaemonPeer *ret)
{
	g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, token, -1);
	const Entry *found = NULL;
	refresh(t);
	for (guint i = 0; i < t->entries->len; i++) {
		const Entry *e = &g_array_index(t->entries, Entry, i);
		if (!differ(e->digest, digest))
			found = e;
	}
	if (!found)
		return HTTP_NOBODY;
	/* uid_t has 32 bits */
	ret->uid = found->role == HTTP_ADMIN ? geteuid() : ((guint64)1 << 32) + found->id;
	g_strlcpy(ret->name, found->name, sizeof(ret->name));
	return found->role;
}

static char *make_token(GError **error)
{
	unsigned char bytes[BITS / 8];
	GString *text = g_string_new(PREFIX);
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
		kx_set_errno(error, errno, "no random numbers");
		g_string_free(text, TRUE);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		g_string_append_printf(text, "%02x", bytes[i]);
	explicit_bzero(bytes, sizeof(bytes));
	return g_string_free(text, FALSE);
}

static bool append(const char *path, const char *line, GError **error)
{
	g_autofree char *before = NULL;
	if (g_file_test(path, G_FILE_TEST_EXISTS) &&
	    !(before = kx_read_file(path, MAX_FILE, NULL, error)))
		return false;
	g_autofree char *text = g_strconcat(before ? before : "", line, NULL);
	mode_t mask = umask(0077);
	bool ok = kx_write_file(path, text, -1, error);
	umask(mask);
	return ok;
}

char *http_new_token(const char *state, const char *role, const char *name, GError **error)
{
	if (!role_of(role) || !is_name(name)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "a token is for the role read, operate or admin, and for a name of at "
			    "most 32 letters, digits and ._-");
		return NULL;
	}
	g_autofree char *path = path_of(state), *lock = g_strconcat(path, ".lock", NULL);
	int fd = kx_mkdir(state, error) ? kx_lock_file(lock, true, error) : -1;
	if (fd < 0)
		return NULL;
	guint32 id;
	g_autofree char *token = make_token(error);
	bool ok = token && getrandom(&id, sizeof(id), 0) == (ssize_t)sizeof(id);
	if (ok) {
		g_autofree char *digest =
			g_compute_checksum_for_string(G_CHECKSUM_SHA256, token, -1);
		g_autofree char *line = g_strdup_printf("%u %s %s %" G_GINT64_FORMAT " %s\n", id,
							role, digest, g_get_real_time(), name);
		ok = append(path, line, error);
	}
	close(fd);
	return ok ? g_steal_pointer(&token) : NULL;
}
