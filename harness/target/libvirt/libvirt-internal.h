/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the libvirt driver:
 *   rundir      the temporary folder of one process below <cache>/vm, and what dead jobs left there
 *   embed       the connection (qemu:///embed in that folder, or the URI of the configuration)
 *   domain_xml  the machine as libvirt's XML
 *   machine     one domain: created or restored paused, streams connected, run, killed
 *   states      the saved launcher
 *   tables      ACPI tables that the machine's firmware itself is given
 *   accel       whether KVM really works
 *   check       the preflight
 *   driver      TargetOps */
#pragma once

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/agent_protocol.h"
#include "target/answer.h"
#include "target/driver.h"
#include "target/record/pump.h"

/* ---- rundir.c ---- */
/* The folder of this process, made below <cache>/vm at the first call and removed when the process
 * exits; its path is short enough for the UNIX sockets in it. It is locked as long as the process
 * lives. */
const char *rundir_own(const char *cache, GError **error);
/* Notes the machine's process, for a sweep after our death. */
void rundir_note_pid(const char *dir, int pid);
unsigned rundir_sweep(const char *cache);

/* ---- embed.c ---- */
/* Opens `uri`, or the embedded driver in dir when it is NULL. Registers libvirt's event loop, which
 * iterates GLib's default main context (src/util/vireventglib.c), so that iterating that context is
 * all a caller does. */
virConnectPtr embed_open(const char *uri, const char *cache, const char *dir, GError **error);
/* NULL is fine. */
void embed_close(virConnectPtr conn);
/* Sets *error from libvirt's last error. Always false. */
bool libvirt_failed(GError **error, const char *what);
/* This QEMU's amd-iommu delivers its events to the guest. From 10.2 on: before, a mask test that is
 * always true ended amdvi_log_event() and the log's tail was never moved (hw/i386/amd_iommu.c). */
bool libvirt_logs_to_guest(virConnectPtr conn);
bool libvirt_version_logs_to_guest(unsigned long version);
/* "9.0.0" from 9000000. */
char *libvirt_version_text(unsigned long version);

/* ---- domain_xml.c ---- */
#define DOMAIN_NAME "kexsect"
typedef struct {
	const TargetConfig *config;
	bool kvm;
	const char *emulator;
	const char *kernel, *initrd, *cmdline; /* that the firmware starts */
	const char *console, *agent;	       /* paths of UNIX sockets */
	const char *record;		       /* FIFO for the emulator's log; NULL: none */
	const char *firmware; /* folder of its ACPI tables; NULL: those that QEMU makes */
	const char *rom;      /* an option ROM that the firmware runs before it; NULL: none */
} DomainSpec;
char *domain_xml(const DomainSpec *spec, GError **error);
/* The emulator program that is used on this host; NULL when it is not installed. */
char *domain_emulator(void);

/* ---- machine.c ---- */
typedef struct {
	virConnectPtr conn;
	virDomainPtr dom; /* NULL: none */
	char *dir, *console, *agent;
	char *record;	  /* FIFO of the emulator's log; NULL: it says nothing of use */
	RecordPump *pump; /* of the machine that runs, or ran last */
	bool quiet;	  /* what happens is expected: not told to the target */
	bool ended;
	bool resets; /* a reset was asked for */
	int input;   /* into the console; -1: not connected */
	int pid;     /* of QEMU; 0: not known */
	int callbacks[3];
	Target *t;
} Machine;
bool machine_init(Machine *m, Target *t, virConnectPtr conn, const char *dir, GError **error);
void machine_clear(Machine *m);
bool machine_create(Machine *m, const char *xml, GError **error);
bool machine_restore(Machine *m, const char *image, const char *xml, GError **error);
bool machine_connect(Machine *m, TargetLink *ret, GError **error);
bool machine_resume(Machine *m, GError **error);
void machine_kill(Machine *m);
/* Connects, resumes and waits until on_frame says so, or until the launcher's agent answers (NULL).
 * The domain keeps running. Errors: answer.h. */
bool machine_wait(Machine *m, unsigned seconds, AnswerFrameFunc on_frame, gpointer user,
		  GError **error);
/* Orders for any thread: TargetOps. */
bool machine_sysrq(Machine *m, char key, GError **error);
bool machine_reset(Machine *m, GError **error);
bool machine_power_off(Machine *m, GError **error);
int machine_powered(const Machine *m);
/* The domain is gone: a new one may be created. */
void machine_forget(Machine *m);

/* ---- states.c, accel.c ---- */
typedef struct {
	Machine machine;
	char *emulator, *qemu_version; /* version and identity of the program file */
	char *launcher_cmdline;
	bool kvm, restored;
	char *state;	/* folder of the saved launcher; NULL until it is there */
	char *firmware; /* folder of ACPI tables for the firmware; NULL: none */
} Libvirt;

/* ---- tables.c ---- */
/* Finds or makes tables that need the machine's own: boots the probe kernel once to see those, adds
 * the configuration's reserved regions to them (*ret_extended: the file, else NULL), and, for the
 * firmware, puts these and `compiled` (paths, ends with NULL) in their place and sets l->firmware.
 */
bool tables_prepare(Target *t, const char *const *compiled, char **ret_extended, GError **error);

/* XML of the launcher with its images at `kernel` and `initrd`. */
char *libvirt_launcher_xml(Target *t, bool kvm, const char *kernel, const char *initrd,
			   GError **error);
/* Finds or makes the saved launcher; sets l->state. */
bool states_prepare(Target *t, GError **error);
/* Restores it, paused. A state that cannot be restored is thrown away and made again, once. */
bool states_restore(Target *t, GError **error);
/* Throws it away. */
void states_discard(Target *t);
/* Decides by a real boot whether KVM can be used; remembered in <cache>/accel. */
bool accel_decide(Target *t, bool *ret_kvm, GError **error);

/* ---- check.c ---- */
void libvirt_check(const TargetConfig *config, const char *cache, GPtrArray *checks);
