/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Did the variant get its command line? The kernel prints it early ("Kernel command line: …",
 * init/main.c: start_kernel), the same text as in /proc/cmdline. */
#include <string.h>

#include "job/boot-internal.h"

#define MARK "Kernel command line: "
/* printk cuts a record at LOG_LINE_MAX, 976 bytes or more with its prefix (printk.c). */
#define RECORD_MIN 900

/* The last one: on the console a launcher's may stand before it. */
static char *said_in(const char *log)
{
	const char *at = log ? g_strrstr(log, MARK) : NULL;
	at = at ? at + strlen(MARK) : NULL;
	return at ? g_strchomp(g_strndup(at, strcspn(at, "\r\n"))) : NULL;
}

char *boot_cmdline_fault(const char *kmsg, const char *console, const char *wanted)
{
	g_autofree char *said = said_in(kmsg);
	if (!said)
		said = said_in(console);
	g_autofree char *want = g_strstrip(g_strdup(wanted ? wanted : ""));
	/* A kernel that died before it said so is judged by that. */
	if (!said || !*want)
		return NULL;
	g_autofree char *all = g_strconcat(" ", said, " ", NULL);
	g_autofree char *words = g_strconcat(" ", want, " ", NULL);
	bool cut = strlen(said) >= RECORD_MIN && g_str_has_prefix(want, said);
	if (cut || strstr(all, words))
		return NULL;
	return g_strdup_printf("the kernel got another command line: '%.300s', expected '%.300s'",
			       said, want);
}
