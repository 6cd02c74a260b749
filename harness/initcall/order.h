/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order in which a kernel runs its initcalls, read from the kernel itself: see it, compare it,
 * change it, and make the kernel that runs in the changed order (initcall_rewrite), without
 * compiling. A kernel is a vmlinux of x86-64 or arm64, or a bzImage. docs/init-order.md */
#pragma once

#include <jansson.h>

#include "initcall/initcall.h"

typedef struct {
	bool is_arm64;
	GPtrArray *calls; /* Initcall, in the order in which they run: console, security, early … */
} InitcallOrder;

void initcall_order_free(InitcallOrder *o);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InitcallOrder, initcall_order_free)

/* Reads it from a vmlinux or a bzImage. `map`: a System.map or a vmlinux with the symbols of that
 * kernel; NULL: its own, which of a bzImage are those of its kallsyms. KX_ERROR_INPUT: it is no
 * kernel, or its table is not understood; KX_ERROR_MISSING: there are no symbols. */
InitcallOrder *initcall_order_read(const char *path, const char *map, GError **error);

/* { "initcalls": [ { "level", "function", "module", "address", "file", "line" }, … ] }; what is not
 * known is absent, the address is "0x…". */
json_t *initcall_order_json(const InitcallOrder *o);
/* One line each: LEVEL FUNCTION[@MODULE] ADDRESS [FILE:LINE], in columns. initcall_order_arrange
 * reads it again. The caller frees it. */
char *initcall_order_text(const InitcallOrder *o);

/* ---- changing it ---- */

/* "FN=LEVEL[:before FN2|:after FN2|:first|:last]": moves one (default: to the end of the level, in
 * front of its sync part). A function may be written FN@MODULE where the name alone is ambiguous.
 * Early, console and security ones can only be moved within their own level, and only by `force`.
 * KX_ERROR_INPUT: it is no move, or there is no such function; KX_ERROR_REFUSED: it must not be. */
bool initcall_order_move(InitcallOrder *o, const char *move, bool force, GError **error);

/* Whether a text has the form of a move. *ret_function: whose (caller frees); may be NULL. */
bool initcall_move_check(const char *move, char **ret_function, GError **error);

/* Brings them into the order of a file: lines as of initcall_order_text ('#' begins a comment), or
 * the JSON of initcall_order_json. It must name each one exactly once; only console, security and
 * early ones may be left out, and other orders of these need `force`. */
bool initcall_order_arrange(InitcallOrder *o, const char *path, bool force, GError **error);

/* ---- comparing ---- */

typedef enum { INITCALL_GONE, INITCALL_NEW, INITCALL_MOVED } InitcallChangeKind;
typedef struct {
	InitcallChangeKind kind;
	const Initcall *from, *to;	/* of the two orders; NULL where there is none */
	const Initcall *after, *before; /* its neighbours in the second order that did not move;
					   NULL: it is first, last */
	GPtrArray *past; /* moved within its level: Initcall that it went past (of the second
			    order, none moved themselves), else empty */
} InitcallChange;

/* What turns one order into the other, as InitcallChange (g_ptr_array_unref): the fewest moves that
 * explain it, which are those outside of a longest common subsequence of each level. Initcalls are
 * the same by function and module (by function alone where a kernel does not say modules, and by
 * their turn where several share both). The orders must live longer. */
GPtrArray *initcall_order_compare(const InitcallOrder *a, const InitcallOrder *b);
/* { "changes": [ { "kind": "gone"|"new"|"moved", "function", "module", "from", "to", "after",
 * "before", "past": […] } ] }; from and to are levels. */
json_t *initcall_changes_json(const GPtrArray *changes);
char *initcall_changes_text(const GPtrArray *changes);

/* ---- rewriting ---- */

typedef struct {
	const char *in;			     /* vmlinux or bzImage */
	const char *map;		     /* as of initcall_order_read */
	const char *out;		     /* the new file, of the same kind; may not be `in` */
	const char *identity, *new_identity; /* both or none: a text of the version string and what
						takes its place, as long as that */
} InitcallRewrite;

/* Makes the kernel that runs in the order: the same bytes but for the table, the level boundaries
 * and the identity; checked by reading it back. `order` is one read from `in` or from another file
 * of the same kernel (its vmlinux), then changed. A bzImage keeps its length. KX_ERROR_INPUT: the
 * order is not of that kernel, or the kernel is not understood; KX_ERROR_REFUSED: the early ones
 * are others than before (where they end is a constant in the kernel's code), or the compressed
 * kernel does not fit any more. */
bool initcall_rewrite(const InitcallRewrite *r, const InitcallOrder *order, GError **error);
