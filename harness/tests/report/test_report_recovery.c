/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/fs.h"
#include "report/model.h"

/* What is told of a trial with this outcome.json. */
static char *told(const char *outcome, const char *json)
{
	g_autofree char *folder = g_dir_make_tmp("kexsect-recovery-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "outcome.json", NULL);
	if (json)
		assert_true(kx_write_file(path, json, -1, NULL));
	StoreTrial t = {.outcome = (char *)outcome, .evidence = folder};
	char *text = model_recovery(&t);
	kx_remove_tree(folder, NULL);
	return text;
}

static void test_words(void **state)
{
	g_autofree char *traced = told("hang", "{\"trace\": \"trace.log\"}");
	assert_string_equal(traced, "asked for a trace: trace.log");
	g_autofree char *back =
		told("infra", "{\"trace\": \"trace.log\", \"recovery\": {\"healthy\": "
			      "true, \"steps\": [{\"step\": \"reset\", \"ok\": "
			      "false}, {\"step\": \"launcher\", \"ok\": true}]}}");
	assert_string_equal(back, "asked for a trace: trace.log; brought back: reset failed, "
				  "launcher");
	g_autofree char *lost =
		told("noboot", "{\"recovery\": {\"healthy\": false, \"steps\": []}}");
	assert_string_equal(lost, "not brought back:");
}

/* Nothing was done, or the folder holds something else. */
static void test_nothing(void **state)
{
	assert_null(told("clean", "{\"trace\": \"trace.log\"}"));
	assert_null(told("hang", NULL));
	assert_null(told("hang", "{}"));
	assert_null(told("infra", "not json"));
	assert_null(told("infra", "{\"recovery\": [1], \"trace\": 2}"));
	g_autofree char *odd = told("infra", "{\"recovery\": {\"steps\": [1, {\"step\": null}]}}");
	assert_string_equal(odd, "not brought back: ? failed, ? failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_words),
					   cmocka_unit_test(test_nothing)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
