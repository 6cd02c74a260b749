/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes the initramfs images of launcher and variant: newc archives, not compressed (smaller files
 * would cost more time in an emulated guest than they save), with fixed times and owners, so that
 * the same content gives the same bytes. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
	const char *agent; /* the program that becomes /init */
	const char
		*kexec; /* NULL, or a program to take along as /usr/sbin/kexec with its libraries */
	const char *const
		*tables; /* NULL, or compiled ACPI tables (*.aml) for the table override */
} InitramfsContent;

/* Writes the image to `path`. The tables go first, in an archive of their own, as the kernel wants
 * it (Documentation/admin-guide/acpi/initrd_table_override.rst). */
bool initramfs_write(const char *path, const InitramfsContent *content, GError **error);

/* Orders that a launcher finds when it starts (base/agent_protocol.h). */
typedef struct {
	const char *kernel, *initrd; /* files */
	const char *cmdline;
	unsigned wait_us;
} InitramfsOrders;

/* Writes to `path` the image `launcher` with orders in it. */
bool initramfs_add_orders(const char *path, const char *launcher, const InitramfsOrders *orders,
			  GError **error);

/* Compiles iasl sources into `folder`. Returns the paths of the compiled tables, NULL-terminated;
 * the caller frees them. The error quotes iasl and names the source. */
char **initramfs_compile_tables(const char *const *sources, unsigned count, const char *folder,
				GError **error);

/* The host's kexec program, which is often not in an ordinary user's PATH; NULL: not installed. */
char *initramfs_find_kexec(void);

/* The shared libraries that `program` needs, as ld.so resolves them, and ld.so itself. */
char **initramfs_libraries(const char *program, GError **error);
