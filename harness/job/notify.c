/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "job/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "job/notify-internal.h"

#define MAX_ANSWER (64u << 10) /* of what the receiver says; more ends the connection */
#define SHOWN_ANSWER 300
#define SHORTEST_SECRET 6 /* part of an address */
#define RECEIPT_SIZE 4096
#define MAX_RETRY_AFTER_S 86400

static volatile sig_atomic_t asked_to_end;

static void on_term(int number)
{
	asked_to_end = 1;
}

static void attempt_clear(Attempt *a)
{
	if (a->curl)
		curl_easy_cleanup(a->curl);
	for (guint i = 0; i < G_N_ELEMENTS(a->lists); i++)
		curl_slist_free_all(a->lists[i]);
	g_clear_pointer(&a->body, g_bytes_unref);
	if (a->answer)
		g_string_free(a->answer, TRUE);
	g_free(a->id);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Attempt, attempt_clear)

char *notify_secret(const char *path, GError **error)
{
	struct stat st;
	if (stat(path, &st) == 0 && st.st_mode & S_IRWXO) {
		g_set_error(error, KX_ERROR, KX_ERROR_REFUSED,
			    "%s: everybody may read or write it; chmod 600", path);
		return NULL;
	}
	size_t len;
	char *text = kx_read_file(path, RECEIPT_SIZE, &len, error);
	if (!text)
		return NULL;
	text[strcspn(text, "\r\n")] = '\0';
	if (*text)
		return text;
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT, "%s: there is no secret in it", path);
	g_free(text);
	return NULL;
}

/* ---- the receipt: its blocks are there before anything is sent ---- */

static int open_receipt(const char *path, GError **error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = fd < 0 ? errno : posix_fallocate(fd, 0, RECEIPT_SIZE);
	if (!err && fsync(fd) == 0)
		return fd;
	kx_set_errno(error, err ? err : errno, "%s: there must be room for the receipt", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

static void sync_folder(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fsync(fd) != 0)
		g_warning("%s: %s", folder, g_strerror(errno));
	close(fd);
}

/* Blanks after the JSON keep the blocks where they are. */
static bool write_receipt(int fd, const char *tmp, const char *path, const json_t *receipt)
{
	g_autofree char *text = json_dumps(receipt, JSON_COMPACT);
	char block[RECEIPT_SIZE];
	memset(block, ' ', sizeof(block));
	block[sizeof(block) - 1] = '\n';
	memcpy(block, text, MIN(strlen(text), sizeof(block) - 1));
	bool ok = pwrite(fd, block, sizeof(block), 0) == (ssize_t)sizeof(block) && fsync(fd) == 0 &&
		  rename(tmp, path) == 0;
	if (ok)
		sync_folder(path);
	else
		g_warning("%s: %s", path, g_strerror(errno));
	return ok;
}

/* ---- the transfer ---- */

static size_t on_read(char *to, size_t size, size_t count, void *user)
{
	Attempt *a = user;
	gsize len;
	const char *data = g_bytes_get_data(a->body, &len);
	gsize n = MIN(size * count, len - a->sent);
	if (asked_to_end && !a->begun)
		return CURL_READFUNC_ABORT;
	a->begun = true;
	memcpy(to, data + a->sent, n);
	a->sent += n;
	return n;
}

/* libcurl begins again, when a connection that was kept turns out to be closed. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
	Attempt *a = user;
	if (origin != SEEK_SET || offset < 0 || (gsize)offset > g_bytes_get_size(a->body))
		return CURL_SEEKFUNC_FAIL;
	a->sent = (gsize)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t on_write(char *data, size_t size, size_t count, void *user)
{
	Attempt *a = user;
	gsize n = size * count;
	if (a->answer->len + n > MAX_ANSWER)
		return 0;
	g_string_append_len(a->answer, data, (gssize)n);
	return n;
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
		       curl_off_t up_now)
{
	const Attempt *a = user;
	return asked_to_end && !a->begun;
}

static CURLcode transfer(Attempt *a)
{
	const char *ca = kx_json_str(a->request, "ca_file");
	curl_easy_setopt(a->curl, CURLOPT_ERRORBUFFER, a->why);
	curl_easy_setopt(a->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(a->curl, CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
	curl_easy_setopt(a->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(a->curl, CURLOPT_CONNECTTIMEOUT, (long)NOTIFY_CONNECT_S);
	curl_easy_setopt(a->curl, CURLOPT_TIMEOUT, (long)NOTIFY_DEADLINE_S);
	curl_easy_setopt(a->curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(a->curl, CURLOPT_SSL_VERIFYHOST, 2L);
	if (ca)
		curl_easy_setopt(a->curl, CURLOPT_CAINFO, ca);
	curl_easy_setopt(a->curl, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(a->curl, CURLOPT_READDATA, a);
	curl_easy_setopt(a->curl, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(a->curl, CURLOPT_SEEKDATA, a);
	curl_easy_setopt(a->curl, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(a->curl, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(a->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(a->curl, CURLOPT_XFERINFODATA, a);
	curl_easy_setopt(a->curl, CURLOPT_NOPROGRESS, 0L);
	return curl_easy_perform(a->curl);
}

static bool is_later(long status)
{
	return status == 408 || status == 425 || status == 429;
}

/* What the receiver answered counts, also when the connection broke after it. */
static NotifyOutcome judge_webhook(CURLcode code, long status)
{
	if (status >= 200 && status < 300)
		return NOTIFY_SENT;
	if (status >= 300 && status < 500 && !is_later(status))
		return NOTIFY_REFUSED; /* redirects are not followed */
	return NOTIFY_FAILED;
}

static NotifyOutcome judge_mail(CURLcode code, long status)
{
	if (code == CURLE_OK)
		return NOTIFY_SENT;
	return status >= 500 && status < 600 ? NOTIFY_REFUSED : NOTIFY_FAILED;
}

/* A stranger's words in one line. */
static char *shown(const char *text, gsize len)
{
	g_autofree char *valid = g_utf8_make_valid(text, (gssize)MIN(len, SHOWN_ANSWER));
	for (char *p = valid; *p; p++)
		if (g_ascii_iscntrl(*p))
			*p = ' ';
	return g_strdup(g_strstrip(valid));
}

/* A receiver may repeat what it was asked for, and where it listens may be a secret: what is long
 * enough in the address to be one is left out. */
static void hide_address(const Attempt *a, GString *text)
{
	char *url = NULL;
	curl_easy_getinfo(a->curl, CURLINFO_EFFECTIVE_URL, &url);
	const char *host = url ? strstr(url, "://") : NULL;
	const char *path = host ? strchr(host + 3, '/') : NULL;
	g_auto(GStrv) parts = g_strsplit_set(path ? path : "", "/?&=;#", -1);
	for (char **p = parts; *p; p++)
		if (strlen(*p) >= SHORTEST_SECRET)
			g_string_replace(text, *p, "…", 0);
}

static char *describe(const Attempt *a, CURLcode code, long status, bool webhook)
{
	if (asked_to_end && !a->begun)
		return g_strdup("stopped before anything was sent");
	if (!(webhook && status >= 100)) {
		const char *why = *a->why ? a->why : curl_easy_strerror(code);
		return code ? shown(why, strlen(why)) : g_strdup("");
	}
	g_autoptr(GString) said = g_string_new(a->answer->str);
	hide_address(a, said);
	g_autofree char *answer = shown(said->str, said->len);
	return g_strdup_printf("HTTP %ld%s%s", status, *answer ? ": " : "", answer);
}

static json_t *make_receipt(const Attempt *a, NotifyOutcome outcome, long status,
			    gint64 retry_after_s, const char *detail)
{
	static const char *const names[] = {"sent", "refused", "failed"};
	return json_pack("{s:o, s:I, s:s, s:i, s:I, s:o}", "id", kx_json_text(a->id), "attempt",
			 (json_int_t)a->attempt, "outcome", names[outcome], "status", (int)status,
			 "retry_after_s", (json_int_t)retry_after_s, "detail",
			 kx_json_text(detail));
}

static json_t *attempt(Attempt *a, const json_t *webhook, const json_t *mail)
{
	g_autoptr(GError) error = NULL;
	a->curl = curl_easy_init();
	a->answer = g_string_new(NULL);
	bool ready = webhook ? notify_prepare_webhook(a, webhook, &error)
			     : notify_prepare_mail(a, mail, &error);
	if (!ready)
		return make_receipt(a, NOTIFY_FAILED, 0, 0, error->message);
	long status = 0;
	curl_off_t retry_after = 0;
	CURLcode code = transfer(a);
	curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(a->curl, CURLINFO_RETRY_AFTER, &retry_after);
	NotifyOutcome outcome = webhook ? judge_webhook(code, status) : judge_mail(code, status);
	g_autofree char *detail = describe(a, code, status, webhook != NULL);
	return make_receipt(a, outcome, status, CLAMP(retry_after, 0, MAX_RETRY_AFTER_S), detail);
}

static int deliver(Attempt *a, const char *request_path, GError **error)
{
	const json_t *webhook = json_object_get(a->request, "webhook");
	const json_t *mail = json_object_get(a->request, "mail");
	g_autofree char *folder = g_path_get_dirname(request_path);
	g_autofree char *path = g_build_filename(folder, "receipt.json", NULL);
	g_autofree char *tmp = g_strconcat(path, ".new", NULL);
	a->id = g_strdup(kx_json_str(a->request, "id"));
	a->attempt = kx_json_int(a->request, "attempt", 1);
	a->message = json_object_get(a->request, "message");
	if (!a->id || !*a->id || strlen(a->id) > 100 || !json_is_object(a->message) ||
	    json_is_object(webhook) == json_is_object(mail)) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: id, message and one of webhook and mail are wanted", request_path);
		return 2;
	}
	int fd = open_receipt(tmp, error);
	if (fd < 0)
		return 1;
	g_autoptr(json_t) receipt = attempt(a, webhook, mail);
	write_receipt(fd, tmp, path, receipt);
	close(fd);
	kx_json_line(receipt);
	return g_strcmp0(kx_json_str(receipt, "outcome"), "sent") == 0 ? 0 : 1;
}

int job_notify_main(const char *request_path)
{
	g_autoptr(GError) error = NULL;
	g_auto(Attempt) a = {0};
	struct sigaction action = {.sa_handler = on_term};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	g_autoptr(json_t) request = kx_json_load(request_path, &error);
	a.request = request;
	int status = request ? deliver(&a, request_path, &error) : 2;
	if (error)
		g_printerr("kexsect: %s\n", error->message);
	attempt_clear(&a);
	a = (Attempt){0};
	curl_global_cleanup();
	return status;
}
