/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a driver of a kind of machine offers to target.c and boot.c. A driver moves bytes and power;
 * delivering files, kexec and watching are the same for all and speak over the two streams that the
 * driver gives: the console and, if there is one, the agent's channel. A new driver is one file
 * with one TargetOps and one line in drivers[] of target.c. */
#pragma once

#include <sys/types.h>

#include "target/target.h"

/* What the machine is to be started with when it does not come from a saved launcher. */
typedef struct {
	const char *kernel, *initrd, *cmdline;
	unsigned phase_us; /* the firmware waits so long before it starts it */
} TargetImage;

/* Set by the driver when the machine is there but does not run yet, so that no byte is lost. */
typedef struct {
	int console; /* stream of console output; the receiver closes it */
	/* NULL: it is read with read(2). Else `console` only says when it can be read, and this
	 * reads `source` in its place, with the same results. */
	ssize_t (*read)(gpointer source, char *buf, gsize size);
	gpointer source;
	int agent;    /* stream to the agent, or -1; the receiver closes it */
	bool warm;    /* it continues from a running launcher */
	bool ordered; /* the launcher has its orders: nothing is delivered */
} TargetLink;

/* What the launcher is to start, and when. */
typedef struct {
	const char *kernel, *initrd, *cmdline;
	unsigned wait_us;
} TargetOrders;

/* What the driver itself sees, told through target_notify() from the main context. */
typedef enum {
	TARGET_EVENT_RESET,
	TARGET_EVENT_WATCHDOG,
	TARGET_EVENT_POWEROFF,
	TARGET_EVENT_DIED,
} TargetEvent;

typedef struct TargetOps {
	const char *name; /* of the `driver` key */
	TargetDriver driver;
	/* Connects; sets t->priv and t->description. */
	bool (*open)(Target *t, GError **error);
	/* Brings the launcher up, from its saved state where there is one. A driver that can give
	 * it its orders before it runs does so and sets ret->ordered. `orders` is NULL when the
	 * launcher only has to answer (recover.h). */
	bool (*start_launcher)(Target *t, const TargetOrders *orders, TargetLink *ret,
			       GError **error);
	/* Starts `image` by the firmware. */
	bool (*start_cold)(Target *t, const TargetImage *image, TargetLink *ret, GError **error);
	/* The streams are connected: lets the machine run. */
	bool (*go)(Target *t, GError **error);
	/* ---- what the recovery ladder climbs (recover.h); each is NULL when a machine has none.
	 * All but attach() may be called on another thread, one at a time, while the caller
	 * iterates the main context; they may block. One that does not return in the time of its
	 * step is given up, and the next is called all the same, while it may still hang. ---- */
	/* A key of the magic SysRq (l, t, w: traces) by the console: a BREAK and the key. True: it
	 * was sent; whether the kernel heard it shows on the console. */
	bool (*sysrq)(Target *t, char key);
	/* An NMI. True: it was sent. */
	bool (*interrupt)(Target *t);
	/* Resets the machine where it stands: it then boots what it boots by itself, which is the
	 * launcher unless it was started cold. True says only that the command was taken. */
	bool (*reset)(Target *t, GError **error);
	/* Power on or off. On boots the launcher afresh. True says only that the command was
	 * taken: what counts is powered(). */
	bool (*power)(Target *t, bool on, GError **error);
	/* 1 on, 0 off, -1 not known. */
	int (*powered)(Target *t);
	/* The streams of the machine that reset() or power() left running; any older ones of it are
	 * closed. On the main thread. NULL where these two are. */
	bool (*attach)(Target *t, TargetLink *ret, GError **error);
	/* ---- */
	/* Ends the machine, or resets it to where start_launcher can begin; fine when it is not
	 * running. */
	void (*stop)(Target *t);
	/* The launcher that it gave did not answer: the next one must not come from the same state.
	 */
	void (*distrust)(Target *t);
	void (*close)(Target *t);
	/* Adds its lines to a preflight. */
	void (*check)(const TargetConfig *config, const char *cache, GPtrArray *checks);
	/* Ends what dead jobs left. */
	unsigned (*sweep)(const char *cache);
} TargetOps;

struct Target {
	TargetOptions o;
	const TargetOps *ops;
	gpointer priv;
	char *description;
	char *dir; /* temporary folder, made and removed by the driver */
	char *variant_initrd, *launcher_initrd; /* files in dir */
	struct Boot *boot;			/* the running one */
	/* recover.c */
	bool standing;	   /* it runs as a failed boot or the ladder left it */
	bool cold;	   /* a reset would start a variant again, not the launcher */
	bool start_failed; /* the last boot could not even be started */
	unsigned in_vain;  /* failures of the lab since a boot last went well */
	gint left_behind;  /* orders that did not return: limited.h */
};

extern const TargetOps target_libvirt_ops, target_simulated_ops;

/* Reads the console of a link without blocking, as read(2) does. */
ssize_t target_link_read(const TargetLink *link, char *buf, gsize size);

void target_notify(Target *t, TargetEvent event);
void target_step(Target *t, const char *step);
/* Appends one TargetCheck; takes `detail`. */
void target_check_add(GPtrArray *checks, const char *what, bool ok, char *detail);
