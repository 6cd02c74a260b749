/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks a daemon at a steady rate, whether it keeps up or not:
 *
 *   load_client PORT RATE SECONDS STREAMS PROBE_MS < ROUTES
 *
 * A line of ROUTES is LABEL WEIGHT PATH [HEADER: VALUE]. A request is due at its own moment and its
 * time counts from there, also while all 16 connections are taken. STREAMS readers of events are
 * open besides; one more connection asks for /healthz every PROBE_MS after its answer (0: not), so
 * that its longest wait is the longest that the daemon's loop stood still. Prints JSON:
 * milliseconds, with those that this program was late by itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"

#define CONNECTIONS 16
#define MAX_HEAD 4096

typedef struct {
	char *label, *path, *header;
	unsigned weight;
	GArray *us; /* gint64 */
} Route;

typedef enum { REQUEST, PROBE, STREAM } Kind;

typedef struct {
	Kind kind;
	int fd;
	bool busy;
	Route *route;
	gint64 due_us;
	GString *in;
	size_t left; /* of the body; known when `body` */
	bool body;
	gint64 since_us; /* STREAM: events before are old; PROBE: due then. Wall clock, monotonic */
} Connection;

typedef struct {
	uint16_t port;
	double rate;
	gint64 end_us, probe_us;
	GPtrArray *routes, *all; /* Route, Connection */
	unsigned weights;
	GRand *rand;
	GQueue waiting; /* Due */
	GArray *late, *probe, *delay;
	unsigned errors, events;
	gint64 sent;
} Load;

typedef struct {
	Route *route;
	gint64 due_us;
} Due;

static gint64 now_us(void)
{
	return g_get_monotonic_time();
}

static void die(const char *what)
{
	fprintf(stderr, "load_client: %s: %s\n", what, g_strerror(errno));
	exit(1);
}

static int dial(const Load *l)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(l->port)};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		die("connect");
	return fd;
}

static void send_request(Load *l, Connection *c, const char *path, const char *header)
{
	g_autofree char *text = g_strdup_printf("GET %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n",
						path, header ? header : "", header ? "\r\n" : "");
	c->busy = true;
	c->body = false;
	g_string_truncate(c->in, 0);
	if (write(c->fd, text, strlen(text)) != (ssize_t)strlen(text))
		l->errors++;
}

static Connection *add(Load *l, Kind kind)
{
	Connection *c = g_new0(Connection, 1);
	*c = (Connection){.kind = kind, .fd = dial(l), .in = g_string_new(NULL)};
	g_ptr_array_add(l->all, c);
	if (kind == STREAM) {
		send_request(l, c, "/api/v1/events", NULL);
		c->since_us = g_get_real_time();
	}
	return c;
}

static void begin(Load *l, Connection *c, Due due)
{
	gint64 late = now_us() - due.due_us;
	c->route = due.route;
	c->due_us = due.due_us;
	g_array_append_val(l->late, late);
	send_request(l, c, due.route->path, due.route->header);
}

static Connection *free_one(const Load *l)
{
	for (guint i = 0; i < l->all->len; i++) {
		Connection *c = l->all->pdata[i];
		if (c->kind == REQUEST && !c->busy)
			return c;
	}
	return NULL;
}

static Route *choose(const Load *l)
{
	unsigned at = (unsigned)g_rand_int_range(l->rand, 0, (gint32)l->weights);
	for (guint i = 0;; i++) {
		Route *r = l->routes->pdata[i];
		if (at < r->weight)
			return r;
		at -= r->weight;
	}
}

static gint64 due_us(const Load *l, gint64 start_us)
{
	return l->rate > 0 ? start_us + (gint64)((double)l->sent * 1e6 / l->rate) : G_MAXINT64;
}

/* ---- answers ---- */

static void count_events(Load *l, Connection *c)
{
	gint64 now = g_get_real_time();
	char *end;
	while ((end = strstr(c->in->str, "\n\n"))) {
		const char *at = strstr(c->in->str, "\"time_us\":");
		if (at && at < end) {
			gint64 delay = now - g_ascii_strtoll(at + 10, NULL, 10);
			if (now - delay > c->since_us)
				g_array_append_val(l->delay, delay);
			l->events++;
		}
		g_string_erase(c->in, 0, end + 2 - c->in->str);
	}
}

static bool take_head(Load *l, Connection *c)
{
	const char *end = strstr(c->in->str, "\r\n\r\n");
	if (!end) {
		if (c->in->len > MAX_HEAD)
			die("the head of an answer is too long");
		return false;
	}
	int status = c->in->len > 12 ? atoi(c->in->str + 9) : 0;
	if (status != 200 && status != 206 && status != 304) {
		if (!l->errors)
			fprintf(stderr, "load_client: %s: %.12s\n",
				c->route ? c->route->path : "/healthz", c->in->str);
		l->errors++;
	}
	g_autofree char *head = g_ascii_strdown(c->in->str, end - c->in->str);
	const char *length = strstr(head, "content-length:");
	c->left = length && status != 304 ? strtoul(length + 15, NULL, 10) : 0;
	c->left -= MIN(c->left, c->in->len - (size_t)(end + 4 - c->in->str));
	c->body = true;
	return true;
}

static void done(Load *l, Connection *c)
{
	gint64 took = now_us() - c->due_us;
	c->busy = false;
	g_array_append_val(c->kind == PROBE ? l->probe : c->route->us, took);
	Due *next = c->kind == REQUEST ? g_queue_pop_head(&l->waiting) : NULL;
	if (next) {
		begin(l, c, *next);
		g_free(next);
	} else if (c->kind == PROBE) {
		c->since_us = now_us() + l->probe_us;
	}
}

static void take(Load *l, Connection *c)
{
	static char buf[65536];
	ssize_t n = read(c->fd, buf, sizeof(buf));
	if (n <= 0) {
		l->errors++;
		close(c->fd);
		c->fd = -1;
		if (c->kind == STREAM)
			return;
		c->fd = dial(l);
		c->busy = false;
		return;
	}
	if (c->kind == STREAM) {
		g_string_append_len(c->in, buf, n);
		count_events(l, c);
	} else if (c->body) {
		c->left -= MIN(c->left, (size_t)n);
	} else {
		g_string_append_len(c->in, buf, n);
		if (!take_head(l, c))
			return;
	}
	if (c->kind != STREAM && !c->left)
		done(l, c);
}

/* ---- the loop ---- */

static void ask_what_is_due(Load *l, gint64 start_us)
{
	while (due_us(l, start_us) <= now_us()) {
		Due due = {choose(l), due_us(l, start_us)};
		Connection *c = free_one(l);
		l->sent++;
		if (c)
			begin(l, c, due);
		else
			g_queue_push_tail(&l->waiting, g_memdup2(&due, sizeof(due)));
	}
	for (guint i = 0; i < l->all->len; i++) {
		Connection *c = l->all->pdata[i];
		if (c->kind == PROBE && !c->busy && c->since_us <= now_us()) {
			c->due_us = now_us();
			send_request(l, c, "/healthz", NULL);
		}
	}
}

static void wait_and_take(Load *l, gint64 start_us)
{
	g_autofree struct pollfd *fds = g_new0(struct pollfd, l->all->len);
	gint64 until = MIN(due_us(l, start_us), l->end_us);
	for (guint i = 0; i < l->all->len; i++) {
		const Connection *c = l->all->pdata[i];
		fds[i] = (struct pollfd){.fd = c->fd, .events = POLLIN};
		if (c->kind == PROBE && !c->busy)
			until = MIN(until, c->since_us);
	}
	gint64 ns = MAX(until - now_us(), 0) * 1000;
	struct timespec t = {ns / 1000000000, ns % 1000000000};
	if (ppoll(fds, l->all->len, &t, NULL) < 0 && errno != EINTR)
		die("poll");
	for (guint i = 0; i < l->all->len; i++)
		if (fds[i].revents)
			take(l, l->all->pdata[i]);
}

static gint by_size(gconstpointer a, gconstpointer b)
{
	gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
	return x < y ? -1 : x > y;
}

static json_t *summary(GArray *us)
{
	json_t *o = json_pack("{s:i}", "count", (int)us->len);
	if (!us->len)
		return o;
	g_array_sort(us, by_size);
	static const struct {
		const char *key;
		double part;
	} points[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}};
	for (guint i = 0; i < G_N_ELEMENTS(points); i++) {
		guint at = MIN((guint)(points[i].part * us->len), us->len - 1);
		json_object_set_new(o, points[i].key,
				    json_real((double)g_array_index(us, gint64, at) / 1000));
	}
	return o;
}

static void print(const Load *l)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(gint64));
	json_t *routes = json_object();
	for (guint i = 0; i < l->routes->len; i++) {
		Route *r = l->routes->pdata[i];
		g_array_append_vals(all, r->us->data, r->us->len);
	}
	for (guint i = 0; i < l->routes->len; i++) { /* those of one label together */
		const Route *r = l->routes->pdata[i];
		if (json_object_get(routes, r->label))
			continue;
		g_autoptr(GArray) us = g_array_new(FALSE, FALSE, sizeof(gint64));
		for (guint k = i; k < l->routes->len; k++) {
			const Route *o = l->routes->pdata[k];
			if (g_str_equal(o->label, r->label))
				g_array_append_vals(us, o->us->data, o->us->len);
		}
		json_object_set_new(routes, r->label, summary(us));
	}
	g_autoptr(json_t) out = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i}", "all", summary(all), "routes", routes,
		"probe", summary(l->probe), "late", summary(l->late), "event_delay",
		summary(l->delay), "events", (int)l->events, "errors", (int)l->errors, "unanswered",
		(int)g_queue_get_length((GQueue *)&l->waiting));
	kx_json_line(out);
}

static void read_routes(Load *l)
{
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, stdin) > 0) {
		g_auto(GStrv) words = g_strsplit(g_strchomp(line), " ", 4);
		if (g_strv_length(words) < 3)
			continue;
		Route *r = g_new0(Route, 1);
		*r = (Route){.label = g_strdup(words[0]),
			     .weight = (unsigned)atoi(words[1]),
			     .path = g_strdup(words[2]),
			     .header = g_strdup(words[3]),
			     .us = g_array_new(FALSE, FALSE, sizeof(gint64))};
		l->weights += r->weight;
		g_ptr_array_add(l->routes, r);
	}
	free(line);
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fputs("usage: load_client PORT RATE SECONDS STREAMS PROBE_MS < ROUTES\n", stderr);
		return 2;
	}
	Load l = {.port = (uint16_t)atoi(argv[1]),
		  .rate = g_ascii_strtod(argv[2], NULL),
		  .probe_us = g_ascii_strtoll(argv[5], NULL, 10) * 1000,
		  .routes = g_ptr_array_new(),
		  .all = g_ptr_array_new(),
		  .rand = g_rand_new_with_seed(1),
		  .late = g_array_new(FALSE, FALSE, sizeof(gint64)),
		  .probe = g_array_new(FALSE, FALSE, sizeof(gint64)),
		  .delay = g_array_new(FALSE, FALSE, sizeof(gint64))};
	read_routes(&l);
	if (l.rate > 0 && !l.weights)
		die("no routes");
	for (int i = 0; l.rate > 0 && i < CONNECTIONS; i++)
		add(&l, REQUEST);
	for (int i = 0; i < atoi(argv[4]); i++)
		add(&l, STREAM);
	if (l.probe_us)
		add(&l, PROBE);
	gint64 start = now_us();
	l.end_us = start + (gint64)(g_ascii_strtod(argv[3], NULL) * 1e6);
	while (now_us() < l.end_us) {
		ask_what_is_due(&l, start);
		wait_and_take(&l, start);
	}
	print(&l);
	return l.errors ? 1 : 0;
}
