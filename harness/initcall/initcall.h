/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of kernel initialisation: initcalls, their levels and where they come from. What a
 * vmlinux says is in initcall/table.h, what a boot log says in initcall/log.h. Strings are owned by
 * their struct; an unknown one is NULL. */
#pragma once

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* In the order in which the kernel runs them (include/asm-generic/vmlinux.lds.h, INIT_CALLS): each
 * number has an 's' part after it, rootfs stands after 5s. CONSOLE (console_initcall) and SECURITY
 * (security_initcall, up to 4.20) are tables of their own, which console_init() and then
 * security_init() run before all others. */
typedef enum {
	INITCALL_EARLY,
	INITCALL_PURE,
	INITCALL_PURE_SYNC,
	INITCALL_CORE,
	INITCALL_CORE_SYNC,
	INITCALL_POSTCORE,
	INITCALL_POSTCORE_SYNC,
	INITCALL_ARCH,
	INITCALL_ARCH_SYNC,
	INITCALL_SUBSYS,
	INITCALL_SUBSYS_SYNC,
	INITCALL_FS,
	INITCALL_FS_SYNC,
	INITCALL_ROOTFS,
	INITCALL_DEVICE,
	INITCALL_DEVICE_SYNC,
	INITCALL_LATE,
	INITCALL_LATE_SYNC,
	INITCALL_CONSOLE,
	INITCALL_SECURITY,
	INITCALL_LEVEL_MAX,
	INITCALL_LEVEL_INVALID = -EINVAL,
} InitcallLevel;

/* "early", "pure", "pure_sync", …, "rootfs", "device", …, "console"; "?" when invalid. */
const char *initcall_level_name(InitcallLevel level);
/* Takes the name, what the kernel writes ("arch_initcall", "arch_initcall_sync") and the linker
 * script's suffix ("3", "3s", "early", "rootfs", "con"); else INITCALL_LEVEL_INVALID. `len` -1: to
 * the end of the text. */
InitcallLevel initcall_level_parse(const char *text, gssize len);

typedef struct {
	InitcallLevel level; /* INITCALL_LEVEL_INVALID: not known (a log does not say it) */
	char *function;
	char *module;	  /* KBUILD_MODNAME, "core"; NULL: the symbol does not have it */
	uint64_t address; /* of the function, as linked; 0: not known */
	char *file;	  /* source file of the kernel's tree; NULL: not known */
	unsigned line;	  /* of the macro in that file; 0: not known */
} Initcall;

void initcall_free(Initcall *i);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Initcall, initcall_free)
