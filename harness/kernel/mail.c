/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mails with patches, taken apart by git's own tools. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "kernel/kernel-internal.h"

#define MAX_MAIL (4u << 20)

/* A person's settings (scissors, encoding) must not change what is read. */
static const char *const mail_env[] = {"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
				       "LC_ALL=C", NULL};

void kernel_mail_free(gpointer data)
{
	KernelMail *m = data;
	g_free(m->author);
	g_free(m->subject);
	g_free(m->body);
	g_free(m->diff);
	g_free(m);
}

/* "Author: A Person" among mailinfo's lines; "" when it is not there. */
static char *info_line(const char *info, const char *name)
{
	g_auto(GStrv) lines = g_strsplit(info, "\n", -1);
	for (char **l = lines; *l; l++)
		if (g_str_has_prefix(*l, name))
			return g_strstrip(g_strdup(*l + strlen(name)));
	return g_strdup("");
}

/* What an ident line of git cannot hold. */
static char *ident(const char *name, const char *address)
{
	g_autofree char *text = g_strdelimit(g_strdup(name), "<>\n", ' ');
	g_autofree char *at = g_strdelimit(g_strdup(address), "<> \n", '-');
	return g_strdup_printf("%s <%s>", g_strstrip(text), at);
}

/* "[PATCH v2 03/12] iommu: x" to "iommu: x" and 3. */
static char *bare_subject(const char *subject, unsigned *ret_number)
{
	for (;;) {
		subject += strspn(subject, " \t");
		const char *end = *subject == '[' ? strchr(subject, ']') : NULL;
		if (!end)
			return g_strdup(subject);
		g_autofree char *tag = g_strndup(subject + 1, (gsize)(end - subject - 1));
		if (!strstr(tag, "PATCH"))
			return g_strdup(subject);
		const char *slash = strchr(tag, '/');
		while (slash && slash > tag && g_ascii_isdigit(slash[-1]))
			slash--;
		if (slash)
			*ret_number = (unsigned)strtoul(slash, NULL, 10);
		subject = end + 1;
	}
}

static KernelMail *read_mail(const char *dir, const char *file, GError **error)
{
	g_autofree char *raw = kx_read_file(file, MAX_MAIL, NULL, error);
	const char *argv[] = {"git", "mailinfo", "-k", "msg", "patch", NULL};
	g_auto(KxProcResult) r = {0};
	if (!raw ||
	    !kx_proc_check(&(KxProc){.argv = argv, .env = mail_env, .input = raw, .cwd = dir}, &r,
			   error))
		return NULL;
	g_autofree char *msg = g_build_filename(dir, "msg", NULL);
	g_autofree char *patch = g_build_filename(dir, "patch", NULL);
	g_autofree char *body = kx_read_file(msg, MAX_MAIL, NULL, error);
	g_autofree char *diff = body ? kx_read_file(patch, MAX_MAIL, NULL, error) : NULL;
	if (!diff)
		return NULL;
	g_autofree char *name = info_line(r.out, "Author: "),
			*address = info_line(r.out, "Email: "),
			*subject = info_line(r.out, "Subject: "),
			*date = info_line(r.out, "Date: ");
	KernelMail *m = g_new0(KernelMail, 1);
	m->author = ident(name, address);
	m->date = MAX(curl_getdate(date, NULL), 0);
	m->subject = bare_subject(subject, &m->number);
	m->body = g_strstrip(g_steal_pointer(&body));
	m->diff = g_steal_pointer(&diff);
	return m;
}

GPtrArray *kernel_mail_split(const char *text, GError **error)
{
	g_autofree char *dir = kx_temp_dir("mail", error);
	if (!dir)
		return NULL;
	g_autofree char *out = g_strconcat("-o", dir, NULL);
	const char *split[] = {"git", "mailsplit", "-b", out, NULL};
	g_auto(KxProcResult) r = {0};
	g_autoptr(GPtrArray) mails = g_ptr_array_new_with_free_func(kernel_mail_free);
	bool ok =
		kx_proc_check(&(KxProc){.argv = split, .env = mail_env, .input = text}, &r, error);
	int n = ok ? atoi(r.out) : 0;
	for (int i = 1; ok && i <= n; i++) {
		g_autofree char *file = g_strdup_printf("%s/%04d", dir, i);
		KernelMail *m = read_mail(dir, file, error);
		ok = m != NULL;
		if (ok)
			g_ptr_array_add(mails, m);
	}
	kx_remove_tree(dir, NULL);
	return ok ? g_steal_pointer(&mails) : NULL;
}

static bool is_mail(const char *text)
{
	static const char *const starts[] = {"From ",	   "From: ",	    "Subject: ", "Date: ",
					     "Received: ", "Return-Path: ", "Message-",	 "To: "};
	for (guint i = 0; i < G_N_ELEMENTS(starts); i++)
		if (g_str_has_prefix(text, starts[i]))
			return true;
	return false;
}

/* The mails of a thread come as they were delivered. */
static gint by_number(gconstpointer a, gconstpointer b)
{
	const KernelMail *x = *(KernelMail *const *)a, *y = *(KernelMail *const *)b;
	return x->number < y->number ? -1 : x->number > y->number;
}

GPtrArray *kernel_mail_read(const Patch *p, GError **error)
{
	g_autofree char *diff = kernel_patch_read(p, error); /* refuses what must be refused */
	g_autofree char *text = diff ? kx_read_file(p->file, MAX_MAIL, NULL, error) : NULL;
	if (!text)
		return NULL;
	if (!is_mail(text)) {
		GPtrArray *one = g_ptr_array_new_with_free_func(kernel_mail_free);
		KernelMail *m = g_new0(KernelMail, 1);
		m->subject = g_strdup(p->title ? p->title : p->name);
		m->body = g_strdup("");
		m->diff = g_steal_pointer(&diff);
		g_ptr_array_add(one, m);
		return one;
	}
	g_autoptr(GPtrArray) mails = kernel_mail_split(text, error);
	bool numbered = true;
	for (guint i = 0; mails && i < mails->len;) {
		const KernelMail *m = mails->pdata[i];
		if (!strstr(m->diff, "\n@@ ") && !g_str_has_prefix(m->diff, "diff --git ") &&
		    !strstr(m->diff, "\ndiff --git ")) {
			g_ptr_array_remove_index(mails, i); /* a cover letter, an answer */
			continue;
		}
		numbered = numbered && m->number;
		i++;
	}
	if (!mails)
		return NULL;
	if (!mails->len) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: there is no patch in it",
			    p->file);
		return NULL;
	}
	if (numbered)
		g_ptr_array_sort(mails, by_number); /* stable: a merge sort */
	return g_steal_pointer(&mails);
}
