/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every example of corpus.txt must give exactly the records that stand there, alone and with all
 * the others in one log. KEXSECT_TEST_UPDATE=1 writes the records anew, for a look at their diff.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "iommu/fault.h"

#define CORPUS TEST_DATA "/corpus.txt"

typedef struct {
	char *title;
	GString *log;	  /* with newlines */
	GPtrArray *lines; /* as they stand in the file */
	GString *records;
} Example;

static void example_free(gpointer data)
{
	Example *e = data;
	g_free(e->title);
	g_string_free(e->log, TRUE);
	g_ptr_array_unref(e->lines);
	g_string_free(e->records, TRUE);
	g_free(e);
}

static void append_unescaped(GString *s, const char *p)
{
	for (; *p; p++) {
		if (*p != '\\') {
			g_string_append_c(s, *p);
			continue;
		}
		p++;
		if (*p == 't' || *p == 'r' || *p == '\\') {
			g_string_append_c(s, *p == 't' ? '\t' : *p == 'r' ? '\r' : '\\');
			continue;
		}
		int n = 0;
		for (int i = 0; i < 3; i++) {
			assert_true(p[i] >= '0' && p[i] <= '7');
			n = n * 8 + p[i] - '0';
		}
		g_string_append_c(s, (char)n);
		p += 2;
	}
}

static GPtrArray *read_corpus(char **ret_head)
{
	g_autofree char *text = kx_read_file(CORPUS, 4 << 20, NULL, NULL);
	assert_non_null(text);
	GPtrArray *examples = g_ptr_array_new_with_free_func(example_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GString *head = g_string_new(NULL);
	Example *e = NULL;
	bool begun = false;
	for (char **l = lines; *l; l++) {
		if (!**l) {
			begun = true;
		} else if (!begun) {
			g_string_append_printf(head, "%s\n", *l);
		} else if (g_str_has_prefix(*l, "# ")) {
			e = g_new0(Example, 1);
			e->title = g_strdup(*l + 2);
			e->log = g_string_new(NULL);
			e->lines = g_ptr_array_new_with_free_func(g_free);
			e->records = g_string_new(NULL);
			g_ptr_array_add(examples, e);
		} else if (e && g_str_has_prefix(*l, "> ")) {
			g_ptr_array_add(e->lines, g_strdup(*l));
			append_unescaped(e->log, *l + 2);
			g_string_append_c(e->log, '\n');
		} else if (e && g_str_has_prefix(*l, "= ")) {
			g_string_append_printf(e->records, "%s\n", *l);
		} else {
			fail_msg("corpus.txt: what is '%s'?", *l);
		}
	}
	*ret_head = g_string_free(head, FALSE);
	return examples;
}

typedef struct {
	GString *out;
	const GString *log;
	uint64_t first_line; /* its number in the whole log, counted from 0 */
} Collect;

static void drop(json_t *o, const char *key, const char *nothing)
{
	json_t *v = json_object_get(o, key);
	if (json_is_null(v) || !nothing ||
	    (json_is_string(v) && g_str_equal(json_string_value(v), nothing)) ||
	    (json_is_integer(v) && json_integer_value(v) == 0 && g_str_equal(nothing, "0")))
		json_object_del(o, key);
}

/* Every line of `raw` must be one of the log, byte for byte but for its \r. */
static void check_raw(const Collect *c, const Fault *f)
{
	g_auto(GStrv) lines = g_strsplit(f->raw, "\n", -1);
	for (char **l = lines; *l; l++)
		if (!memmem(c->log->str, c->log->len, *l, strlen(*l)))
			fail_msg("raw '%s' is not in the log", *l);
}

static void take(const Fault *f, gpointer user)
{
	Collect *c = user;
	check_raw(c, f);
	g_autofree char *signature = fault_make_signature(f);
	assert_string_equal(signature, f->signature);
	g_autoptr(json_t) o = fault_to_json(f);
	if (f->line)
		json_object_set_new(o, "line", json_integer((json_int_t)(f->line - c->first_line)));
	drop(o, "raw", NULL);
	drop(o, "signature", NULL);
	drop(o, "suppressed", "0");
	drop(o, "access", "unknown");
	static const char *const keys[] = {"driver", "event",  "device", "address",
					   "domain", "pasid",  "flags",	 "reason",
					   "time",   "window", "region", "initcall"};
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		drop(o, keys[i], "");
	char *text = json_dumps(o, JSON_COMPACT);
	g_string_append_printf(c->out, "= %s\n", text);
	free(text);
}

static void test_each(void **state)
{
	(void)state;
	g_autofree char *head = NULL;
	g_autoptr(GPtrArray) examples = read_corpus(&head);
	g_autoptr(GString) all = g_string_new(head);
	Collect c = {0};
	g_autoptr(FaultParser) p = fault_parser_new(take, &c);
	unsigned lines = 0, wrong = 0;
	for (guint i = 0; i < examples->len; i++) {
		const Example *e = g_ptr_array_index(examples, i);
		c = (Collect){.out = g_string_new(NULL), .log = e->log};
		fault_parser_feed(p, e->log->str, e->log->len);
		fault_parser_finish(p);
		if (!g_string_equal(c.out, e->records) && !g_getenv("KEXSECT_TEST_UPDATE")) {
			print_error("%s\n%s--- expected\n%s--- got\n%s\n", e->title, e->log->str,
				    e->records->str, c.out->str);
			wrong++;
		}
		g_string_append_printf(all, "\n# %s\n", e->title);
		for (guint l = 0; l < e->lines->len; l++)
			g_string_append_printf(all, "%s\n",
					       (const char *)g_ptr_array_index(e->lines, l));
		g_string_append(all, c.out->str);
		g_string_free(c.out, TRUE);
		lines += e->lines->len;
	}
	if (g_getenv("KEXSECT_TEST_UPDATE"))
		assert_true(kx_write_file(CORPUS, all->str, -1, NULL));
	assert_int_equal(wrong, 0);
	assert_true(lines >= 400);
}

/* In one log, with ordinary lines between the examples so that none waits for another's lines. */
static void test_all_at_once(void **state)
{
	(void)state;
	if (g_getenv("KEXSECT_TEST_UPDATE"))
		return;
	g_autofree char *head = NULL;
	g_autoptr(GPtrArray) examples = read_corpus(&head);
	g_autoptr(GString) log = g_string_new(NULL);
	g_autoptr(GArray) starts = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	uint64_t line = 0;
	for (guint i = 0; i < examples->len; i++) {
		const Example *e = g_ptr_array_index(examples, i);
		g_array_append_val(starts, line);
		g_string_append_len(log, e->log->str, (gssize)e->log->len);
		line += e->lines->len;
		for (int n = 0; n < 30; n++, line++)
			g_string_append(log, "[    0.500000] usb 1-1: new high-speed USB device\n");
	}
	for (size_t step = 17; step < log->len * 2; step *= 9) {
		Collect c = {.out = g_string_new(NULL), .log = log};
		g_autoptr(FaultParser) p = fault_parser_new(take, &c);
		for (guint i = 0; i < examples->len; i++) {
			const Example *e = g_ptr_array_index(examples, i);
			c.first_line = g_array_index(starts, uint64_t, i);
			size_t from = 0, to = log->len;
			for (uint64_t n = 0; n < c.first_line; n++)
				from = (size_t)((char *)memchr(log->str + from, '\n', to - from) -
						log->str) +
				       1;
			to = from;
			for (guint n = 0; n < e->lines->len + 30; n++)
				to = (size_t)((char *)memchr(log->str + to, '\n', log->len - to) -
					      log->str) +
				     1;
			g_string_set_size(c.out, 0);
			for (size_t at = from; at < to; at += step)
				fault_parser_feed(p, log->str + at, MIN(step, to - at));
			if (!g_string_equal(c.out, e->records))
				fail_msg("%s: in pieces of %zu bytes:\n%s--- expected\n%s",
					 e->title, step, c.out->str, e->records->str);
		}
		g_string_free(c.out, TRUE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_all_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
