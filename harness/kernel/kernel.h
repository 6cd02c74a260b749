/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a recipe and patches to a kernel: sources as local git repositories, variants' trees,
 * kconfig, the compiler in a sandbox, and the cache of all that. Functions that take long report
 * steps and end with KX_ERROR_CANCELLED when asked to (kx_catch_signals). */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "campaign/campaign.h"

/* step: fetch, import, apply, configure, compile, store, reorder. done and total: percent, files or
 * bytes; total 0: not known. */
typedef void (*KernelStepFunc)(const char *step, uint64_t done, uint64_t total, const char *detail,
			       gpointer user);

typedef enum { KERNEL_OK, KERNEL_UNBUILDABLE, KERNEL_INFRA } KernelStatus;
const char *kernel_status_name(KernelStatus s); /* ok, unbuildable, infra */

/* One variant and how to build it. Strings and lists belong to the caller. */
typedef struct {
	/* the caller sets */
	const char *cache; /* absolute path of the cache folder */
	const Recipe *recipe;
	const Series *series;	       /* NULL when both lists are empty */
	const char *const *fixtures;   /* names in the series; NULL: none */
	const char *const *candidates; /* applied after the fixtures, in the series' order */
	const char *commit;	       /* full hash: the tree of this commit of a history, with the
					  fixtures on top, in place of the base's; NULL: the base */
	const Series *history;	       /* the series that the commit was made of, to make it again
					  when the cache was emptied meanwhile; NULL: from git */
	const char *config_file;       /* a .config that is the starting point in place of the
					  recipe's defconfig and fragments; NULL: these */
	const char *const *fragments;  /* kconfig fragments added to the recipe's; NULL: none */
	const char *const *config;     /* settings after all fragments, "USB_PCI=n"; each must be
					  taken, else the variant is unbuildable; NULL: none */
	const char *const *initcalls;  /* moves of initcalls made in the built kernel, one after the
					  other (initcall/order.h); NULL: none */
	const char *order;	       /* file with the order of all of them, before these moves;
					  NULL: the kernel's own */
	bool clean;		       /* nothing from earlier builds: empty object folder */
	bool sandbox;		       /* false: the compiler runs with our rights */
	unsigned jobs;		       /* make -j; 0: number of processors */
	unsigned timeout_s;	       /* of the compilation; 0: two hours */
	uint64_t min_free;	       /* bytes of disk that must be free; 0: what a kernel takes */
	KernelStepFunc step;	       /* may be NULL */
	gpointer user;
} KernelRequest;

typedef struct {
	double fetch, import, apply, configure, compile, store, reorder;
} KernelSeconds;

typedef struct {
	KernelStatus status;
	char *reason;	   /* for people; empty when ok */
	int error_code;	   /* KxErrorCode of the reason when not ok */
	char *failed_step; /* apply, configure, compile, reorder; else NULL */
	char *log;	   /* build log of a failed build; else NULL */
	char *build;	   /* hash of all that goes in; NULL when it did not come so far */
	char *identity;	   /* kx + 12 digits of it */
	char *tree;	   /* git tree of the source */
	bool cached;
	char *artifacts; /* folder; NULL when not ok */
	char *vmlinux_sha256;
	char *incremental_sha256; /* clean: vmlinux of the ordinary build of the same hash, when
				     there is one */
	uint64_t files_compiled;
	KernelSeconds seconds;
} KernelBuild;

void kernel_build_clear(KernelBuild *b);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KernelBuild, kernel_build_clear)

/* Builds a variant, or finds it in the cache. Always fills *ret; the status says how it ended. */
void kernel_build(const KernelRequest *request, KernelBuild *ret);

/* Fetches and imports the source when it is not there yet; true when it is. */
bool kernel_prepare_source(const char *cache, const Recipe *recipe, KernelStepFunc step,
			   gpointer user, GError **error);

/* What a recipe's source turned out to be, and how it will be compiled. */
typedef struct {
	char *origin;		    /* path or URL, with the revision */
	char *digest;		    /* SHA-256 of an archive; else the commit or tree */
	char *tree;		    /* git's id of the source as it came */
	bool known;		    /* one of the recipe's `trees` */
	char *version;		    /* "3.6.0", from its Makefile; NULL: it does not say */
	const Toolchain *toolchain; /* the recipe's */
	char *why;		    /* why this one, for people */
	char *compiler;		    /* what it says it is */
	char **corrections;	    /* the toolchain's fixtures that the base has; NULL: none */
} KernelSourceInfo;
void kernel_source_info_clear(KernelSourceInfo *i);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KernelSourceInfo, kernel_source_info_clear)
/* "3.6.0, tree 0ae7…, from PATH"; "gcc-on-3.x (for Linux 3.0 …): gcc …, corrected by …". The caller
 * frees them. */
char *kernel_source_text(const KernelSourceInfo *i, const Recipe *r);
char *kernel_toolchain_text(const KernelSourceInfo *i);
/* Prepares the source, as kernel_prepare_source(), and looks at it. */
bool kernel_source_info(const char *cache, const Recipe *recipe, KernelStepFunc step, gpointer user,
			KernelSourceInfo *ret, GError **error);

/* Which candidates apply with which, on top of the fixtures and with what they depend on:
 * { "names": […], "alone": [{ "name", "result", "reason" }],
 *   "pairs": [{ "a", "b", "result", "reason" }] }
 * result: "ok", "conflict", "depends" (one needs the other; together they apply). Kept in the
 * cache by the contents of all patches. The source must be prepared. The caller frees it. */
json_t *kernel_apply_matrix(const char *cache, const Recipe *recipe, const Series *series,
			    const char *const *fixtures, const char *const *candidates,
			    GError **error);

/* ---- candidates that only the source can tell ---- */

#define KERNEL_MAX_COMMITS 16384

/* A commit of a history; number k is k - 1 in the array, 0 is the start of the range. */
typedef struct {
	char *id, *short_id; /* full hash, and its first 12 digits */
	char *subject;
	guint *parents; /* their numbers, each smaller than its own, ascending; what lies outside
			   is 0; at least one */
	guint parents_count;
	char **paths; /* that it touches; a merge: those that it changes beyond its parents, or with
			 first_parent all that it brings */
} KernelCommit;
typedef struct {
	char *start; /* full hash of number 0 */
	char *start_subject;
	GPtrArray *commits; /* KernelCommit, ancestors first; the last one is the range's end */
} KernelHistory;
void kernel_history_free(KernelHistory *h);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelHistory, kernel_history_free)
/* The commits of a campaign's history in the repository of the recipe's source; a history made of
 * a series is committed there first, the same hashes each time, a mail of a mailbox each; from and
 * to are then names of patches: the last one of the start, and of the range (NULL: all). Prepares
 * the source and fetches what is missing of the range. KX_ERROR_INPUT when the range makes no sense
 * (`from` is no ancestor, it is empty or too long, a patch does not apply), KX_ERROR_MISSING when
 * there is no such revision; both say what to do. */
KernelHistory *kernel_history(const char *cache, const Recipe *recipe,
			      const CampaignHistory *history, KernelStepFunc step, gpointer user,
			      GError **error);

#define KERNEL_MAX_OPTIONS 64

/* A difference of two configurations that can be made by itself or with what it depends on: one
 * symbol, several that can only change together, or where there would be too many a whole group. */
typedef struct {
	char *name;	/* "USB_PCI"; of a group "drivers/usb (7 options)"; no two the same */
	char *title;	/* its prompt, or the names of all; then options that it brings along */
	char *text;	/* the settings, a blank between two: "USB_PCI=n" */
	guint *depends; /* indices of the differences that it needs directly, all lower */
	guint depends_count;
	char **paths; /* Kconfig files that declare its symbols */
} KernelOption;
void kernel_option_free(KernelOption *o);
/* What turns the .config file `from` into `to` on this source (KernelOption; g_ptr_array_unref), at
 * most KERNEL_MAX_OPTIONS, closed under Kconfig's dependencies; symbols that Kconfig sets by itself
 * are left out. All of them together give `to`. The kernel's own kconfig is asked, some dozens of
 * times at a second each; the answer is kept in the cache by its inputs. Prepares the source.
 * KX_ERROR_INPUT when the two are the same. */
GPtrArray *kernel_config_options(const char *cache, const Recipe *recipe, const char *from,
				 const char *to, bool sandbox, KernelStepFunc step, gpointer user,
				 GError **error);

/* The paths that a patch touches (g_strfreev). */
char **kernel_touched_paths(const Patch *p, GError **error);

/* ---- what `kexsect check` asks ---- */

typedef struct {
	const char *name;    /* gcc, make, flex, libelf, … */
	const char *package; /* Debian package that has it */
	char *version;	     /* first line of what it says; NULL: missing */
	bool needed; /* false: builds work without it, more slowly or only with --no-sandbox */
} KernelTool;

/* The tools that building this recipe takes, as an array of KernelTool (g_ptr_array_unref). */
GPtrArray *kernel_check_tools(const Recipe *recipe);
/* Whether the compiler can be locked up; the error says why not. */
bool kernel_check_sandbox(GError **error);

/* ---- the cache ---- */

#define KERNEL_CACHE_LIMIT (UINT64_C(30) << 30)

typedef struct {
	char *kind; /* the folder of the cache: sources, work, builds, ccache, downloads, … */
	char *name;
	char *path;
	char *title;	  /* what it is, for people */
	uint64_t bytes;	  /* on disk */
	gint64 last_used; /* seconds since 1970 */
	bool in_use;	  /* a process holds its lock */
} KernelCacheEntry;

/* Everything in the cache, least recently used first (g_ptr_array_unref); empty when there is no
 * cache yet. */
GPtrArray *kernel_cache_list(const char *cache, GError **error);
/* Removes least recently used entries until all together are within `limit` bytes. Entries in use,
 * younger than `min_age_s` or named in `keep` (build hashes; may be NULL) stay. Returns the bytes
 * freed, -1 with *error set. */
gint64 kernel_cache_prune(const char *cache, uint64_t limit, unsigned min_age_s,
			  const char *const *keep, GError **error);
/* Removes "KIND/NAME" or a path below the cache; refused while it is in use. */
bool kernel_cache_remove(const char *cache, const char *what, GError **error);
