/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The outcome of a boot: the oracle's, if what was watched allows it. */
#include <string.h>

#include "job/boot-internal.h"

static OracleEnd oracle_end(TargetEnd end)
{
	static const OracleEnd ends[TARGET_END_MAX] = {
		[TARGET_END_SETTLED] = ORACLE_END_SETTLED,
		[TARGET_END_PANIC] = ORACLE_END_PANIC,
		[TARGET_END_SILENT] = ORACLE_END_SILENT,
		[TARGET_END_DEADLINE] = ORACLE_END_DEADLINE,
		[TARGET_END_UNSETTLED] = ORACLE_END_UNSETTLED,
		[TARGET_END_WATCHDOG] = ORACLE_END_WATCHDOG,
		[TARGET_END_RESET] = ORACLE_END_RESET,
		[TARGET_END_POWEROFF] = ORACLE_END_POWEROFF,
		[TARGET_END_NO_FIRST_LINE] = ORACLE_END_NO_FIRST_LINE,
		[TARGET_END_KEXEC_FAILED] = ORACLE_END_KEXEC_FAILED,
		[TARGET_END_LAUNCHER_FAILED] = ORACLE_END_LAUNCHER_FAILED,
		[TARGET_END_MACHINE_DIED] = ORACLE_END_VM_DIED,
		[TARGET_END_STALE_WATCHDOG] = ORACLE_END_STALE_WATCHDOG,
		[TARGET_END_CANCELLED] = ORACLE_END_CANCELLED,
	};
	return ends[end];
}

/* What the tables that the kernel saw declare; NULL: it never showed any, or they are damaged. */
static FaultRegions *load_regions(const char *dir)
{
	g_autofree char *acpi = g_build_filename(dir, "acpi", NULL);
	g_autoptr(FaultRegions) regions = fault_regions_new();
	g_autoptr(GError) why = NULL;
	if (!g_file_test(acpi, G_FILE_TEST_IS_DIR))
		return NULL;
	if (fault_regions_add_path(regions, acpi, &why))
		return g_steal_pointer(&regions);
	g_debug("%s", why->message);
	return NULL;
}

/* Takes `reason`. Another reason for infra that is there already is the better one. */
static void refuse(OracleResult *judged, char *reason)
{
	if (judged->outcome == OUTCOME_INFRA || !reason) {
		g_free(reason);
		return;
	}
	judged->outcome = OUTCOME_INFRA;
	g_free(judged->reason);
	judged->reason = reason;
}

/* The log says that all is well, or that it faults: does what was watched say so, too? */
static char *contradiction(const OracleResult *judged, const TargetResult *t)
{
	bool clean = judged->outcome == OUTCOME_CLEAN;
	if (clean && (!t->alive || !t->identified))
		return g_strdup_printf("the log looks clean, but the watch never saw %s",
				       !t->alive ? "the alive marker" : "which kernel it is");
	if (judged->outcome == OUTCOME_FAULT && !t->identified)
		return g_strdup("there are faults, but the watch never saw which kernel it is");
	if ((clean || judged->outcome == OUTCOME_FAULT) && target_end_is_failure(t->end))
		return g_strdup_printf("the machine failed: %s", t->reason);
	return NULL;
}

OracleResult *boot_judge(const BootRequest *r, const TargetResult *t, const char *dir)
{
	g_autoptr(FaultRegions) regions = load_regions(dir);
	OracleInput in = {.console = t->console,
			  .console_len = strlen(t->console),
			  .kmsg = t->kmsg,
			  .kmsg_len = t->kmsg ? strlen(t->kmsg) : 0,
			  .identity = r->identity,
			  .end = oracle_end(t->end),
			  .end_detail = t->reason,
			  .mode = r->mode,
			  .regions = regions};
	OracleResult *judged = oracle_judge(&in, r->oracle);
	refuse(judged, t->wrong ? g_strdup_printf("a wrong kernel answered: %s, expected %s",
						  t->wrong, r->identity)
				: NULL);
	refuse(judged, boot_cmdline_fault(t->kmsg, t->console, t->cmdline));
	refuse(judged, contradiction(judged, t));
	return judged;
}

const char *boot_cause(const OracleResult *judged, const TargetResult *t)
{
	if (judged->outcome != OUTCOME_INFRA)
		return NULL;
	return target_end_is_failure(t->end) ? "machine" : "harness";
}
