/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "base/agent_protocol.h"

static uint8_t buffer[AGENT_MAX_FRAME + 1];

static void add_frame(GByteArray *to, AgentType type, const void *payload, gsize len)
{
	uint8_t header[AGENT_HEADER];
	agent_frame_header(header, type, 7, payload, len);
	g_byte_array_append(to, header, sizeof(header));
	g_byte_array_append(to, payload, (guint)len);
}

static void add_text(GByteArray *to, AgentType type, const char *text)
{
	add_frame(to, type, text, strlen(text));
}

/* Collects "TYPE:text;" and checks what each frame promises. */
static bool collect(AgentType type, const uint8_t *payload, size_t len, void *user)
{
	assert_true(len <= AGENT_MAX_PAYLOAD);
	assert_int_equal(payload[len], 0);
	g_string_append_printf(user, "%d:%.40s;", (int)type, (const char *)payload);
	return true;
}

static char *decode(const GByteArray *bytes, gsize step, AgentDecoder *d)
{
	g_autoptr(GString) seen = g_string_new(NULL);
	agent_decoder_init(d, buffer);
	for (gsize at = 0; at < bytes->len; at += step)
		assert_true(agent_decode(d, bytes->data + at, MIN(step, bytes->len - at), collect,
					 seen));
	return g_strdup(seen->str);
}

static void test_frames_in_any_pieces(void **state)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	AgentDecoder d;
	add_text(bytes, AGENT_HELLO, "role=variant");
	add_text(bytes, AGENT_KMSG, "");
	add_text(bytes, AGENT_IS_ALIVE, "kx0123456789ab");
	const gsize steps[] = {1, 2, 3, 5, 16, 17, 1000};
	for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autofree char *seen = decode(bytes, steps[i], &d);
		assert_string_equal(seen, "16:role=variant;17:;19:kx0123456789ab;");
		assert_int_equal(d.skipped, 0);
	}
}

static void test_largest_frame(void **state)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autofree char *big = g_strnfill(AGENT_MAX_PAYLOAD, 'a');
	AgentDecoder d;
	add_text(bytes, AGENT_DATA, big);
	add_text(bytes, AGENT_NOTE, "after");
	g_autofree char *seen = decode(bytes, 4096, &d);
	assert_non_null(strstr(seen, ";23:after;"));
}

static void test_garbage_and_cut_frames(void **state)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	AgentDecoder d;
	g_byte_array_append(bytes, (const guint8 *)"noise KXF KXFKXF1", 17);
	add_text(bytes, AGENT_NOTE, "one");
	gsize cut = bytes->len;
	add_text(bytes, AGENT_NOTE, "this one is cut off");
	g_byte_array_set_size(bytes, (guint)cut + 20);
	add_text(bytes, AGENT_NOTE, "two");
	/* the cut frame takes bytes of the next for its own until its CRC turns out wrong */
	g_autofree char *fill = g_strnfill(100, ' ');
	add_text(bytes, AGENT_NOTE, fill);
	g_autofree char *seen = decode(bytes, 11, &d);
	assert_non_null(strstr(seen, "23:one;23:two;"));
	assert_true(d.skipped >= 17 + 20);
}

static void test_flipped_bits(void **state)
{
	g_autoptr(GByteArray) good = g_byte_array_new();
	AgentDecoder d;
	add_text(good, AGENT_NOTE, "payload");
	for (guint bit = 0; bit < good->len * 8; bit++) {
		g_autoptr(GByteArray) bytes = g_byte_array_new();
		g_byte_array_append(bytes, good->data, good->len);
		bytes->data[bit / 8] ^= (guint8)(1 << bit % 8);
		g_autofree char *seen = decode(bytes, 64, &d);
		assert_string_equal(seen, "");
	}
}

/* A hostile peer: any bytes, with pieces of real frames between them. Nothing may be read or
 * written out of bounds (the sanitizers look), and frames that are whole at the end must come
 * through. */
static void test_hostile_stream(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	for (int round = 0; round < 300; round++) {
		g_autoptr(GByteArray) bytes = g_byte_array_new();
		AgentDecoder d;
		for (int i = 0; i < 40; i++) {
			guint8 header[AGENT_HEADER] = "KXF1";
			guint32 len = (guint32)g_rand_int(rand) >> g_rand_int_range(rand, 0, 32);
			memcpy(header + 8, &len, 4);
			if (g_rand_boolean(rand))
				g_byte_array_append(bytes, header,
						    (guint)g_rand_int_range(rand, 1, AGENT_HEADER));
			else
				g_byte_array_append(bytes, header, AGENT_HEADER);
		}
		guint8 zeros[1024] = {0};
		for (int i = 0; i < AGENT_MAX_FRAME / 1024 + 1; i++)
			g_byte_array_append(bytes, zeros, sizeof(zeros));
		add_text(bytes, AGENT_NOTE, "end");
		for (int i = 0; i < AGENT_MAX_FRAME / 1024 + 1; i++)
			g_byte_array_append(bytes, zeros, sizeof(zeros));
		g_autofree char *seen = decode(bytes, (gsize)g_rand_int_range(rand, 1, 5000), &d);
		assert_string_equal(seen, "23:end;");
	}
}

/* 64 MiB of frame headers that promise much: the work for each byte stays bounded. */
static void test_bad_frames_cost_little(void **state)
{
	g_autofree guint8 *block = g_malloc0(1 << 20);
	for (gsize at = 0; at + AGENT_HEADER < 1 << 20; at += 20) {
		guint32 len = AGENT_MAX_PAYLOAD;
		memcpy(block + at, "KXF1", 4);
		memcpy(block + at + 8, &len, 4);
	}
	AgentDecoder d;
	g_autoptr(GString) seen = g_string_new(NULL);
	agent_decoder_init(&d, buffer);
	gint64 start = g_get_monotonic_time();
	for (int i = 0; i < 64; i++)
		assert_true(agent_decode(&d, block, 1 << 20, collect, seen));
	assert_string_equal(seen->str, "");
	assert_true(g_get_monotonic_time() - start < 20 * G_USEC_PER_SEC);
	assert_true(d.skipped > 63u << 20);
}

static bool stop(AgentType type, const uint8_t *payload, size_t len, void *user)
{
	++*(int *)user;
	return false;
}

static void test_stop(void **state)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	AgentDecoder d;
	int calls = 0;
	add_text(bytes, AGENT_NOTE, "one");
	add_text(bytes, AGENT_NOTE, "two");
	agent_decoder_init(&d, buffer);
	assert_false(agent_decode(&d, bytes->data, bytes->len, stop, &calls));
	assert_int_equal(calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_in_any_pieces),
		cmocka_unit_test(test_largest_frame),
		cmocka_unit_test(test_garbage_and_cut_frames),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_hostile_stream),
		cmocka_unit_test(test_bad_frames_cost_little),
		cmocka_unit_test(test_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
