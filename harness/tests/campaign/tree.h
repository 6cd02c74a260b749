/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small tree of good files in a temporary folder. */
#pragma once

#include "campaign/campaign.h"

/* The folder; names are looked up there only. */
extern char *root;
int tree_set_up(void **state);
int tree_tear_down(void **state);
/* Writes the tree; in file `path`, `old` becomes `new` (must be there once). */
void write_tree(const char *path, const char *old, const char *new);
/* Loads configs/campaigns/NAME. */
Campaign *load(const char *name, GError **error);
/* Writes the tree with `old` in c.yaml replaced, and loads that; fails the test when it is wrong.
 */
Campaign *load_with(const char *old, const char *new);
