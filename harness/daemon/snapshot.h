/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A campaign and all files that it names, as they were when it was submitted: later edits do not
 * change what is queued.
 *
 * Packed (by whoever submits, with that person's rights) it is
 *   {"campaign": "/path/x.yaml", "digest": "…", "data": "/usr/share/kexsect" (kx_data_dir()),
 *    "sources": "linux-3.6=/srv/linux@v3.6", "toolchains": "linux-3.6=gcc-9" ($KEXSECT_SOURCES
 *    and $KEXSECT_TOOLCHAINS, with absolute paths; only when they are set),
 *    "files": [{"path": "/path/x.yaml", "text": "…"}, {"path", "base64", "exec": true}]}
 * Unpacked (by a process of its own: it is a stranger's input) it is a folder with files/, where
 * each file is below its own absolute path, and $KEXSECT_SNAPSHOT = that files/ loads it
 * (base/fs.h), with
 * $KEXSECT_DATA = data for the names that are looked up there.
 */
#pragma once

#include "base/json.h"
#include "campaign/campaign.h"

#define SNAPSHOT_MAX_FILES 4096
#define SNAPSHOT_MAX_BYTES (24u << 20)

/* Loads a campaign (as campaign_load does) and packs it. */
json_t *snapshot_pack(const char *name_or_path, GError **error);

/* Whether it is well-formed: plain absolute paths, no file twice, none inside of another, sizes
 * within the limits, the campaign among them. INPUT says what is wrong. Pure. */
bool snapshot_check(const json_t *packed, GError **error);

/* Writes the files below `folder`, on disk when it returns, loads the campaign from there, and
 * tells what the queue must know:
 *   {"name", "title", "question", "file": path of the copy, "digest", "targets": [names], "also":
 *    [names of those that are needed besides, by versions]} */
json_t *snapshot_unpack(const json_t *packed, const char *folder, GError **error);

/* The folder with the copies. */
char *snapshot_files(const char *folder);
