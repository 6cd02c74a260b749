/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/yaml.h"

typedef struct {
	char *k;
} Inner;

typedef struct {
	char *name;
	unsigned n;
	int b;
	char **list;
	unsigned list_count;
	Inner in;
} Outer;

static const cyaml_schema_field_t inner_fields[] = {
	CYAML_FIELD_STRING_PTR("k", CYAML_FLAG_POINTER, Inner, k, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t outer_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, Outer, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_UINT("n", CYAML_FLAG_OPTIONAL, Outer, n),
	KX_YAML_BOOL("b", CYAML_FLAG_OPTIONAL, Outer, b),
	CYAML_FIELD_SEQUENCE("list", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, Outer, list,
			     &kx_yaml_string_entry, 0, CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING("in", CYAML_FLAG_OPTIONAL, Outer, in, inner_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t outer = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, Outer, outer_fields),
};

static char *path;

static void expect_error(const char *text, const char *message)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *whole = g_strdup_printf("%s:%s", path, message);
	assert_true(kx_write_file(path, text, -1, NULL));
	assert_null(kx_yaml_load(path, &outer, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_INPUT));
	assert_string_equal(error->message, whole);
}

static void good_files_load(void **state)
{
	assert_true(
		kx_write_file(path, "name: a\nn: 3\nb: yes\nlist: [x, y]\nin: {k: v}\n", -1, NULL));
	Outer *o = kx_yaml_load(path, &outer, NULL);
	assert_non_null(o);
	assert_string_equal(o->name, "a");
	assert_int_equal(o->n, 3);
	assert_int_equal(o->b, 1);
	assert_int_equal(o->list_count, 2);
	assert_string_equal(o->in.k, "v");
	kx_yaml_free(&outer, o);
}

static void errors_say_where_and_what(void **state)
{
	expect_error("name: a\nbad: 3\n",
		     "2:1: unknown key 'bad'; known here: name, n, b, list, in");
	expect_error("name: a\nin: {k: 1, zap: 3}\n", "2:12: unknown key 'zap'; known here: k");
	expect_error("name: a\nn: foo\n", "2:4: n: expected a whole number, found 'foo'");
	expect_error("name: a\nb: maybe\n",
		     "2:4: b: expected one of false, true, no, yes, found maybe");
	expect_error("name: [a]\n", "1:7: name: expected a string, found a list");
	expect_error("name: a\nlist: x\n", "2:7: list: expected a list, found a single value");
	expect_error("name: a\nname: b\n", "1:7: the key 'name' is given twice");
	expect_error("n: 3\n", "1:4: the key 'name' is missing");
	expect_error("", "1:1: the file is empty");
}

static void broken_yaml_is_an_error_with_a_place(void **state)
{
	g_autoptr(GError) error = NULL;
	assert_true(kx_write_file(path, "name: [a\n", -1, NULL));
	assert_null(kx_yaml_load(path, &outer, &error));
	assert_non_null(strstr(error->message, ":2:1: not valid YAML: "));
}

/* 'a billion laughs': references are not followed at all */
static void aliases_are_refused(void **state)
{
	g_autoptr(GError) error = NULL;
	assert_true(kx_write_file(path, "name: &a x\nlist: [*a, *a]\n", -1, NULL));
	assert_null(kx_yaml_load(path, &outer, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_INPUT));
}

static void where_finds_values(void **state)
{
	assert_true(kx_write_file(path, "name: a\nlist:\n  - x\n  - y\nin: {k: v}\n", -1, NULL));
	g_autofree char *y = kx_yaml_where(path, "list.1"), *k = kx_yaml_where(path, "in.k"),
			*none = kx_yaml_where(path, "in.z");
	assert_true(g_str_has_suffix(y, ":4:5"));
	assert_true(g_str_has_suffix(k, ":5:9"));
	assert_string_equal(none, path);
}

static int setup(void **state)
{
	char *dir = g_dir_make_tmp("kexsect-test-XXXXXX", NULL);
	path = g_build_filename(dir, "t.yaml", NULL);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	kx_remove_tree(*state, NULL);
	g_free(*state);
	g_free(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_files_load),
		cmocka_unit_test(errors_say_where_and_what),
		cmocka_unit_test(broken_yaml_is_an_error_with_a_place),
		cmocka_unit_test(aliases_are_refused),
		cmocka_unit_test(where_finds_values),
	};
	return cmocka_run_group_tests_name("base yaml", tests, setup, teardown);
}
