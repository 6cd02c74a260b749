/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/agent_protocol.h"

#include <string.h>
#include <zlib.h>

static const uint8_t magic[4] = {'K', 'X', 'F', '1'};

static void put_le32(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get_le32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static uint32_t frame_crc(const uint8_t *header, const void *payload, size_t len)
{
	uLong crc = crc32(crc32(0, NULL, 0), header, 12);
	return (uint32_t)(len ? crc32(crc, payload, (uInt)len) : crc);
}

void agent_frame_header(uint8_t *header, AgentType type, uint16_t sequence, const void *payload,
			size_t len)
{
	memcpy(header, magic, 4);
	header[4] = (uint8_t)type;
	header[5] = 0;
	header[6] = (uint8_t)sequence;
	header[7] = (uint8_t)(sequence >> 8);
	put_le32(header + 8, (uint32_t)len);
	put_le32(header + 12, frame_crc(header, payload, len));
}

void agent_decoder_init(AgentDecoder *d, uint8_t *buffer)
{
	*d = (AgentDecoder){.buffer = buffer};
}

/* A wrong CRC usually means a frame that was cut off, with good ones behind its header; so the
 * bytes are searched again. A peer that makes bad frames on purpose gets that so often, then they
 * are skipped whole, which bounds the work for each byte received. */
#define MAX_RESCANS 64

/* Where from `at` on a frame begins, or may begin once more bytes are there. */
static size_t find_magic(const AgentDecoder *d, size_t at)
{
	while (at < d->have) {
		size_t n = d->have - at < 4 ? d->have - at : 4;
		if (memcmp(d->buffer + at, magic, n) == 0)
			break;
		at++;
	}
	return at;
}

/* Length of the whole frame at `at`; 0: no valid header; SIZE_MAX: too few bytes to tell. */
static size_t frame_length(const AgentDecoder *d, size_t at)
{
	const uint8_t *p = d->buffer + at;
	size_t have = d->have - at;
	if (memcmp(p, magic, have < 4 ? have : 4) != 0)
		return 0;
	if (have < AGENT_HEADER)
		return SIZE_MAX;
	uint32_t len = get_le32(p + 8);
	return p[5] == 0 && len <= AGENT_MAX_PAYLOAD ? AGENT_HEADER + (size_t)len : 0;
}

static bool give_frame(uint8_t *frame, size_t total, AgentFrameFunc on_frame, void *user)
{
	uint8_t next = frame[total];
	frame[total] = 0;
	bool go_on =
		on_frame((AgentType)frame[4], frame + AGENT_HEADER, total - AGENT_HEADER, user);
	frame[total] = next;
	return go_on;
}

/* Hands out what is complete. False: stop was asked for. */
static bool take_frames(AgentDecoder *d, AgentFrameFunc on_frame, void *user)
{
	bool go_on = true;
	size_t at = 0;
	while (at < d->have && go_on) {
		size_t total = frame_length(d, at);
		if (total == SIZE_MAX || (total > 0 && total > d->have - at))
			break;
		uint8_t *frame = d->buffer + at;
		size_t next = at + total;
		if (total > 0 && get_le32(frame + 12) == frame_crc(frame, frame + AGENT_HEADER,
								   total - AGENT_HEADER)) {
			go_on = give_frame(frame, total, on_frame, user);
		} else {
			if (total == 0 || d->rescans++ < MAX_RESCANS)
				next = find_magic(d, at + 1);
			d->skipped += next - at;
		}
		at = next;
	}
	d->have -= at;
	memmove(d->buffer, d->buffer + at, d->have);
	return go_on;
}

bool agent_decode(AgentDecoder *d, const void *data, size_t len, AgentFrameFunc on_frame,
		  void *user)
{
	const uint8_t *p = data;
	while (len > 0) {
		size_t n = AGENT_MAX_FRAME - d->have;
		if (n > len)
			n = len;
		memcpy(d->buffer + d->have, p, n);
		d->have += n;
		p += n;
		len -= n;
		if (!take_frames(d, on_frame, user))
			return false;
	}
	return true;
}
