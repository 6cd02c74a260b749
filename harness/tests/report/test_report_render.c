/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the document to the formats, and what strangers' text does to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/proc.h"
#include "report/report.h"
#include "run.h"

static json_t *sample(void)
{
	g_autoptr(GError) error = NULL;
	json_t *doc = kx_json_load(TEST_DATA "/sample.json", &error);
	if (!doc)
		fail_msg("%s", error->message);
	return doc;
}

/* Pages and fragments wait in a folder to be looked at by one program at the end of a test. */
static char *pages, *fragments;
static unsigned waiting;

static int begin_pages(void **state)
{
	pages = g_dir_make_tmp("kexsect-pages-XXXXXX", NULL);
	fragments = g_dir_make_tmp("kexsect-pages-XXXXXX", NULL);
	return pages && fragments ? 0 : -1;
}

static int end_pages(void **state)
{
	bool gone = kx_remove_tree(pages, NULL) && kx_remove_tree(fragments, NULL);
	g_clear_pointer(&pages, g_free);
	g_clear_pointer(&fragments, g_free);
	return gone ? 0 : -1;
}

/* Writes `text` to a new file; its path. */
static char *keep(const char *folder, const char *text)
{
	g_autoptr(GError) error = NULL;
	char *path = g_strdup_printf("%s/%06u", folder, ++waiting);
	if (!kx_write_file(path, text, -1, &error))
		fail_msg("%s", error->message);
	return path;
}

/* Exit status of a program; what it said in *out. */
static int run(const char *const *argv, char **out)
{
	g_autoptr(GError) error = NULL;
	g_auto(KxProcResult) result = {0};
	KxProc p = {.argv = argv, .timeout_s = 100};
	if (!kx_proc_run(&p, &result, &error))
		fail_msg("%s", error->message);
	*out = g_strconcat(result.out, result.err, NULL);
	return result.status;
}

static void check_html(const char *html)
{
	g_free(keep(pages, html));
}

/* As GitHub and most others would show it. */
static void check_markdown(const char *md)
{
	g_autofree char *gfm = g_find_program_in_path("cmark-gfm");
	g_autofree char *path = keep(pages, md), *html = NULL;
	if (!gfm) {
		print_message("cmark-gfm is not installed: Markdown is not checked\n");
	} else {
		if (run((const char *const[]){gfm, "--unsafe", "-e", "table", "-e", "autolink",
					      "-e", "strikethrough", "-e", "tasklist", path, NULL},
			&html))
			fail_msg("%s", html);
		g_free(keep(fragments, html));
	}
	assert_true(kx_remove_tree(path, NULL));
}

static void look_at_pages(void)
{
	const char *const flags[] = {"--page", "--fragment"};
	const char *const folders[] = {pages, fragments};
	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
		g_autofree char *said = NULL;
		if (run((const char *const[]){"python3", TEST_DATA "/check_html.py", flags[i],
					      folders[i], NULL},
			&said))
			fail_msg("%s", said);
	}
}

/* Columns of a line without our own escapes; fails on what a terminal would act on. */
static size_t columns_of(const char *line, bool colour)
{
	size_t columns = 0;
	for (const char *p = line; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		if (c == '\033' && colour) {
			size_t n = strspn(p + 2, "0123456789;");
			assert_true(p[1] == '[' && n <= 4 && p[2 + n] == 'm');
			p += 2 + n;
			continue;
		}
		assert_true(c >= 0x20 && !(c >= 0x7f && c < 0xa0));
		assert_false(c >= 0x202a && c <= 0x202e);
		columns += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
	}
	return columns;
}

/* Printable, and at most 100 columns, but for one long word of a command, which is to be copied. */
static void check_text(const char *text, bool colour)
{
	assert_true(g_utf8_validate(text, -1, NULL));
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		if (columns_of(*line, colour) <= 100)
			continue;
		char *word = g_strstrip(*line);
		char *end = strstr(word, " \\");
		if (end)
			*end = '\0';
		if (strchr(word, ' '))
			fail_msg("more than 100 columns: %.60s…", word);
	}
}

static void check_all(const json_t *doc)
{
	g_autofree char *html = report_render("html", doc, false);
	g_autofree char *md = report_render("md", doc, false);
	g_autofree char *text = report_render("text", doc, false);
	g_autofree char *coloured = report_render("text", doc, true);
	g_autofree char *json = report_render("json", doc, false);
	g_autoptr(json_t) again = json_loads(json, 0, NULL);
	check_html(html);
	check_markdown(md);
	check_text(text, false);
	check_text(coloured, true);
	assert_non_null(again);
	/* each string has its limit, and there are some 3,000 of them */
	assert_true(strlen(html) < 4 << 20 && strlen(md) < 1 << 20 && strlen(text) < 1 << 20);
}

static void sample_follows_the_schema(void **state)
{
	g_autofree char *said = NULL;
	g_autoptr(json_t) doc = sample();
	g_autofree char *json = report_render("json", doc, false);
	g_autofree char *path = keep(pages, json);
	int status = run((const char *const[]){"/usr/bin/python3", TEST_DATA "/check_schema.py",
					       SOURCE_ROOT "/docs/report.schema.json", path, NULL},
			 &said);
	if (status == 77)
		skip();
	if (status != 0)
		fail_msg("%s", said);
}

static void every_key_is_described(void **state)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *page =
		kx_read_file(SOURCE_ROOT "/docs/report-format.md", 1 << 20, NULL, &error);
	g_autoptr(json_t) schema = kx_json_load(SOURCE_ROOT "/docs/report.schema.json", &error);
	assert_non_null(page);
	assert_non_null(schema);
	const char *key, *below;
	json_t *part, *v;
	json_object_foreach (json_object_get(schema, "properties"), key, part) {
		const json_t *of =
			json_object_get(part, "items") ? json_object_get(part, "items") : part;
		bool list = of != part;
		json_object_foreach (json_object_get(of, "properties"), below, v) {
			g_autofree char *named =
				g_strdup_printf("`%s%s.%s`", key, list ? "[]" : "", below);
			if (!strstr(page, named))
				fail_msg("docs/report-format.md does not describe %s", named);
		}
	}
}

static void formats_are_found_by_name(void **state)
{
	assert_string_equal(report_formats[0]->name, "text");
	assert_ptr_equal(report_format_find("md"), report_format_find("markdown"));
	assert_string_equal(report_format_find("html")->extension, "html");
	assert_null(report_format_find("pdf"));
	g_autoptr(json_t) doc = sample();
	assert_null(report_render("pdf", doc, false));
}

static void sample_says_what_it_should(void **state)
{
	g_autoptr(json_t) doc = sample();
	g_autofree char *html = report_render("html", doc, false);
	g_autofree char *md = report_render("md", doc, false);
	g_autofree char *text = report_render("text", doc, false);
	check_all(doc);
	look_at_pages();
	assert_true(g_str_has_prefix(text, "split-enable alone removes the fault (p > 0.9999)\n"));
	assert_true(g_str_has_prefix(md, "# `split-enable` alone removes the fault"));
	assert_non_null(strstr(html, "<h1><code>split-enable</code> alone removes the fault"));
	assert_non_null(strstr(html, "href=\"./trials/000001/\""));
	assert_non_null(strstr(html, "<svg class=\"plot\""));
	assert_non_null(strstr(text, "kexsect job boot /srv/kexsect"));
	/* the fault's line is whole, in its window, and marked */
	assert_non_null(strstr(md,
			       ">|   192  [    0.218480] DMAR: [DMA Read NO_PASID] Request device "
			       "[00:02.0] fault addr 0x1ffde000 [fault reason 0x01] Present bit in "
			       "root entry is clear\n"));
	/* nothing from elsewhere, nothing that runs */
	assert_null(strstr(html, "<script"));
	assert_null(strstr(html, "http://"));
	assert_null(strstr(html, "https://"));
	assert_null(strstr(html, "url("));
	assert_non_null(strstr(html, "default-src 'none'"));
}

/* Replaces every string of the document. */
static void poison(json_t *value, const char *with)
{
	const char *key;
	size_t i;
	json_t *v;
	json_object_foreach (value, key, v)
		poison(v, with);
	json_array_foreach (value, i, v)
		poison(v, with);
	if (json_is_string(value))
		assert_int_equal(json_string_set(value, with), 0);
}

static const char *const hostile[] = {
	"<script>alert(1)</script>",
	"\"onload=alert(1) x=\"",
	"' onmouseover='alert(1)",
	"</style></title></pre></table><img src=x onerror=alert(1)>",
	"javascript:alert(1)",
	"../../../etc/passwd",
	"<!-- --><?php ?><![CDATA[",
	"&lt;script&gt; &#60;b&#62; &amp;",
	"| a | b |\n|---|---|\n# head\n\n- [ ] task",
	"` `` ``` ```` | ~~~\n```\n<b>out</b>",
	"![x](javascript:alert(1)) [y](http://example.invalid) <http://example.invalid>",
	"http://example.invalid/ www.example.invalid mail@example.invalid @maintainer",
	"mail@example.invalid",
	"WWW.example.invalid",
	"*a* _b_ **c** ~~d~~ $e$ \\ \\\\ \\| \\`",
	"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x08\x08\x08 \xc2\x9b\x33m",
	"\xe2\x80\xae"
	"drowssap \xe2\x81\xa6 \xe2\x80\x8b zero \xef\xbb\xbf",
	"\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97 "
	"a\xcc\x81\xcc\x82",
	"",
	" ",
};

static void hostile_strings_are_inert(void **state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
		g_autoptr(json_t) doc = sample();
		poison(doc, hostile[i]);
		check_all(doc);
	}
	look_at_pages();
}

/* Words that choose a branch stay, all else is hostile: the other half of the code. */
static void hostile_text_in_real_branches(void **state)
{
	static const char *const keep[] = {"kind",     "role",	"outcome",  "mode",   "status",
					   "relation", "state", "expected", "effect", "why"};
	for (size_t i = 0; i < G_N_ELEMENTS(hostile); i++) {
		g_autoptr(json_t) doc = sample(), plain = sample();
		poison(doc, hostile[i]);
		static const char *const lists[] = {"variants", "trials", "conflicts",
						    "hypotheses"};
		for (size_t l = 0; l < G_N_ELEMENTS(lists); l++) {
			size_t n;
			json_t *x;
			json_array_foreach (json_object_get(doc, lists[l]), n, x) {
				for (size_t k = 0; k < G_N_ELEMENTS(keep); k++) {
					json_t *was = json_object_get(
						json_array_get(json_object_get(plain, lists[l]), n),
						keep[k]);
					if (was)
						json_object_set(x, keep[k], was);
				}
			}
		}
		json_t *verdict = json_object_get(doc, "verdict"),
		       *was = json_object_get(plain, "verdict");
		json_object_set(verdict, "kind", json_object_get(was, "kind"));
		json_object_set(json_object_get(verdict, "leading"), "kind",
				json_object_get(was, "kind"));
		size_t n;
		json_t *x;
		json_array_foreach (json_object_get(verdict, "evidence"), n, x)
			json_object_set(
				x, "role",
				json_object_get(json_array_get(json_object_get(was, "evidence"), n),
						"role"));
		check_all(doc);
	}
	look_at_pages();
}

static void long_strings_are_cut(void **state)
{
	g_autofree char *words = g_strnfill(1 << 20, 'A');
	g_autofree char *ticks = g_strnfill(1 << 20, '`');
	for (size_t i = 0; i < 1 << 20; i += 37)
		words[i] = ' ';
	const char *const all[] = {words, ticks};
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		g_autoptr(json_t) doc = sample();
		poison(json_object_get(doc, "verdict"), all[i]);
		poison(json_object_get(doc, "candidates"), all[i]);
		poison(json_object_get(doc, "environment"), all[i]);
		poison(json_array_get(json_object_get(doc, "trials"), 0), all[i]);
		poison(json_object_get(doc, "faults"), all[i]);
		poison(json_object_get(doc, "repeat"), all[i]);
		check_all(doc);
	}
	look_at_pages();
}

/* A document with nothing in it, or of the wrong shape, is no reason to crash. */
static void strange_documents(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"null",
		"{\"campaign\": 1, \"verdict\": [], \"trials\": {}, \"variants\": [1, null, {}]}",
		"{\"variants\": [{\"members\": []}], \"trials\": [{\"variant\": 99}, {\"variant\": "
		"-1}]}",
		"{\"history\": {\"hypotheses\": [{}], \"points\": [{}, {\"trial\": 1e300}]}}",
		"{\"rates\": {\"faulty\": {\"mean\": 1e300}, \"good\": {\"mean\": -5}},"
		" \"time\": {\"total\": 1e300, \"parts\": [{\"seconds\": -1}, {\"seconds\": "
		"1e308}]}}",
		"{\"conflicts\": [{\"relation\": \"needs\", \"members\": []},"
		" {\"relation\": \"conflicts\", \"members\": [1, 2]}], \"candidates\": [{}, {}]}",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(json_t) doc = json_loads(texts[i], JSON_DECODE_ANY, NULL);
		assert_non_null(doc);
		for (const ReportFormat *const *f = report_formats; *f; f++) {
			g_autofree char *text = (*f)->render(doc, true);
			assert_non_null(text);
		}
		g_autofree char *html = report_render("html", doc, false);
		check_html(html);
	}
	look_at_pages();
}

/* The whole way: a store full of a stranger's text, bytes that are no UTF-8, long lines. */
static void hostile_run(void **state)
{
	g_autofree char *line = g_strnfill(1 << 16, 'B');
	const char *const texts[] = {"<script>alert(1)</script>", "\xff\xfe<b>\x1b[2J\"'|`\xc3",
				     line};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		Run r;
		run_make(&r, RUN_CAUSE, texts[i]);
		g_autoptr(json_t) doc = report_build(r.store, r.campaign->id, &error);
		if (!doc)
			fail_msg("%s", error->message);
		check_all(doc);
		g_autofree char *json = report_render("json", doc, false);
		assert_true(strlen(json) < 4 << 20);
		run_clear(&r);
	}
	look_at_pages();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sample_follows_the_schema, begin_pages, end_pages),
		cmocka_unit_test(every_key_is_described),
		cmocka_unit_test(formats_are_found_by_name),
		cmocka_unit_test_setup_teardown(sample_says_what_it_should, begin_pages, end_pages),
		cmocka_unit_test_setup_teardown(hostile_strings_are_inert, begin_pages, end_pages),
		cmocka_unit_test_setup_teardown(hostile_text_in_real_branches, begin_pages,
						end_pages),
		cmocka_unit_test_setup_teardown(long_strings_are_cut, begin_pages, end_pages),
		cmocka_unit_test_setup_teardown(strange_documents, begin_pages, end_pages),
		cmocka_unit_test_setup_teardown(hostile_run, begin_pages, end_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
