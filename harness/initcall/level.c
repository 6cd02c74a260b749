/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initcall/initcall.h"

#include <string.h>

static const struct {
	const char *name, *suffix;
} levels[INITCALL_LEVEL_MAX] = {
	[INITCALL_EARLY] = {"early", "early"},
	[INITCALL_PURE] = {"pure", "0"},
	[INITCALL_PURE_SYNC] = {"pure_sync", "0s"},
	[INITCALL_CORE] = {"core", "1"},
	[INITCALL_CORE_SYNC] = {"core_sync", "1s"},
	[INITCALL_POSTCORE] = {"postcore", "2"},
	[INITCALL_POSTCORE_SYNC] = {"postcore_sync", "2s"},
	[INITCALL_ARCH] = {"arch", "3"},
	[INITCALL_ARCH_SYNC] = {"arch_sync", "3s"},
	[INITCALL_SUBSYS] = {"subsys", "4"},
	[INITCALL_SUBSYS_SYNC] = {"subsys_sync", "4s"},
	[INITCALL_FS] = {"fs", "5"},
	[INITCALL_FS_SYNC] = {"fs_sync", "5s"},
	[INITCALL_ROOTFS] = {"rootfs", "rootfs"},
	[INITCALL_DEVICE] = {"device", "6"},
	[INITCALL_DEVICE_SYNC] = {"device_sync", "6s"},
	[INITCALL_LATE] = {"late", "7"},
	[INITCALL_LATE_SYNC] = {"late_sync", "7s"},
	[INITCALL_CONSOLE] = {"console", "con"},
	[INITCALL_SECURITY] = {"security", "security"},
};

const char *initcall_level_name(InitcallLevel level)
{
	return level >= 0 && level < INITCALL_LEVEL_MAX ? levels[level].name : "?";
}

InitcallLevel initcall_level_parse(const char *text, gssize len)
{
	g_autofree char *word = len < 0 ? g_strdup(text) : g_strndup(text, (gsize)len);
	char *tail = strstr(word, "_initcall");
	if (tail && (g_str_equal(tail, "_initcall") || g_str_equal(tail, "_initcall_sync")))
		memmove(tail, tail + strlen("_initcall"), strlen(tail + strlen("_initcall")) + 1);
	for (int i = 0; i < INITCALL_LEVEL_MAX; i++)
		if (g_str_equal(word, levels[i].name) || g_str_equal(word, levels[i].suffix))
			return (InitcallLevel)i;
	return INITCALL_LEVEL_INVALID;
}

void initcall_free(Initcall *i)
{
	if (!i)
		return;
	g_free(i->function);
	g_free(i->module);
	g_free(i->file);
	g_free(i);
}
