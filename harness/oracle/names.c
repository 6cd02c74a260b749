/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "oracle/oracle.h"

static const char *const outcomes[OUTCOME_MAX] = {"fault", "clean",  "hang",
						  "panic", "noboot", "infra"};
static const char *const ends[ORACLE_END_MAX] = {
	[ORACLE_END_SETTLED] = "settled",
	[ORACLE_END_PANIC] = "panic",
	[ORACLE_END_SILENT] = "silent",
	[ORACLE_END_DEADLINE] = "deadline",
	[ORACLE_END_UNSETTLED] = "unsettled",
	[ORACLE_END_WATCHDOG] = "watchdog",
	[ORACLE_END_RESET] = "reset",
	[ORACLE_END_POWEROFF] = "poweroff",
	[ORACLE_END_NO_FIRST_LINE] = "no-first-line",
	[ORACLE_END_KEXEC_FAILED] = "kexec-failed",
	[ORACLE_END_LAUNCHER_FAILED] = "launcher-failed",
	[ORACLE_END_VM_DIED] = "machine-died",
	[ORACLE_END_STALE_WATCHDOG] = "stale-watchdog",
	[ORACLE_END_CANCELLED] = "cancelled",
};

static int index_of(const char *name, const char *const *names, int count)
{
	for (int i = 0; name && i < count; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -EINVAL;
}

const char *outcome_name(Outcome o)
{
	return o >= 0 && o < OUTCOME_MAX ? outcomes[o] : NULL;
}

Outcome outcome_from_name(const char *name)
{
	return (Outcome)index_of(name, outcomes, OUTCOME_MAX);
}

const char *oracle_end_name(OracleEnd e)
{
	return e >= 0 && e < ORACLE_END_MAX ? ends[e] : NULL;
}

OracleEnd oracle_end_from_name(const char *name)
{
	return (OracleEnd)index_of(name, ends, ORACLE_END_MAX);
}
