/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "target/libvirt/libvirt-internal.h"

/* No daemon, no other user, no cgroups, no security labels: this process's own rights are all that
 * there is. The plus sign marks a number. */
#define QEMU_CONF                                                                                  \
	"user = \"+%u\"\n"                                                                         \
	"group = \"+%u\"\n"                                                                        \
	"dynamic_ownership = 0\n"                                                                  \
	"remember_owner = 0\n"                                                                     \
	"stdio_handler = \"file\"\n"                                                               \
	"cgroup_controllers = [ ]\n"                                                               \
	"security_driver = \"none\"\n"                                                             \
	"namespaces = [ ]\n"

bool libvirt_failed(GError **error, const char *what)
{
	const char *said = virGetLastErrorMessage();
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: libvirt: %s", what, said);
	return false;
}

bool libvirt_version_logs_to_guest(unsigned long version)
{
	return version >= 10002000;
}

bool libvirt_logs_to_guest(virConnectPtr conn)
{
	unsigned long version = 0;
	return virConnectGetVersion(conn, &version) == 0 && libvirt_version_logs_to_guest(version);
}

char *libvirt_version_text(unsigned long v)
{
	return g_strdup_printf("%lu.%lu.%lu", v / 1000000, v / 1000 % 1000, v % 1000);
}

/* Errors reach the caller by virGetLastError; libvirt would print them too. */
static void keep_quiet(void *user, virErrorPtr e)
{
}

static bool start_libvirt(const char *dir, GError **error)
{
	static bool started;
	if (started)
		return true;
	g_autofree char *log = g_strdup_printf("3:file:%s/libvirt.log", dir);
	g_setenv("LIBVIRT_LOG_OUTPUTS", log, FALSE);
	virSetErrorFunc(NULL, keep_quiet);
	if (virEventRegisterDefaultImpl() < 0 || virInitialize() < 0)
		return libvirt_failed(error, "cannot start");
	return started = true;
}

/* The root of the embedded driver. What it finds out about QEMU (0.5 s of work) is shared by all
 * jobs: its cache folder is a link, and libvirt checks the age of what is in it. */
static bool make_root(const char *root, const char *cache, GError **error)
{
	g_autofree char *conf = g_build_filename(root, "etc/qemu.conf", NULL);
	g_autofree char *etc = g_path_get_dirname(conf);
	g_autofree char *shared = g_build_filename(cache, "libvirt", NULL);
	g_autofree char *link = g_build_filename(root, "cache", NULL);
	g_autofree char *text =
		g_strdup_printf(QEMU_CONF, (unsigned)geteuid(), (unsigned)getegid());
	if (!kx_mkdir(etc, error) || !kx_mkdir(shared, error) ||
	    !kx_write_file(conf, text, -1, error))
		return false;
	if (symlink(shared, link) != 0 && errno != EEXIST) {
		kx_set_errno(error, errno, "cannot make %s", link);
		return false;
	}
	return true;
}

/* libvirt throws away what it knows of QEMU, and finds it out again in 8 s, when the CPUID leaves
 * have changed; in some virtual machines they differ from CPU to CPU. So this thread, which asks
 * for them, stays on one. (libvirt gives QEMU all CPUs whatever its own are:
 * qemuProcessInitCpuAffinity.) */
static cpu_set_t all;
static bool pinned;

static void stay_on_one_cpu(void)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	if (pinned || sched_getaffinity(0, sizeof(all), &all) != 0)
		return;
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all)) {
			CPU_SET(i, &one);
			break;
		}
	pinned = sched_setaffinity(0, sizeof(one), &one) == 0;
}

virConnectPtr embed_open(const char *uri, const char *cache, const char *dir, GError **error)
{
	g_autofree char *root = g_build_filename(dir, "l", NULL);
	g_autofree char *escaped = g_uri_escape_string(root, "/", FALSE);
	g_autofree char *own = g_strdup_printf("qemu:///embed?root=%s", escaped);
	if (!start_libvirt(dir, error) || (!uri && !make_root(root, cache, error)))
		return NULL;
	if (!uri)
		stay_on_one_cpu();
	virConnectPtr conn = virConnectOpen(uri ? uri : own);
	if (!conn)
		libvirt_failed(error, uri ? uri
					  : "cannot open the embedded QEMU driver (it needs the "
					    "package libvirt-daemon-system)");
	return conn;
}

void embed_close(virConnectPtr conn)
{
	if (conn)
		virConnectClose(conn);
	if (pinned)
		sched_setaffinity(0, sizeof(all), &all);
	pinned = false;
}
