/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

/* ---- pack ---- */

static json_t *pack_file(const char *path, GError **error)
{
	size_t len;
	g_autofree char *data = kx_read_file(path, SNAPSHOT_MAX_BYTES, &len, error);
	if (!data)
		return NULL;
	json_t *file = json_pack("{s:s}", "path", path);
	if (!file) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: the file's name is no UTF-8",
			    path);
		return NULL;
	}
	if (strlen(data) == len && g_utf8_validate(data, (gssize)len, NULL)) {
		json_object_set_new(file, "text", json_stringn(data, len));
	} else {
		g_autofree char *coded = g_base64_encode((const guchar *)data, len);
		json_object_set_new(file, "base64", json_string(coded));
	}
	if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
		json_object_set_new(file, "exec", json_true());
	return file;
}

/* What a person gave in place of what recipes say (campaign/recipe.h), and the snapshot's key. */
static const struct {
	const char *variable, *key, *expected;
	bool source;
} given[] = {
	{RECIPE_SOURCES, "sources", "NAME=/PATH,… with plain absolute paths", true},
	{RECIPE_TOOLCHAINS, "toolchains", "[NAME=]PROFILE,…, a name or a plain absolute path",
	 false},
};

/* The value of "NAME=VALUE", or of "VALUE". */
static const char *value_of(const char *entry)
{
	const char *eq = strchr(entry, '=');
	return eq ? eq + 1 : entry;
}

json_t *snapshot_pack(const char *name_or_path, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	kx_note_files(seen);
	g_autoptr(Campaign) c = campaign_load(name_or_path, error);
	kx_note_files(NULL);
	if (!c)
		return NULL;
	g_autoptr(json_t) files = json_array();
	g_autoptr(GList) paths = g_list_sort(g_hash_table_get_keys(seen), (GCompareFunc)strcmp);
	for (const GList *p = paths; p; p = p->next) {
		json_t *file = pack_file(p->data, error);
		if (!file)
			return NULL;
		json_array_append_new(files, file);
	}
	g_autoptr(json_t) packed = json_pack("{s:s, s:s, s:s, s:O}", "campaign", c->path, "digest",
					     c->digest, "data", kx_data_dir(), "files", files);
	for (guint i = 0; packed && i < G_N_ELEMENTS(given); i++) {
		g_autofree char *all = recipe_given_all(given[i].variable);
		if (all)
			json_object_set_new(packed, given[i].key, kx_json_text(all));
	}
	return packed && snapshot_check(packed, error) ? g_steal_pointer(&packed) : NULL;
}

/* ---- check ---- */

static bool refuse(GError **error, const char *path, const char *what)
{
	g_autofree char *shown = g_strescape(path ? path : "", NULL);
	if (strlen(shown) > 200)
		strcpy(shown + 197, "...");
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "the snapshot's file '%s' %s", shown, what);
	return false;
}

static bool is_plain(const char *path)
{
	if (!path || !g_path_is_absolute(path) || !path[1] || path[1] == '/' || strlen(path) > 2048)
		return false;
	g_autofree char *canonical = g_canonicalize_filename(path, "/");
	return g_str_equal(canonical, path);
}

/* Bytes of the content, or -1 when it has none. */
static gssize content_size(const json_t *file)
{
	const json_t *text = json_object_get(file, "text");
	const json_t *coded = json_object_get(file, "base64");
	if (!text == !coded)
		return -1;
	return json_is_string(text)    ? (gssize)json_string_length(text)
	       : json_is_string(coded) ? (gssize)(json_string_length(coded) / 4 * 3)
				       : -1;
}

/* A file where another one needs a folder. */
static bool is_below_a_file(const char *path, GHashTable *paths)
{
	g_autofree char *at = g_path_get_dirname(path);
	while (at[1]) {
		if (g_hash_table_contains(paths, at))
			return true;
		char *up = g_path_get_dirname(at);
		g_free(at);
		at = up;
	}
	return false;
}

static bool is_given(const char *entry, bool source)
{
	const char *value = value_of(entry);
	if (value == entry + 1 || (source && value == entry))
		return false;
	return source || strchr(value, '/') ? is_plain(value) : *value != '\0';
}

static bool check_given(const json_t *packed, GError **error)
{
	for (guint i = 0; i < G_N_ELEMENTS(given); i++) {
		const json_t *all = json_object_get(packed, given[i].key);
		g_auto(GStrv) entries =
			g_strsplit(json_is_string(all) ? json_string_value(all) : "", ",", -1);
		bool good = !all || (json_is_string(all) && json_string_length(all) <= 8192);
		for (char **e = entries; good && *e; e++)
			good = is_given(*e, given[i].source);
		if (good)
			continue;
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "the snapshot's %s: expected %s",
			    given[i].key, given[i].expected);
		return false;
	}
	return true;
}

bool snapshot_check(const json_t *packed, GError **error)
{
	const json_t *files = json_object_get(packed, "files");
	const char *campaign = kx_json_str(packed, "campaign");
	size_t n = json_array_size(files), sum = 0;
	if (!check_given(packed, error))
		return false;
	if (!is_plain(kx_json_str(packed, "data")))
		return refuse(error, kx_json_str(packed, "data"),
			      "(data) is no plain absolute path");
	if (!campaign || !n || n > SNAPSHOT_MAX_FILES) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "a snapshot has the keys campaign and files, with 1 to %d files",
			    SNAPSHOT_MAX_FILES);
		return false;
	}
	g_autoptr(GHashTable) paths = g_hash_table_new(g_str_hash, g_str_equal);
	for (size_t i = 0; i < n; i++) {
		const json_t *file = json_array_get(files, i);
		const char *path = kx_json_str(file, "path");
		gssize size = content_size(file);
		if (!is_plain(path))
			return refuse(error, path, "is no plain absolute path");
		if (size < 0)
			return refuse(error, path, "needs either text or base64");
		sum += (size_t)size;
		if (sum > SNAPSHOT_MAX_BYTES)
			return refuse(error, path, "makes the snapshot too large (24 MiB)");
		if (!g_hash_table_add(paths, (gpointer)path))
			return refuse(error, path, "is there twice");
	}
	for (size_t i = 0; i < n; i++) {
		const char *path = kx_json_str(json_array_get(files, i), "path");
		if (is_below_a_file(path, paths))
			return refuse(error, path, "is inside of another file");
	}
	return g_hash_table_contains(paths, campaign) ||
	       refuse(error, campaign, "is the campaign, and not there");
}

/* ---- unpack ---- */

char *snapshot_files(const char *folder)
{
	return g_build_filename(folder, "files", NULL);
}

static bool write_file(const json_t *file, const char *root, GError **error)
{
	g_autofree char *path = g_build_filename(root, kx_json_str(file, "path"), NULL);
	g_autofree char *folder = g_path_get_dirname(path);
	const json_t *text = json_object_get(file, "text");
	g_autofree guchar *decoded = NULL;
	const char *data = text ? json_string_value(text) : NULL;
	gsize len = text ? json_string_length(text) : 0;
	if (!data) {
		decoded = g_base64_decode(kx_json_str(file, "base64"), &len);
		data = (const char *)decoded;
	}
	if (!kx_mkdir(folder, error) || !kx_write_file(path, data, (gssize)len, error))
		return false;
	if (kx_json_bool(file, "exec", false) && chmod(path, 0755) != 0) {
		kx_set_errno(error, errno, "cannot make %s executable", path);
		return false;
	}
	return true;
}

/* The folders' entries too are on disk: kx_write_file synced the files. Not syncfs(): that waits
 * for what anybody wrote anywhere, and the daemon's commits with it. */
static bool sync_folders(const char *folder, GError **error)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (!ok)
		kx_set_errno(error, errno, "cannot sync %s", folder);
	if (fd >= 0)
		close(fd);
	g_autoptr(GDir) dir = ok ? g_dir_open(folder, 0, NULL) : NULL;
	const char *name;
	while (ok && dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		ok = !g_file_test(path, G_FILE_TEST_IS_DIR) || sync_folders(path, error);
	}
	return ok;
}

static bool sync_all(const char *folder, GError **error)
{
	g_autofree char *above = g_path_get_dirname(folder);
	int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (!ok)
		kx_set_errno(error, errno, "cannot sync %s", above);
	if (fd >= 0)
		close(fd);
	return ok && sync_folders(folder, error);
}

static bool has(const json_t *list, const char *name)
{
	size_t i;
	json_t *entry;
	json_array_foreach (list, i, entry)
		if (g_strcmp0(json_string_value(entry), name) == 0)
			return true;
	return false;
}

static json_t *describe(const Campaign *c)
{
	json_t *targets = json_array(), *also = json_array();
	for (unsigned i = 0; i < c->target_names_count; i++)
		json_array_append_new(targets, json_string(c->targets[i]->name));
	for (unsigned i = 0; i < c->versions_count; i++) {
		const TargetConfig *own = c->versions[i].target;
		if (own && !has(targets, own->name) && !has(also, own->name))
			json_array_append_new(also, json_string(own->name));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "name", c->name, "title",
			 c->title ? c->title : "", "question", c->question ? c->question : "",
			 "file", c->path, "digest", c->digest, "targets", targets, "also", also);
}

json_t *snapshot_unpack(const json_t *packed, const char *folder, GError **error)
{
	if (!snapshot_check(packed, error))
		return NULL;
	g_autofree char *root = snapshot_files(folder);
	size_t i;
	json_t *file;
	json_array_foreach (json_object_get(packed, "files"), i, file)
		if (!write_file(file, root, error))
			return NULL;
	if (!sync_all(folder, error))
		return NULL;
	g_autofree char *path = g_build_filename(root, kx_json_str(packed, "campaign"), NULL);
	g_setenv("KEXSECT_DATA", kx_json_str(packed, "data"), TRUE);
	g_setenv("KEXSECT_SNAPSHOT", root, TRUE);
	for (i = 0; i < G_N_ELEMENTS(given); i++)
		if (json_object_get(packed, given[i].key))
			g_setenv(given[i].variable, kx_json_str(packed, given[i].key), TRUE);
	g_autoptr(Campaign) c = campaign_load(path, error);
	g_unsetenv("KEXSECT_SNAPSHOT");
	if (!c)
		return NULL;
	const char *digest = kx_json_str(packed, "digest");
	if (digest && !g_str_equal(digest, c->digest)) {
		g_set_error(error, KX_ERROR, KX_ERROR_DIGEST,
			    "%s: its files as received do not give the digest that was sent; "
			    "submit it again, with the kexsect of the same version as the daemon",
			    c->name);
		return NULL;
	}
	json_t *found = describe(c);
	json_object_set(found, "data", json_object_get(packed, "data"));
	for (i = 0; i < G_N_ELEMENTS(given); i++)
		json_object_set_new(found, given[i].key,
				    kx_json_text(kx_json_str(packed, given[i].key)));
	return found;
}
