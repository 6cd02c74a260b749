/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every end of a boot, with every combination of what was seen and what its log holds: `clean` only
 * if the alive marker and the identity were seen, and never `fault` because the lab failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "job/boot-internal.h"

#define ID "kx0123456789ab"

typedef struct {
	TargetEnd end;
	bool alive, identified; /* as the watch saw it */
	int banner;		/* in the log: 0 none, 1 its own, 2 another kernel's */
	bool marker, faults;	/* in the log */
	bool strict;		/* panic_is_fault and hang_is_fault */
} Case;

static OracleConfig *configs[2];

static int load(void **state)
{
	for (int i = 0; i < 2; i++) {
		configs[i] =
			oracle_config_load(SOURCE_ROOT "/configs/oracles/vtd-window.yaml", NULL);
		configs[i]->panic_is_fault = configs[i]->hang_is_fault = i;
	}
	return 0;
}

static int unload(void **state)
{
	oracle_config_free(configs[0]);
	oracle_config_free(configs[1]);
	return 0;
}

static char *console_of(const Case *c)
{
	static const char *const banners[] = {
		"", "[    0.000000] Linux version 6.1.0 (a@b) #" ID " SMP x\n",
		"[    0.000000] Linux version 6.1.0 (a@b) #kxffffffffffff SMP x\n"};
	return g_strconcat(
		banners[c->banner], "[    0.600000] DMAR: dmar0: Using Queued invalidation\n",
		c->faults ? "[    0.700000] DMAR: [DMA Read NO_PASID] Request device [00:02.0] "
			    "fault addr 0x1ffde000 [fault reason 0x01] Present bit in root entry "
			    "is clear\n"
			  : "",
		"[    0.900000] Run /init as init process\n",
		c->marker ? "[    1.000000] kexsect: alive " ID "\n" : "", NULL);
}

static OracleResult *judged(const Case *c, char **ret_cause)
{
	g_autofree char *console = console_of(c);
	BootRequest r = {.oracle = configs[c->strict], .identity = ID, .mode = BOOT_KEXEC};
	TargetResult t = {.end = c->end,
			  .reason = (char[]){"as watched"},
			  .cmdline = (char[]){""},
			  .console = console,
			  .alive = c->alive,
			  .identified = c->identified,
			  .wrong = c->identified ? NULL : (char[]){"#kxffffffffffff SMP"}};
	/* unidentified without another kernel's word: nobody said anything */
	if (!c->identified && c->banner != 2)
		t.wrong = NULL;
	OracleResult *o = boot_judge(&r, &t, "/nowhere");
	*ret_cause = g_strdup(boot_cause(o, &t));
	return o;
}

/* Failures of the lab, whatever the log says. */
static bool is_lab(TargetEnd end)
{
	return target_end_is_failure(end) || end == TARGET_END_CANCELLED;
}

static const char *broken_rule(const Case *c, const OracleResult *o, const char *cause)
{
	Outcome got = o->outcome;
	bool proven = c->alive && c->identified && c->marker && c->banner == 1;
	if (got == OUTCOME_CLEAN && (!proven || c->faults || c->end != TARGET_END_SETTLED))
		return "clean without proof";
	if (got == OUTCOME_FAULT && is_lab(c->end))
		return "a fault because the lab failed";
	if (got == OUTCOME_FAULT && (!c->identified || c->banner != 1))
		return "a fault of a kernel that is not known";
	if (got == OUTCOME_FAULT && !c->faults && !c->strict)
		return "a fault without one";
	if (is_lab(c->end) && got != OUTCOME_INFRA && got != OUTCOME_NOBOOT)
		return "a failure of the lab with an outcome";
	if (c->banner == 2 && got != OUTCOME_INFRA)
		return "another kernel's boot counted";
	if (proven && c->end == TARGET_END_SETTLED &&
	    got != (c->faults ? OUTCOME_FAULT : OUTCOME_CLEAN))
		return "a good boot is not told as one";
	if (proven && c->end == TARGET_END_UNSETTLED &&
	    got != (c->faults || c->strict ? OUTCOME_FAULT : OUTCOME_HANG))
		return "what never settles is a hang, with its faults";
	if ((got == OUTCOME_INFRA) != (cause != NULL))
		return "a cause with infra and only then";
	if (cause && g_str_equal(cause, "machine") != target_end_is_failure(c->end))
		return "whose failure it was";
	return NULL;
}

static unsigned check(const Case *c)
{
	g_autofree char *cause = NULL;
	g_autoptr(OracleResult) o = judged(c, &cause);
	const char *broken = broken_rule(c, o, cause);
	if (broken)
		fail_msg("%s: end %s, watch %s%s, log: banner %d%s%s%s: %s (%s)", broken,
			 target_end_name(c->end), c->alive ? "alive " : "",
			 c->identified ? "identified" : "", c->banner, c->marker ? ", marker" : "",
			 c->faults ? ", faults" : "", c->strict ? "; strict" : "",
			 outcome_name(o->outcome), o->reason);
	return 1u << o->outcome;
}

static void test_all(void **state)
{
	unsigned seen = 0, n = 0;
	for (int end = 0; end < TARGET_END_MAX; end++)
		for (int bits = 0; bits < 32; bits++)
			for (int banner = 0; banner < 3; banner++) {
				Case c = {.end = (TargetEnd)end,
					  .alive = bits & 1,
					  .identified = bits & 2,
					  .marker = bits & 4,
					  .faults = bits & 8,
					  .strict = bits & 16,
					  .banner = banner};
				seen |= check(&c);
				n++;
			}
	assert_int_equal(n, TARGET_END_MAX * 96);
	/* the table is not one of infra alone */
	assert_int_equal(seen, (1u << OUTCOME_MAX) - 1);
}

/* One end, one name, on both sides. */
static void test_names(void **state)
{
	assert_int_equal((int)TARGET_END_MAX, (int)ORACLE_END_MAX);
	for (int end = 0; end < TARGET_END_MAX; end++)
		assert_true(oracle_end_from_name(target_end_name((TargetEnd)end)) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all),
					   cmocka_unit_test(test_names)};
	return cmocka_run_group_tests(tests, load, unload);
}
