/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The harness's end of the channel, against the same protocol on the other end of a socket pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "base/error.h"
#include "target/agent_link.h"

typedef struct {
	AgentDecoder decoder;
	uint8_t buffer[AGENT_MAX_FRAME + 1];
	GByteArray *file;
	GString *seen;
} Peer;

static bool take(AgentType type, const uint8_t *payload, size_t len, void *user)
{
	Peer *p = user;
	if (type == AGENT_DATA)
		g_byte_array_append(p->file, payload, (guint)len);
	else
		g_string_append_printf(p->seen, "%d:%s;", (int)type, (const char *)payload);
	return true;
}

static void ignore(AgentType type, const char *payload, gsize len, gpointer user)
{
}

/* Reads slowly, as a guest does, while the main loop writes. */
static void pump(Peer *p, int fd)
{
	char buf[5000];
	for (int idle = 0; idle < 20;) {
		g_main_context_iteration(NULL, FALSE);
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			assert_true(agent_decode(&p->decoder, buf, (size_t)n, take, p));
		idle = n > 0 ? 0 : idle + 1;
	}
}

static void test_file_goes_over_whole(void **state)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	g_autofree char *path = NULL;
	int file = g_file_open_tmp("kexsect-link-XXXXXX", &path, NULL);
	g_autofree char *data = g_malloc(3 << 20);
	for (gsize i = 0; i < 3 << 20; i++)
		data[i] = (char)(i * 7 + i / 4096);
	assert_int_equal(write(file, data, (3 << 20) - 17), (3 << 20) - 17);
	close(file);
	Peer p = {.file = g_byte_array_new(), .seen = g_string_new(NULL)};
	agent_decoder_init(&p.decoder, p.buffer);
	AgentLink *l = agent_link_new(fds[0], ignore, NULL);
	assert_true(agent_link_send_file(l, "kernel", path, NULL));
	agent_link_send_text(l, AGENT_KEXEC, "%u %s", 5u, "console=ttyS0");
	pump(&p, fds[1]);
	assert_string_equal(p.seen->str, "2:kernel 3145711;4:5 console=ttyS0;");
	assert_int_equal(p.file->len, (3 << 20) - 17);
	assert_memory_equal(p.file->data, data, (3 << 20) - 17);
	agent_link_free(l);
	close(fds[1]);
	g_unlink(path);
	g_byte_array_unref(p.file);
	g_string_free(p.seen, TRUE);
}

static void test_files_that_cannot_go(void **state)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	AgentLink *l = agent_link_new(fds[0], ignore, NULL);
	g_autoptr(GError) e = NULL;
	assert_false(agent_link_send_file(l, "kernel", "/nowhere/kernel", &e));
	assert_true(g_error_matches(e, KX_ERROR, KX_ERROR_MISSING));
	assert_false(agent_link_send_file(l, "kernel", "/dev/null", NULL));
	agent_link_free(l);
	close(fds[1]);
}

static void count(AgentType type, const char *payload, gsize len, gpointer user)
{
	++*(int *)user;
}

/* A peer that goes away, in the middle of a frame, and one that is not there to read. */
static void test_peer_goes(void **state)
{
	int fds[2], frames = 0;
	uint8_t header[AGENT_HEADER];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	AgentLink *l = agent_link_new(fds[0], count, &frames);
	agent_frame_header(header, AGENT_NOTE, 0, "abcd", 4);
	assert_int_equal(write(fds[1], header, sizeof(header)), sizeof(header));
	assert_int_equal(write(fds[1], "abcd", 4), 4);
	assert_int_equal(write(fds[1], header, 7), 7);
	close(fds[1]);
	agent_link_send_text(l, AGENT_PING, "there?");
	for (int i = 0; i < 50; i++)
		g_main_context_iteration(NULL, FALSE);
	assert_int_equal(frames, 1);
	agent_link_free(l);
}

static void test_hello_values(void **state)
{
	const char *hello = "role=launcher\nversion=#kx1 SMP\necho=\ncmdline=role=x version=y\n";
	g_autofree char *role = agent_hello_value(hello, "role");
	g_autofree char *version = agent_hello_value(hello, "version");
	g_autofree char *echo = agent_hello_value(hello, "echo");
	g_autofree char *cmdline = agent_hello_value(hello, "cmdline");
	assert_string_equal(role, "launcher");
	assert_string_equal(version, "#kx1 SMP");
	assert_string_equal(echo, "");
	assert_string_equal(cmdline, "role=x version=y");
	assert_null(agent_hello_value(hello, "boot_id"));
	assert_null(agent_hello_value("", "role"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_goes_over_whole),
		cmocka_unit_test(test_files_that_cannot_go),
		cmocka_unit_test(test_peer_goes),
		cmocka_unit_test(test_hello_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
