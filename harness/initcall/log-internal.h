/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One message of initcall_debug: log.c reads it, log_steps.c makes steps of it. */
#pragma once

#include "initcall/log.h"

typedef enum {
	INITCALL_MESSAGE_BEGIN,
	INITCALL_MESSAGE_END,
	INITCALL_MESSAGE_LEVEL,
	INITCALL_MESSAGE_BLACKLISTED,
	INITCALL_MESSAGE_DEFERRED,
	INITCALL_MESSAGE_PENDING,
} InitcallMessageType;

/* Texts point into the line. */
typedef struct {
	InitcallMessageType type;
	InitcallStepKind kind;
	const char *name, *module, *device;
	size_t name_len, module_len, device_len;
	gint64 pid, async, took_us; /* -1: not said */
	bool has_result, millis;
	int result;
} InitcallMessage;

/* The next message in [from, end) of a line that starts at `text`; where to go on, or NULL. */
const char *initcall_message_next(const char *text, const char *from, const char *end,
				  InitcallMessage *ret);
/* The line says that a device must wait for something. */
bool initcall_message_note(const char *text, size_t len, InitcallMessage *ret);
