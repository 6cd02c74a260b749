/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is at the other end of a connection, asked in both ways. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/http-internal.h"

typedef struct {
	int listener, client, server;
} Pair;

static bool connect_pair(Pair *p, struct sockaddr *address, socklen_t len)
{
	int family = address->sa_family;
	p->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	p->client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	p->server = -1;
	if (p->listener < 0 || p->client < 0 || bind(p->listener, address, len) != 0 ||
	    listen(p->listener, 1) != 0 || getsockname(p->listener, address, &len) != 0 ||
	    connect(p->client, address, len) != 0)
		return false;
	p->server = accept(p->listener, NULL, NULL);
	return p->server >= 0;
}

static void end_pair(const Pair *p)
{
	const int all[] = {p->listener, p->client, p->server};
	for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
		if (all[i] >= 0)
			close(all[i]);
}

/* sock_diag may be missing in a container; /proc/net/tcp is there. */
static void ask_both(const Pair *p)
{
	uid_t uid = (uid_t)-1;
	assert_true(http_peer_uid_by_proc(p->server, &uid));
	assert_int_equal(uid, geteuid());
	uid = (uid_t)-1;
	if (http_peer_uid_by_diag(p->server, &uid))
		assert_int_equal(uid, geteuid());
	assert_true(http_peer_is_ours(p->server, NULL));
}

static void by_ipv4(void **state)
{
	Pair p;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_true(connect_pair(&p, (struct sockaddr *)(void *)&a, sizeof(a)));
	ask_both(&p);
	/* what has gone belongs to nobody */
	close(p.client);
	p.client = -1;
	uid_t uid;
	assert_false(http_peer_uid_by_proc(p.server, &uid));
	assert_false(http_peer_uid_by_diag(p.server, &uid));
	end_pair(&p);
}

static void by_ipv6(void **state)
{
	Pair p;
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	if (connect_pair(&p, (struct sockaddr *)(void *)&a, sizeof(a)))
		ask_both(&p);
	else
		print_message("[  SKIPPED ] there is no IPv6 here\n");
	end_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_ipv4), cmocka_unit_test(by_ipv6)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
