/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent is process 1 of the initramfs, in the launcher (where it takes a kernel and kexecs it)
 * and in the variant (where it says who runs, streams the kernel's log and sends the ACPI tables).
 * It never exits: an ending process 1 is a panic, which would be taken for the variant's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/agent_protocol.h"

/* ---- system.c: the machine ---- */

/* Mounts /proc, /sys, /dev, /run where they are not mounted; makes the few device nodes that are
 * needed when there is no devtmpfs. */
void system_mount(void);
/* True when `word` stands in /proc/cmdline. */
bool system_has_parameter(const char *word);
/* Reads a small file to buf as text without its last newline; "" when it cannot be read. */
void system_read(const char *path, char *buf, size_t size);
/* Writes text to the console through the kernel's log, so that it cannot be torn apart by other
 * lines, and directly too where the kernel log does not go to the console. */
void system_say(const char *text);
void system_sleep_us(uint64_t us);
/* To the microsecond: the end of it is spent on looking at the clock. */
void system_wait_us(uint64_t us);
/* Passes about a millisecond by working. Where the machine's clock counts its instructions, a sleep
 * is over at once (docs/targets.md): what waits for the host must not sleep, or its patience has no
 * length. */
void system_work(void);
uint64_t system_now_us(void);
/* Runs argv[0] and keeps the end of what it wrote. Exit status, or 128 + signal, or -1. */
int system_run(char *const argv[], char *output, size_t size);

/* ---- port.c: the channel to the host ---- */

/* Opens the virtio-serial port AGENT_PORT; waits up to wait_us for it to appear, when the driver is
 * there. Returns false when there is none: all sending is then done nowhere. */
bool port_open(uint64_t wait_us);
int port_fd(void);
/* Sends one frame (a payload that is too long is cut). After 10 s in which the host takes nothing
 * the port is closed. */
void port_send(AgentType type, const void *payload, size_t len);
void port_send_text(AgentType type, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Answers a ping. */
void port_hello(const char *role, const char *echo);
/* Reads what is there and hands the frames out; sleeps a little when the host is away. */
void port_receive(AgentFrameFunc on_frame, void *user);

/* ---- the two roles; neither returns ---- */
void variant_main(void) __attribute__((noreturn));
void launcher_main(void) __attribute__((noreturn));
