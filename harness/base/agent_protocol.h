/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frames between the harness and the agent in the machine, over any byte stream. Plain C
 * without GLib: the agent is a small static program. docs/agent.md describes the messages.
 *
 * A frame is a 16-byte header and a payload of 0…AGENT_MAX_PAYLOAD bytes; all numbers are
 * little-endian: 0  magic "KXF1"   4  type   5  zero   6  sequence (u16)   8  payload length (u32)
 *   12 CRC-32 (IEEE 802.3) of bytes 0…11 and the payload
 * A receiver that finds anything else skips to the next magic, so a stream may start or break
 * anywhere. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	AGENT_HEADER = 16,
	AGENT_MAX_PAYLOAD = 64 * 1024,
	AGENT_MAX_FRAME = AGENT_HEADER + AGENT_MAX_PAYLOAD,
	AGENT_MAX_FILE = 512 * 1024 * 1024, /* a delivered kernel or initrd */
};

/* The name of the virtio-serial port. */
#define AGENT_PORT "org.kexsect.agent.0"
/* What the agent writes to the console when the variant is up, followed by the identity. */
#define AGENT_ALIVE "kexsect: alive "
/* What the launcher's writes there when it answers. */
#define AGENT_READY "kexsect: launcher ready"
/* Where in its initramfs a launcher finds its orders before time runs: kernel, initrd, and kexec, a
 * text as in AGENT_KEXEC; and what it then writes to the console. */
#define AGENT_ORDERS "orders"
#define AGENT_ORDERED "kexsect: kexec as ordered"

typedef enum {
	/* to the agent */
	AGENT_PING = 1,	 /* text: any; the answer is AGENT_HELLO with echo=<text> */
	AGENT_FILE = 2,	 /* text "NAME SIZE": a file begins; NAME is kernel or initrd */
	AGENT_DATA = 3,	 /* the next bytes of it */
	AGENT_KEXEC = 4, /* text "WAIT_US CMDLINE" */
	/* from the agent */
	AGENT_HELLO = 16, /* text: lines of role=, version=, release=, boot_id=, echo=, cmdline= */
	AGENT_KMSG = 17,  /* one record as read from /dev/kmsg, or raw log text */
	AGENT_TABLE = 18, /* NAME, NUL, content: one ACPI table */
	AGENT_IS_ALIVE = 19, /* text: identity; everything logged until now was sent before */
	AGENT_FILE_OK = 20,  /* text "NAME SIZE" */
	AGENT_LOADED = 21,   /* text: how the kernel was loaded; kexec follows at once */
	AGENT_FAILED = 22,   /* text: what failed, with the output of the program that failed */
	AGENT_NOTE = 23,     /* text: for the log */
} AgentType;

/* Writes the header for `payload` to header[AGENT_HEADER]. `len` must not exceed AGENT_MAX_PAYLOAD.
 */
void agent_frame_header(uint8_t *header, AgentType type, uint16_t sequence, const void *payload,
			size_t len);

/* Takes a stream apart. */
typedef struct {
	uint8_t *buffer; /* AGENT_MAX_FRAME bytes, given by the caller */
	size_t have;
	uint64_t skipped; /* bytes that belonged to no valid frame */
	unsigned rescans;
} AgentDecoder;

/* One valid frame; payload[len] is 0, so that text can be used as it is. Return false to stop. */
typedef bool (*AgentFrameFunc)(AgentType type, const uint8_t *payload, size_t len, void *user);

/* A decoder over `buffer`, which has AGENT_MAX_FRAME + 1 bytes. */
void agent_decoder_init(AgentDecoder *d, uint8_t *buffer);
/* Takes the next bytes and calls `on_frame` for each frame that is complete. False when on_frame
 * said stop. */
bool agent_decode(AgentDecoder *d, const void *data, size_t len, AgentFrameFunc on_frame,
		  void *user);
