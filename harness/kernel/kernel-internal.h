/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of kernel/ share. Layout of the cache:
 *   sources/NAME.git, sources/NAME.lock     a source; kexsect.json in it says what it was made from
 *   downloads/SHA256, downloads/SHA256.part tarballs
 *   work/KEY/{src,obj,kconf,index,lock}     the worktree of a base and what was built in it
 *   builds/HASH/, builds/HASH-clean/        artifacts, build.json written last
 *   logs/HASH.log                           logs of builds that failed
 *   ccache/, matrix/                        compiler cache, apply matrices */
#pragma once

#include "base/proc.h"
#include "kernel/kernel.h"

/* ---- reorder.c ---- */

/* Whether the initcalls of the variant run in another order than its compiled kernel has. */
bool kernel_reorders(const KernelRequest *q);
/* `b` is what was built in the kernel's own order, and becomes the variant in the order asked for:
 * from the cache, or rewritten. An order that it cannot have makes it unbuildable. */
void kernel_reorder(const KernelRequest *q, KernelBuild *b);

/* ---- steps ---- */

typedef struct {
	KernelStepFunc func;
	gpointer user;
	const char *step; /* the last one reported; static storage */
	gint64 last;	  /* monotonic time of the last report: at most five a second */
} KernelProgress;
void kernel_step(KernelProgress *p, const char *step, uint64_t done, uint64_t total,
		 const char *detail);

/* kx_lock_file that waits for the other holder and can be cancelled. The descriptor, or -1. */
int kernel_lock(const char *path, KernelProgress *p, const char *step, GError **error);
/* A place among $KEXSECT_BUILDS compilers of this cache, until *ret_fd is closed; -1: no limit.
 * False with *error: stopped while all were taken. */
bool kernel_compile_place(const char *cache, KernelProgress *p, int *ret_fd, GError **error);
/* Marks a cache entry as used now. */
void kernel_touch(const char *path);
/* KX_ERROR_NO_SPACE when less than `need` bytes are free at `path`. */
bool kernel_check_space(const char *path, uint64_t need, const char *for_what, GError **error);

/* ---- git.c ---- */

typedef struct {
	const char *dir;   /* GIT_DIR */
	const char *tree;  /* GIT_WORK_TREE; NULL: none */
	const char *index; /* GIT_INDEX_FILE; NULL: none */
} KernelGit;

/* Runs git; its standard output (caller frees) or NULL with what it said. The arguments end with
 * NULL. input may be NULL. */
char *kernel_git(const KernelGit *g, const char *input, GError **error, ...) G_GNUC_NULL_TERMINATED;
/* The same for output and input with NUL bytes: ret_len is the length of the output. */
bool kernel_git_run(const KernelGit *g, const char *const *argv, const char *input,
		    KxProcResult *ret, GError **error);
/* A new commit refs/heads/base of the bare repository `git`, without parents, with a tree that is
 * in it. */
bool kernel_git_commit_base(const char *git, const char *tree, GError **error);

/* ---- source.c ---- */

/* Imports a folder as a repository named by its tree, which is returned. */
char *kernel_import_new_folder(const char *cache, const char *folder, KernelProgress *p,
			       GError **error);

typedef struct {
	char *name;		    /* folder in sources/, without .git */
	char *git;		    /* absolute path of the bare repository */
	char *origin;		    /* where it is from, for people */
	char *imported;		    /* the tree as it came */
	char *tree;		    /* the base: that with the toolchain's fixtures */
	char *index;		    /* a ready index of it, in the repository */
	char *digest;		    /* SHA-256 of the archive, or the commit */
	char *version;		    /* "3.6.0", from its Makefile; NULL: it does not say */
	const Toolchain *toolchain; /* the recipe's */
	GArray *fixtures;	    /* Patch: the toolchain's */
	char **corrected;	    /* names of those that the base has */
	int lock;		    /* shared: while somebody has it, nobody removes it */
} KernelSource;
void kernel_source_free(KernelSource *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelSource, kernel_source_free)

/* ---- source_locate.c ---- */

/* Which source a recipe means here. */
typedef struct {
	char *name;	    /* of its repository */
	char *archive;	    /* a file on this machine; NULL: none, or not fetched yet */
	char *url;	    /* of a tarball or repository */
	char *revision;	    /* of a repository; what is given: a full id */
	char *inner;	    /* the source's folder in there; NULL: the top */
	const char *folder; /* unpacked */
	char *digest;	    /* NULL: the import will tell */
	char *origin;	    /* where it is, as one text */
	bool trusted_first; /* nobody fixed it: what the first import finds counts */
} KernelLocated;
void kernel_located_clear(KernelLocated *l);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KernelLocated, kernel_located_clear)
bool kernel_locate(const char *cache, const Recipe *r, KernelProgress *p, KernelLocated *ret,
		   GError **error);
/* The name of the repository of what comes from `what` (a path or URL) and has this digest. */
char *kernel_repository_name(const char *what, const char *digest);
/* Records the digest of what was not fixed beforehand; KX_ERROR_DIGEST when another one is
 * recorded.
 */
bool kernel_trust(const char *cache, const Recipe *r, const KernelLocated *l, const char *digest,
		  GError **error);
/* source_folder.c: the tree that git makes of a folder, remembered by its files' sizes and times; a
 * new commit refs/heads/base with it. */
char *kernel_folder_tree(const char *cache, const char *folder, KernelProgress *p, GError **error);
bool kernel_import_folder(const char *git, const char *folder, KernelProgress *p, GError **error);

/* ---- source.c ---- */

/* The source of a recipe, imported when it is not there. seconds may be NULL. The recipe must
 * outlive it. */
KernelSource *kernel_source_get(const char *cache, const Recipe *r, KernelProgress *p,
				KernelSeconds *seconds, GError **error);
/* fixtures.c: reads version and toolchain, and makes the base of what was imported. */
bool kernel_source_correct(KernelSource *s, const Recipe *r, GError **error);
/* The toolchain's fixtures that another tree of this source takes (const Patch *, borrowed). One
 * that does not apply is of no concern to it. */
GPtrArray *kernel_corrections(const KernelSource *s, const char *tree, GError **error);
/* source_git.c: fetches refspecs with the person's own git settings; depth 0: all of the history.
 */
bool kernel_git_fetch(const char *git, const char *url, unsigned depth, const char *const *refspecs,
		      GError **error);
/* The full id of a revision: of a repository on this machine whatever git understands there, of
 * another one a full id, tag or branch. KX_ERROR_MISSING. */
char *kernel_git_resolve(const char *url, const char *revision, GError **error);
/* source_archive.c: a new commit refs/heads/base in bare repository `git` with the content of an
 * archive without its top folder. */
bool kernel_import_archive(const char *git, const char *archive, KernelProgress *p, GError **error);
/* fetch.c: downloads/SHA256 with the content of `url`, verified; the caller frees the path. sha256
 * NULL: nothing to verify it by; *ret_sha256 is what it has then. */
char *kernel_fetch(const char *cache, const char *url, const char *sha256, KernelProgress *p,
		   char **ret_sha256, GError **error);

/* ---- mail.c ---- */

typedef struct {
	char *author; /* "NAME <ADDRESS>" */
	gint64 date;  /* seconds since 1970; 0: not known */
	char *subject, *body;
	char *diff;
	unsigned number; /* n of [PATCH n/m]; 0: none */
} KernelMail;
void kernel_mail_free(gpointer data);
/* The mails of a mailbox in its order, decoded, also those without a patch. */
GPtrArray *kernel_mail_split(const char *text, GError **error);
/* A patch file as what was posted: the mails with a patch in the order of their numbers; a plain
 * diff is one without author and date, and its subject is the patch's title or name. */
GPtrArray *kernel_mail_read(const Patch *p, GError **error);

/* ---- patch.c ---- */

/* The file as `git apply` takes it: a mailbox is decoded; checked for size, hostile paths and for
 * being a patch at all. */
char *kernel_patch_read(const Patch *p, GError **error);
/* Paths that it touches, both sides of renames. */
char **kernel_patch_paths(const Patch *p, const char *text, GError **error);
/* Turns what git apply said into "FILE: hunk N does not apply to TARGET:LINE". */
void kernel_patch_explain(const Patch *p, const char *text, const char *said, GError **error);

/* ---- tree.c ---- */

/* Applies patches to a small index that holds only the paths that they touch. */
typedef struct KernelStage KernelStage;
/* On top of `tree`. All of `patches` (const Patch *) may be applied later. */
KernelStage *kernel_stage_new(const KernelSource *s, const char *tree, GPtrArray *patches,
			      GError **error);
/* The same with texts that are not the patches' files: const Patch * to char * (taken over). */
KernelStage *kernel_stage_new_texts(const KernelSource *s, const char *tree, GHashTable *texts,
				    GError **error);
void kernel_stage_free(KernelStage *st);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelStage, kernel_stage_free)
/* Whether its change is in there already. */
bool kernel_stage_has(KernelStage *st, const Patch *p, bool *ret_has, GError **error);
/* Writes the tree with these lines of kernel_stage_changes() on top of the index `base`; the new
 * index becomes ret_index when that is not NULL. */
char *kernel_stage_write(KernelStage *st, const char *base, const char *lines,
			 const char *ret_index, GError **error);
/* Applies one more; after an error only kernel_stage_reset() is allowed. */
bool kernel_stage_apply(KernelStage *st, const Patch *p, GError **error);
/* The present state becomes what kernel_stage_reset() goes back to. */
bool kernel_stage_mark(KernelStage *st, GError **error);
bool kernel_stage_reset(KernelStage *st, GError **error);
/* What changed since the last call (at first: since the tree), as sorted lines for update-index:
 * "MODE ID\tPATH", "0 000…\tPATH" for what is gone. */
GPtrArray *kernel_stage_changes(KernelStage *st, GError **error);

typedef struct {
	char *tree;
	char **changed; /* paths that differ from the base */
	char *blobs;	/* "path blob" lines of these */
} KernelTree;
void kernel_tree_free(KernelTree *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelTree, kernel_tree_free)

/* Fixtures, then candidates, in the order of the series, on top of the base; or of a commit that is
 * in the repository (NULL: the base). */
KernelTree *kernel_compose(const KernelSource *s, const char *commit, const Series *series,
			   const char *const *fixtures, const char *const *candidates,
			   GError **error);
/* The named patches in the series' order; an unknown name is an error. (const Patch *, borrowed) */
GPtrArray *kernel_pick(const Series *series, const char *const *names, GError **error);

/* ---- history.c, history_range.c, history_series.c ---- */

/* Makes sure that the commit of a request is in the repository. */
bool kernel_history_need(const KernelSource *s, const KernelRequest *q, KernelProgress *p,
			 GError **error);
/* The commits from..to are in the repository with all that lies between. Ids; the caller frees
 * them. */
bool kernel_range_fetch(const KernelSource *s, const Recipe *recipe, const CampaignHistory *h,
			KernelProgress *p, char **ret_from, char **ret_to, GError **error);
/* Commits the patches of a series one after the other on the base, up to the one named `last`
 * (NULL: all); the last commit's id. */
char *kernel_series_commit(const KernelSource *s, const Series *series, const char *last,
			   GError **error);

/* ---- sandbox.c ---- */

typedef struct {
	const char *src;	    /* read-only in the sandbox */
	const char *obj;	    /* writable */
	const char *ccache;	    /* writable; NULL: no compiler cache */
	const Toolchain *toolchain; /* a compiler's folder stays visible; a root is the system */
	bool enabled;
} KernelSandbox;
/* Paths as the compiler sees them: the same for every worktree when the sandbox is on. */
const char *kernel_sandbox_src(const KernelSandbox *s);
const char *kernel_sandbox_obj(const KernelSandbox *s);
const char *kernel_sandbox_ccache(const KernelSandbox *s);
/* The command line that runs `argv` inside, its standard error going to its standard output. */
GPtrArray *kernel_sandbox_wrap(const KernelSandbox *s, const char *const *argv);

/* ---- make.c ---- */

typedef struct {
	const Recipe *recipe;
	KernelSandbox box;    /* with the toolchain */
	const char *identity; /* NULL while configuring */
	unsigned jobs;
} KernelMake;
/* Command line and environment of `make TARGET…`. */
GPtrArray *kernel_make_argv(const KernelMake *m, const char *const *targets);
GPtrArray *kernel_make_env(const KernelMake *m);
/* Runs it to its end; KX_ERROR_INPUT when make itself gave up. */
bool kernel_make_run(const KernelMake *m, const char *const *targets, GError **error);
/* Runs it with progress and a log file (bounded); *ret_files: how many steps it printed. */
bool kernel_make_logged(const KernelMake *m, const char *const *targets, const char *log,
			unsigned timeout_s, uint64_t expected, KernelProgress *p,
			uint64_t *ret_files, GError **error);

/* The line of `text` around `at`; the caller frees it. */
char *kernel_line_at(const char *text, const char *at);
/* The line of make's output that says that the machine, not the code, is at fault; else NULL. */
char *kernel_machines_fault(const char *log);

/* ---- worktree.c ---- */

typedef struct {
	char *dir, *src, *obj, *kconf, *index;
	const Toolchain *toolchain;
	int lock;
} KernelWork;
void kernel_work_free(KernelWork *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelWork, kernel_work_free)
/* Locks the worktree of this base (waits for another build). */
KernelWork *kernel_work_open(const char *cache, const Recipe *r, const KernelSource *s,
			     KernelProgress *p, GError **error);
/* Puts `tree` into src; only files that differ are written. */
bool kernel_work_switch(KernelWork *w, const KernelSource *s, const char *tree, GError **error);
/* Around a compilation in obj: one that does not come to its end (killed, power lost) leaves the
 * mark, and the next open() empties obj, because half an object can look complete. */
bool kernel_work_begin(KernelWork *w, GError **error);
bool kernel_work_end(KernelWork *w, GError **error);
/* Steps that a compilation from nothing printed; 0: not known. */
uint64_t kernel_work_total(const KernelWork *w);
void kernel_work_set_total(const KernelWork *w, uint64_t files);

/* ---- kconfig.c ---- */

/* Writes .config into `obj` unless it is there with the same content. For a clean build it is made
 * anew, not taken from an earlier one. ccache may be NULL. */
bool kernel_configure(const KernelRequest *q, const KernelWork *w, const KernelTree *t,
		      const char *obj, const char *ccache, GError **error);

/* A symbol's line of a .config: the name with CONFIG_ (NULL for other lines) and the value ("n" for
 * "is not set"); the caller frees both. */
char *kernel_config_line(const char *line, char **ret_value);
/* The target of make that settles a .config without asking. */
const char *kernel_settle_target(const KernelWork *w);
/* Adds what a .config is made of, beside the tree and the recipe's defconfig, to what is hashed. */
bool kernel_config_inputs(const KernelRequest *q, GString *what, GError **error);

/* ---- kconfig_probe.c ---- */

/* Asks the kernel's kconfig what becomes of a configuration. */
typedef struct KernelProbe KernelProbe;
/* Locks the worktree and switches it to the base. */
KernelProbe *kernel_probe_new(const char *cache, const Recipe *recipe, const KernelSource *s,
			      bool sandbox, KernelProgress *p, GError **error);
void kernel_probe_free(KernelProbe *pr);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelProbe, kernel_probe_free)
/* What a configuration becomes: name (without CONFIG_) to value. What is not there is "n". */
GHashTable *kernel_probe_settle(KernelProbe *pr, const char *text, GError **error);
/* The text of the last result. */
char *kernel_probe_text(const KernelProbe *pr, GError **error);
/* Names in the least configuration that gives the last result: what is not there follows. */
GHashTable *kernel_probe_least(KernelProbe *pr, GError **error);
/* `text` with other values: `names` of the table `values` (NULL ends them). */
char *kernel_config_with(const char *text, const char *const *names, GHashTable *values);
/* The value of a symbol in such a table. */
const char *kernel_value(GHashTable *values, const char *name);
/* How often kconfig was asked; about how often it will have been in the end (for progress). */
guint kernel_probe_runs(const KernelProbe *pr);
void kernel_probe_expect(KernelProbe *pr, guint runs);
const KernelWork *kernel_probe_work(const KernelProbe *pr);

/* ---- kconfig_scan.c ---- */

/* Where a symbol is declared. A first guess only: `if` and `depends on` of its file. */
typedef struct {
	char *path;	 /* the first declaration's file in the tree */
	char *prompt;	 /* NULL: none seen */
	char **mentions; /* names in its own declarations, then in conditions of these files */
} KernelSymbol;
/* By name, of those in `names`; `arch` is make's ARCH. */
GHashTable *kernel_scan_symbols(const KernelSource *s, const char *src, const char *arch,
				GHashTable *names, GError **error);

/* ---- config_units.c ---- */

/* What is set together. */
typedef struct {
	GPtrArray *names;  /* sorted; owned */
	char *dir;	   /* the folder of its declarations, as far as they have it in common */
	GHashTable *needs; /* KernelUnit that must be set too; not itself */
	GPtrArray *brings; /* names of options that follow from it and are in no unit; owned */
	bool grouped;	   /* merged only because there would be too many */
} KernelUnit;
void kernel_unit_free(gpointer unit);
/* One unit per name; when that is more than `max`, merged by folder until it is not. */
GPtrArray *kernel_units(GPtrArray *names, GHashTable *symbols, guint max);
/* Merges those that need each other; what is needed comes first; `needs` keeps the direct ones. */
void kernel_units_order(GPtrArray *units);

/* ---- toolchain.c ---- */

/* What tells this toolchain from others: first line of `CC --version`, the linker's, and the
 * command or a wrapper's content; then flags, prefix, and what else a root has. */
char *kernel_compiler_version(const Toolchain *t, GError **error);
/* The compiler as it stands in make's CC: several words. The caller frees it. */
char *kernel_compiler_command(const Toolchain *t);

/* ---- artifacts.c ---- */

/* build.json of a complete and undamaged build; NULL when there is none (or it was damaged: that
 * is said, and it is removed). */
json_t *kernel_artifacts_open(const char *dir);
/* Copies from the object folder, then publishes the folder by a rename. `meta` is the build.json;
 * "files" and "vmlinux_sha256" are added to it. */
bool kernel_artifacts_store(const char *dir, const char *obj, const char *image, const char *log,
			    json_t *meta, GError **error);
/* The same for the n files `names` that are in folder `tmp`, which becomes `dir`. */
bool kernel_artifacts_publish(const char *dir, const char *tmp, const char *const *names, guint n,
			      json_t *meta, GError **error);
