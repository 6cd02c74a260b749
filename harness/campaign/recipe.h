/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a kernel comes from and how it is compiled: kernels/NAME.yaml,
 * kernels/toolchains/NAME.yaml, and what a person gives in their place. kernels/README.md describes
 * every key. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Exactly one of debian, tarball, git and folder is set. */
typedef struct {
	char *debian;  /* Debian source package: /usr/src/<debian>.tar.xz */
	char *tarball; /* URL (https:, http:, file:) */
	char *sha256;  /* of the tarball or package; NULL: what the first import found counts */
	char *git;     /* URL or path of a repository, needs revision */
	char *revision;
	char **trees; /* git's ids of trees that are known to be this kernel's source */
	unsigned trees_count;
	/* not in the file */
	char *given;  /* the person's words, when they gave it in place of the recipe's */
	char *folder; /* given only: an unpacked source, absolute path */
} RecipeSource;

/* kernels/toolchains/NAME.yaml: how kernels of some age are compiled. */
typedef struct {
	char *from;   /* the first version that it is for, "3.0" */
	char *before; /* the first that it is not for; NULL: no end */
} ToolchainRange;

typedef struct {
	char *name, *title;
	ToolchainRange kernels; /* from NULL: used only where it is named */
	char *cc;		/* a command, or after loading an absolute path */
	char *cross; /* prefix of compiler and binutils, "aarch64-linux-gnu-"; NULL: none */
	char *root;  /* folder with a system of its own, in which all of the build runs; NULL: here
		      */
	char **cc_flags; /* part of the compiler's command, before all that kbuild adds */
	unsigned cc_flags_count;
	char **make_args; /* added to each make command line */
	unsigned make_args_count;
	char **env; /* NAME=value */
	unsigned env_count;
	char **fixtures; /* patches that every build of such a tree gets; after loading: absolute
			    paths */
	unsigned fixtures_count;
	/* not in the file */
	char *path;
} Toolchain;

Toolchain *toolchain_load(const char *path, GError **error);
void toolchain_free(Toolchain *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Toolchain, toolchain_free)

typedef struct {
	char *name, *title;
	RecipeSource source;
	char *arch;	  /* x86_64 */
	char *defconfig;  /* make target that the .config starts from, such as tinyconfig */
	char **fragments; /* after loading: absolute paths */
	unsigned fragments_count;
	char *toolchain_file; /* key `toolchain`; after loading: absolute path; NULL: the one for
				 the source's version */
	char *image;	      /* path of the bootable image in the build tree */
	unsigned steps; /* lines that a build from nothing prints: for the progress of the first
			   one; 0: not known */
	/* not in the file */
	char *path;	       /* absolute path of the recipe */
	Toolchain *toolchain;  /* NULL: the source's version decides, of these: */
	GPtrArray *toolchains; /* const Toolchain; NULL when one is named */
	bool toolchain_given;  /* the person named it */
	/* for people, once somebody has looked at the source: what it is; how it is compiled */
	char *source_is, *compiled_by;
} Recipe;

/* Loads and checks it, with what is given in place of its source and toolchain. */
Recipe *recipe_load(const char *path, GError **error);
void recipe_free(Recipe *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Recipe, recipe_free)

/* Whether the file alone says what is compiled and by what: a package, digest or revision, and a
 * named toolchain. */
bool recipe_is_fixed(const Recipe *r);
/* The profile for a source of this version ("3.6.0"; NULL: unknown): the one that is named, else
 * the one whose range holds it. KX_ERROR_MISSING when there is none, KX_ERROR_INPUT when several
 * do. */
const Toolchain *recipe_toolchain(const Recipe *r, const char *version, GError **error);

/* ---- what a person gives in place of a recipe's own ---- */

/* Lists "NAME=VALUE,…" in the environment, so that jobs have it too. NAME is a recipe's. */
#define RECIPE_SOURCES "KEXSECT_SOURCES"       /* VALUE: PATH or PATH@REVISION */
#define RECIPE_TOOLCHAINS "KEXSECT_TOOLCHAINS" /* VALUE: name or path; without NAME=: all */

/* A number in the environment: compilers at once of all builds in one cache; unset or 0: any. */
#define RECIPE_BUILDS "KEXSECT_BUILDS"

/* Adds one entry (option --source or --toolchain) in front of what `variable` holds; a path is made
 * absolute. False with KX_ERROR_INPUT when it makes no sense. */
bool recipe_give(const char *variable, const char *entry, GError **error);
/* The first entry given by recipe_give() of which no recipe that was loaded since has the name;
 * NULL: all were of use. The caller frees it. */
char *recipe_given_unused(void);
/* What the environment gives for this recipe; NULL: nothing. The caller frees it. */
char *recipe_given(const char *variable, const char *name);
/* All that it gives, with absolute paths, for another process; NULL: nothing. The caller frees it.
 */
char *recipe_given_all(const char *variable);
