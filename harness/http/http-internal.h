/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the server. */
#pragma once

#include <microhttpd.h>

#include "base/error.h"
#include "base/json.h"
#include "http/http.h"
#include "http/route.h"
#include "store/store.h"

#define HTTP_MAX_STREAMS 100
/* One line of printable ASCII: neither an event nor a terminal trips over a stranger's text. */
#define HTTP_JSON (JSON_COMPACT | JSON_ENSURE_ASCII)

typedef struct Stream Stream;

/* What is answered. */
typedef struct {
	unsigned status;
	json_t *json; /* or */
	char *text;   /* or */
	int fd;	      /* a file of `size` bytes; 0: none */
	guint64 size;
	gint64 changed_ns; /* of the file, with `inode` its ETag */
	guint64 inode;
	const char *type;   /* of text and file; static */
	const char *policy; /* content security policy; NULL: nothing at all; static */
	const char *allow;  /* methods; static */
	char *location;
	bool changes; /* the request was no GET or HEAD */
	bool last;    /* the connection ends with it */
} HttpReply;

void http_reply_clear(HttpReply *r);
/* An error in JSON; status 0: what fits the error's code. */
HttpReply http_reply_error(unsigned status, const GError *error);
HttpReply http_reply_refusal(unsigned status, KxErrorCode code, const char *text);
HttpReply http_reply_json(json_t *json);
/* What goes with every answer; `etag` NULL: nobody keeps it. */
void http_add_headers(struct MHD_Response *response, const HttpReply *r, const char *etag);
/* Sends it (and clears it), with ETag and ranges as the request asks. */
enum MHD_Result http_reply_send(HttpReply *r, struct MHD_Connection *c, unsigned *ret_status);

typedef struct Http Http;
typedef void (*HttpDrainedFunc)(Http *h, gpointer user);

struct Http {
	Daemon *d;
	HttpTokens *tokens;
	struct MHD_Daemon *mhd;
	GSource *source;
	guint kick; /* MHD has something to do that its descriptors do not show */
	guint tick; /* deadlines, signs of life */
	int fd;	    /* listening; MHD's */
	bool loopback, tls, stopping;
	char *listen;		 /* of the configuration */
	char *address;		 /* as a Host header has it, without the port */
	char *tls_sum;		 /* of certificate and key */
	gint64 expires_s;	 /* the certificate, seconds since 1970 UTC; 0: none */
	gint64 warned_s;	 /* monotonic: when that was last said */
	HttpDrainedFunc drained; /* not NULL: no new connections; called when there are none left */
	gpointer drained_user;
	GList *peers, *exchanges;
	guint streams;
	size_t reserved;     /* bytes of bodies that are on their way */
	guint64 answered[6]; /* by the first digit of the status */
	guint64 dropped;     /* streams whose readers were too slow, connections past a deadline */
	Store *store;
	char *store_results;
};

/* A connection: what it does now and since when (monotonic seconds). */
typedef struct {
	Http *h;
	int fd;
	enum { PEER_RECEIVES, PEER_SENDS, PEER_STREAMS } phase;
	gint64 since_s;
	bool asked, ours; /* who it is was asked for; one who may use the daemon's UNIX socket */
} HttpPeer;

/* A request and its answer. */
typedef struct {
	Http *h;
	struct MHD_Connection *c;
	HttpPeer *peer;
	char *target;
	HttpRoute route;
	DaemonPeer who;
	GString *body;
	size_t expected;
	bool begun, suspended;
	bool late_ready;
	HttpReply late; /* of a submission, a summary */
	Acceptance *acceptance;
	SummaryWait *summary;
	Stream *stream;
} Exchange;

/* ---- serve.c ---- */

/* Serves as the configuration says. `before`: one that serves now, whose socket is used when the
 * address is the same; NULL: none. NULL without *error: the default address is taken. */
Http *http_start(Daemon *d, const Http *before, GError **error);
/* Whether the configuration, the certificate included, is the one that it serves with. */
bool http_is_current(const Http *h, GError **error);
/* Takes no connection any more, ends those that only listen, and tells when the others are over. */
void http_drain(Http *h, HttpDrainedFunc drained, gpointer user);
/* At once. */
void http_stop(Http *h);

/* Goes on with a request that waited; nothing when it did not. */
void http_resume(Exchange *x);

/* ---- connect.c: who may ---- */

/* Host, Origin, token, role, body: false with the refusal in *ret. */
bool http_admit(Exchange *x, const char *method, HttpReply *ret);

/* ---- peer.c: who is at the other end ---- */

/* The user whose socket it is; false when the kernel does not tell so. */
bool http_peer_uid_by_diag(int fd, uid_t *ret);
bool http_peer_uid_by_proc(int fd, uid_t *ret);
/* Root, the daemon's own user, or one of `group` (NULL: none). */
bool http_peer_is_ours(int fd, const char *group);

/* ---- lab.c: the queue; results.c, belief.c: what the runs left; files.c; metrics.c; page.c ----
 */

HttpReply http_lab(Exchange *x);
HttpReply http_results(Exchange *x);
/* A file below `folder` (links are not followed), or a list of what is in it: a page when `page`.
 */
HttpReply http_file(const char *folder, const char *path, const char *url, bool page);
HttpReply http_metrics(Http *h);
HttpReply http_belief(const HttpRoute *route, Store *s, const StoreCampaign *c);
/* A file of the page; NULL: the page itself. */
HttpReply http_page(const char *path);

/* ---- verdict.c ---- */

/* {"kind", "effect", "mask", "probability", "why", "reason", "sentence", "time_us"}, of a verdict
 * from store_verdicts(); null of NULL. `listed`: a long reason is cut. New reference. */
json_t *http_verdict(const StoreVerdict *v, bool listed);

/* ---- summary.c ---- */

/* Begins it: x->late is the answer, later. False: *ret is the answer, now. */
bool http_summary(Exchange *x, HttpReply *ret);

/* ---- events.c ---- */

/* Answers with events as they happen. */
enum MHD_Result http_stream_begin(Exchange *x);
void http_stream_free(Stream *s);
/* A sign of life, so that a reader who has gone is noticed. */
void http_stream_tick(Exchange *x);

/* ---- listen.c ---- */

/* The listening socket (that of `before` when its address is the same), and what it is; -1 without
 * *error: the default address is taken. */
int http_listen(Http *h, const Http *before, GError **error);

/* ---- certificate.c ---- */

typedef struct {
	char *key, *certificate; /* PEM */
	char *sum;		 /* of both */
	gint64 expires_s;	 /* seconds since 1970 UTC; 0: not known */
} HttpCertificate;
bool http_certificate_load(const ConfigTls *c, HttpCertificate *ret, GError **error);
void http_certificate_clear(HttpCertificate *c);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HttpCertificate, http_certificate_clear)
/* Warns once a day when it ends soon. */
void http_certificate_watch(Http *h, gint64 now_s);
