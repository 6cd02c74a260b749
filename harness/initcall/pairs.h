/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two orders of one kernel's initcalls as numbers, for initcall/path.h and the search over orders.
 *
 * An item is an initcall that may be moved (pure to late_sync), or the beginning of a level that
 * the kernel knows (core, postcore, arch, subsys, fs, device, late): an initcall that changes its
 * level changes its place relative to these. */
#pragma once

#include "initcall/order.h"

typedef struct InitcallPairs InitcallPairs;

/* Both are orders of the same kernel (read from it, then changed); they are not kept.
 * KX_ERROR_INPUT when they are not. */
InitcallPairs *initcall_pairs_new(const InitcallOrder *good, const InitcallOrder *bad,
				  GError **error);
void initcall_pairs_free(InitcallPairs *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InitcallPairs, initcall_pairs_free)

guint initcall_pairs_items(const InitcallPairs *p);
const guint *initcall_pairs_good(const InitcallPairs *p); /* items in order */
const guint *initcall_pairs_bad(const InitcallPairs *p);
const guint *initcall_pairs_group(const InitcallPairs *p); /* level of each item, in `good` */
/* "acpi_init [subsys]", with its level in `good`; "level fs". Owned by p. */
const char *const *initcall_pairs_names(const InitcallPairs *p);
/* The initcall that an item is, in `good`; NULL: the beginning of a level. */
const Initcall *initcall_pairs_call(const InitcallPairs *p, guint item);
/* The order as a file that initcall_order_arrange() reads; the caller frees it. */
char *initcall_pairs_text(const InitcallPairs *p, const guint *order);

/* Shuffles the initcalls of each level (from pure on) among themselves, but for those of `keep`
 * (functions; NULL-terminated, may be NULL), which stay in their place. KX_ERROR_INPUT: there is no
 * such function. */
bool initcall_order_scramble(InitcallOrder *o, guint64 seed, const char *const *keep,
			     GError **error);
/* Brings them into the order in which `functions` (as a boot log has them; those that it does not
 * know are passed over) names them; what is not named stays behind what it stood behind. Levels
 * begin where the fewest initcalls change theirs. */
void initcall_order_follow(InitcallOrder *o, const char *const *functions);
