/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the loaders share: errors with positions, names to paths, checks of single values. */
#pragma once

#include "base/yaml.h"
#include "campaign/campaign.h"

/* KX_ERROR_INPUT "FILE:line:col: what", the position being that of `key` (kx_yaml_where). Returns
 * false, so that a check can return it. */
bool campaign_error(GError **error, const char *path, const char *key, const char *format, ...)
	G_GNUC_PRINTF(4, 5);

/* True when the file holds the key (dotted path). */
bool campaign_given(const char *path, const char *key);

/* The key of entry i of a list; the caller frees it. */
char *campaign_entry_key(const char *list, unsigned i);

/* A name is used in file names, identifiers and tables: letters, digits, . _ -, first a letter or
 * digit, at most 64. */
bool campaign_check_name(const char *path, const char *key, const char *name, GError **error);
/* A kernel command line: one line of printable text that leaves kexsect.* to us. NULL is fine. */
bool campaign_check_cmdline(const char *path, const char *key, const char *text, GError **error);
/* Entries of a "NAME=value" list. */
bool campaign_check_env(const char *path, const char *key, char **list, unsigned n, GError **error);
/* lo ≤ value ≤ hi when the file has the key. */
bool campaign_check_range(const char *path, const char *key, double value, double lo, double hi,
			  GError **error);
/* Entries are all different and none is empty. */
bool campaign_check_distinct(const char *path, const char *key, char **list, unsigned n,
			     GError **error);

/* " Did you mean 'x'? Known: a, b." for messages about an unknown name; the caller frees it. */
char *campaign_suggest(const char *name, const char *const *known);

/* The names of the files NAME+`suffix` in ROOT/FOLDER, sorted; the caller frees them. */
char **campaign_known_names(const char *root, const char *folder, const char *suffix);

/* The absolute path of what `*value` (the value of `key` in file `path`) names. With a '/' or
 * ending in `suffix` it is a path relative to the file; a bare name is FOLDER/NAME+`suffix` in the
 * tree that holds the file (the parent of its configs/, kernels/ or patches/), then in
 * kx_data_dir(), where FOLDER/NAME is tried too. A missing file is an error that says where it was
 * looked for. The caller frees it. */
char *campaign_lookup(const char *path, const char *key, const char *value, const char *folder,
		      const char *suffix, GError **error);
/* campaign_lookup for each entry of a list, in place. */
bool campaign_lookup_list(const char *path, const char *key, char **list, unsigned n,
			  const char *folder, const char *suffix, GError **error);
/* campaign_lookup in place; NULL stays NULL. */
bool campaign_lookup_into(const char *path, const char *key, char **value, const char *folder,
			  const char *suffix, GError **error);

/* Not the empty string; NULL is fine. */
bool campaign_check_text(const char *path, const char *key, const char *text, GError **error);

/* Sets *value to a copy of `fallback` when it is NULL. */
void campaign_default(char **value, const char *fallback);

/* The folder that holds configs/, kernels/ and patches/ when `path` lies in one of these as usual;
 * NULL otherwise. The caller frees it. */
char *campaign_tree_of(const char *path);

/* given.c: puts what the person gives for recipe `name` in the place of its source. */
bool campaign_give_source(const char *name, RecipeSource *s, GError **error);
/* toolchain.c: all profiles of the tree that holds the file, else of kx_data_dir() (Toolchain). */
GPtrArray *campaign_load_toolchains(const char *path, GError **error);

/* simulated.c: the key `simulated` of a target. */
extern const cyaml_schema_field_t campaign_simulated_fields[];
bool campaign_check_simulated(TargetConfig *t, GError **error);

/* Fills c->digest; all parts are loaded. */
bool campaign_compute_digest(Campaign *c, GError **error);

/* Whether the list holds the name. */
bool campaign_lists(char *const *list, unsigned n, const char *name);
/* patches.c: fixtures and candidates against the series, both in its order afterwards. */
bool campaign_check_patches(Campaign *c, GError **error);
/* The same for the fixtures of one version; NULL: it has no series. */
bool campaign_check_fixtures(const char *path, const char *key, const Series *s, char **list,
			     unsigned n, GError **error);
/* versions.c: loads what the versions name, and checks it. */
bool campaign_check_versions(Campaign *c, GError **error);
void campaign_version_clear(CampaignVersion *v);
/* order.c */
bool campaign_check_order(Campaign *c, GError **error);
/* survey.c: defaults and numbers; then, when all candidates are known, the variants. */
bool campaign_check_survey(Campaign *c, GError **error);
bool campaign_plan_survey(Campaign *c, GError **error);
/* candidates.c: checks all that names suspects, and fills c->candidates with those that are known
 * without the kernel's source. */
bool campaign_list_candidates(Campaign *c, GError **error);
/* relations.c: depends, conflicts and weights of the candidates, when all of them are known. */
bool campaign_relate(Campaign *c, GError **error);
/* The candidate that `key` names; -1: none, *error says what there is. */
int campaign_find_candidate(const Campaign *c, const char *key, const char *name, GError **error);
/* Candidate `i` with all that it needs. */
uint64_t campaign_closure(const Campaign *c, unsigned i);
/* Not all candidates are known yet. */
bool campaign_waits_for_source(const Campaign *c);
/* The key of what names a candidate (or a fixture); the caller frees it. */
char *campaign_key_of(const Campaign *c, const char *name);
/* Adds the candidates that were found in the source to c->digest. */
void campaign_extend_digest(Campaign *c, unsigned first);
