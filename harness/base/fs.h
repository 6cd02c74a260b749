/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files: what GLib does not have. Paths are in the file system's encoding. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Creates `path` and its parents, mode 0777 less umask. True when it exists afterwards. */
bool kx_mkdir(const char *path, GError **error);

/* Writes `len` bytes (-1: a string) to `path` by a temporary file, fsync and rename, so that a
 * reader or a crash sees the old content or the new one, never a part. */
bool kx_write_file(const char *path, const char *data, gssize len, GError **error);

/* Writes `len` bytes (-1: a string) to `path` without fsync or rename, mode less umask: for what
 * may be lost with the machine. */
bool kx_write_scratch(const char *path, const char *data, gssize len, int mode, GError **error);

/* A new folder in the temporary folder, mode 0700, which the caller removes; what killed processes
 * left of theirs is removed first. `what`: lower-case letters, for its name. The caller frees the
 * path. */
char *kx_temp_dir(const char *what, GError **error);

/* The content of `path`, NUL-terminated; the caller frees it. More than `max` bytes is an error
 * (KX_ERROR_INPUT), so that a hostile file cannot fill the memory. ret_len may be NULL. */
char *kx_read_file(const char *path, size_t max, size_t *ret_len, GError **error);

/* Copies a file; the copy shares blocks with the original where the file system can. Sparse parts
 * are not kept. Atomic like kx_write_file. */
bool kx_copy_file(const char *from, const char *to, GError **error);

/* Removes `path` and everything below it, never following symbolic links. A missing path is fine.
 */
bool kx_remove_tree(const char *path, GError **error);

/* Bytes that are allocated on disk below `path` (0 when it is missing). */
uint64_t kx_tree_size(const char *path);

/* Bytes that an ordinary user may still write to the file system that holds `path` or the nearest
 * existing parent of it; UINT64_MAX when it cannot be told. */
uint64_t kx_free_space(const char *path);

/* A campaign that waits in a queue is a copy of all its files below one folder, each under its own
 * absolute path: $KEXSECT_SNAPSHOT is that folder for whoever loads the copy.
 *
 * The file that `value` means when it stands in a file of the folder `here`: absolute and without
 * dots, and below the snapshot when there is one. The caller frees it. */
char *kx_resolve(const char *value, const char *here);
/* The path that it was copied from; `path` itself when it is not in the snapshot. */
const char *kx_resolve_origin(const char *path);
/* From now on the paths of files that kx_read_file and kx_sha256_file read are added to the set
 * (new strings), or those that kx_note_file is told of; NULL ends it. */
void kx_note_files(GHashTable *set);
void kx_note_file(const char *path);

/* SHA-256 of a file's content in lower-case hex; the caller frees it. */
char *kx_sha256_file(const char *path, GError **error);

/* An exclusive advisory lock on a file, which is made when missing. The lock ends with the file
 * descriptor, so also with a killed process. Returns the descriptor (O_CLOEXEC), or -1 with
 * KX_ERROR_BUSY when another process holds it and `wait` is false; the error names its pid. */
int kx_lock_file(const char *path, bool wait, GError **error);

/* The folder where kexsect keeps fetched and built things: $KEXSECT_CACHE, else
 * $XDG_CACHE_HOME/kexsect, else ~/.cache/kexsect. The caller frees it. */
char *kx_default_cache_dir(void);

/* The program that is first in a test machine's initramfs: $KEXSECT_AGENT, else the one of the
 * build folder that this program runs from, else ../lib/kexsect/agent beside it. It need not exist.
 * The caller frees it. */
char *kx_agent_path(void);

/* The folder with the configs/, kernels/ and patches/ that came with this program: $KEXSECT_DATA,
 * else the source tree when it runs from its build folder, else ../share/kexsect beside it. Static
 * storage. */
const char *kx_data_dir(void);
