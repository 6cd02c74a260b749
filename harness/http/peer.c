/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which user of this machine is at the other end of a connection over loopback: the kernel knows
 * the owner of that socket, too: by sock_diag(7), and where a container has none, by the slower
 * /proc/net/tcp (proc(5)). Through an ssh tunnel it is the user who logged in.
 */
#include <errno.h>
#include <grp.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http-internal.h"

#define MAX_GROUPS 1024

typedef union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} Address;

/* The other end's socket, as it sees itself: its source is our destination. */
static bool make_question(int fd, struct inet_diag_req_v2 *ret)
{
	Address here, there;
	socklen_t len = sizeof(here);
	if (getsockname(fd, &here.any, &len) != 0)
		return false;
	len = sizeof(there);
	if (getpeername(fd, &there.any, &len) != 0 || here.any.sa_family != there.any.sa_family)
		return false;
	*ret = (struct inet_diag_req_v2){
		.sdiag_family = (__u8)here.any.sa_family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = ~0u,
		.id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}};
	if (here.any.sa_family == AF_INET) {
		ret->id.idiag_sport = there.v4.sin_port;
		ret->id.idiag_dport = here.v4.sin_port;
		memcpy(ret->id.idiag_src, &there.v4.sin_addr, sizeof(there.v4.sin_addr));
		memcpy(ret->id.idiag_dst, &here.v4.sin_addr, sizeof(here.v4.sin_addr));
		return true;
	}
	ret->id.idiag_sport = there.v6.sin6_port;
	ret->id.idiag_dport = here.v6.sin6_port;
	memcpy(ret->id.idiag_src, &there.v6.sin6_addr, sizeof(there.v6.sin6_addr));
	memcpy(ret->id.idiag_dst, &here.v6.sin6_addr, sizeof(here.v6.sin6_addr));
	return here.any.sa_family == AF_INET6;
}

/* Of exactly this connection, and while somebody has it open: what is left of a closed one belongs
 * to nobody, which looks like uid 0. */
static bool take_answer(const struct inet_diag_msg *m, const struct inet_diag_req_v2 *asked,
			uid_t *ret)
{
	if (m->id.idiag_sport != asked->id.idiag_sport ||
	    m->id.idiag_dport != asked->id.idiag_dport || !m->idiag_inode)
		return false;
	*ret = m->idiag_uid;
	return true;
}

static bool ask(int diag, const struct inet_diag_req_v2 *question, uid_t *ret)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} out = {.head = {.nlmsg_len = sizeof(out),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST},
		 .body = *question};
	union {
		struct nlmsghdr head;
		char bytes[8192];
	} in;
	if (send(diag, &out, sizeof(out), 0) != (ssize_t)sizeof(out))
		return false;
	/* the kernel has answered when send() returns */
	ssize_t n = recv(diag, &in, sizeof(in), MSG_DONTWAIT);
	return n > 0 && NLMSG_OK(&in.head, (size_t)n) &&
	       in.head.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
	       in.head.nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)) &&
	       take_answer(NLMSG_DATA(&in.head), question, ret);
}

/* As /proc/net/tcp and tcp6 write an end: words of the address as the machine reads them. */
static void format_end(char *out, gsize size, const __be32 *address, __be16 port, int words)
{
	int n = 0;
	for (int i = 0; i < words; i++)
		n += g_snprintf(out + n, size - (gsize)n, "%08X", address[i]);
	g_snprintf(out + n, size - (gsize)n, ":%04X", ntohs(port));
}

bool http_peer_uid_by_proc(int fd, uid_t *ret)
{
	struct inet_diag_req_v2 q;
	if (!make_question(fd, &q))
		return false;
	bool v4 = q.sdiag_family == AF_INET;
	char here[64], there[64], from[64], to[64], line[512];
	format_end(here, sizeof(here), q.id.idiag_src, q.id.idiag_sport, v4 ? 1 : 4);
	format_end(there, sizeof(there), q.id.idiag_dst, q.id.idiag_dport, v4 ? 1 : 4);
	FILE *f = fopen(v4 ? "/proc/net/tcp" : "/proc/net/tcp6", "re");
	bool found = false;
	unsigned uid;
	unsigned long inode;
	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, " %*u: %63s %63s %*x %*s %*s %*s %u %*u %lu", from, to, &uid,
			       &inode) == 4 &&
			inode && g_str_equal(from, here) && g_str_equal(to, there);
	if (f)
		fclose(f);
	if (found)
		*ret = uid;
	return found;
}

bool http_peer_uid_by_diag(int fd, uid_t *ret)
{
	struct inet_diag_req_v2 question;
	if (!make_question(fd, &question))
		return false;
	int diag = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (diag < 0)
		return false;
	bool ok = ask(diag, &question, ret);
	close(diag);
	return ok;
}

static bool is_in_group(uid_t uid, const char *name)
{
	const struct group *g = getgrnam(name);
	gid_t wanted = g ? g->gr_gid : (gid_t)-1, all[MAX_GROUPS];
	const struct passwd *user = g ? getpwuid(uid) : NULL;
	int n = MAX_GROUPS;
	if (!user || getgrouplist(user->pw_name, user->pw_gid, all, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (all[i] == wanted)
			return true;
	return false;
}

bool http_peer_is_ours(int fd, const char *group)
{
	uid_t uid;
	return (http_peer_uid_by_diag(fd, &uid) || http_peer_uid_by_proc(fd, &uid)) &&
	       (uid == 0 || uid == geteuid() || (group && is_in_group(uid, group)));
}
