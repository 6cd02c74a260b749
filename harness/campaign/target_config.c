/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "campaign/campaign-internal.h"

static const cyaml_strval_t drivers[] = {{"libvirt", TARGET_LIBVIRT},
					 {"simulated", TARGET_SIMULATED}};
static const cyaml_strval_t accels[] = {
	{"auto", ACCEL_AUTO}, {"kvm", ACCEL_KVM}, {"tcg", ACCEL_TCG}};
static const cyaml_strval_t records[] = {{"none", RECORD_NONE}, {"amd", RECORD_AMD}};
static const cyaml_strval_t determinisms[] = {{"none", DETERMINISM_NONE},
					      {"icount", DETERMINISM_ICOUNT}};
static const cyaml_strval_t tables_by[] = {{"override", TABLES_OVERRIDE},
					   {"firmware", TABLES_FIRMWARE}};
static const cyaml_strval_t reserved_kinds[] = {{"unity", RESERVED_UNITY},
						{"exclusion", RESERVED_EXCLUSION}};
static const cyaml_strval_t starts[] = {{"saved", LAUNCHER_SAVED}, {"fresh", LAUNCHER_FRESH}};

#define OPTIONAL_STRING(key, type, member)                                                         \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 0,     \
			       CYAML_UNLIMITED)
#define OPTIONAL_UINT(key, type, member) CYAML_FIELD_UINT(key, CYAML_FLAG_OPTIONAL, type, member)
#define OPTIONAL_ENUM(key, type, member, names)                                                    \
	CYAML_FIELD_ENUM(key, CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, type, member, names,        \
			 G_N_ELEMENTS(names))

static const cyaml_schema_field_t phase_fields[] = {
	CYAML_FIELD_UINT("period_us", CYAML_FLAG_DEFAULT, TargetPhase, period_us),
	CYAML_FIELD_UINT("steps", CYAML_FLAG_DEFAULT, TargetPhase, steps),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t vm_fields[] = {
	OPTIONAL_STRING("uri", TargetVm, uri),
	OPTIONAL_STRING("domain_xml", TargetVm, domain_xml),
	OPTIONAL_ENUM("accel", TargetVm, accel, accels),
	OPTIONAL_STRING("cpu", TargetVm, cpu),
	OPTIONAL_UINT("memory_mib", TargetVm, memory_mib),
	OPTIONAL_UINT("vcpus", TargetVm, vcpus),
	CYAML_FIELD_SEQUENCE("qemu_args", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, TargetVm,
			     qemu_args, &kx_yaml_string_entry, 0, CYAML_UNLIMITED),
	OPTIONAL_ENUM("iommu_record", TargetVm, iommu_record, records),
	OPTIONAL_UINT("record_lines", TargetVm, record_lines),
	OPTIONAL_ENUM("determinism", TargetVm, determinism, determinisms),
	OPTIONAL_UINT("icount_shift", TargetVm, icount_shift),
	CYAML_FIELD_MAPPING("phase", CYAML_FLAG_OPTIONAL, TargetVm, phase, phase_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t launcher_fields[] = {
	OPTIONAL_STRING("kernel", Launcher, kernel),
	OPTIONAL_STRING("cmdline", Launcher, cmdline),
	OPTIONAL_ENUM("start", Launcher, start, starts),
	OPTIONAL_UINT("jitter_us", Launcher, jitter_us),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t timeouts_fields[] = {
	OPTIONAL_UINT("launcher", Timeouts, launcher), OPTIONAL_UINT("kexec", Timeouts, kexec),
	OPTIONAL_UINT("boot", Timeouts, boot),	       OPTIONAL_UINT("silence", Timeouts, silence),
	OPTIONAL_UINT("settle", Timeouts, settle),     OPTIONAL_UINT("settled", Timeouts, settled),
	OPTIONAL_UINT("trial", Timeouts, trial),       OPTIONAL_UINT("trace", Timeouts, trace),
	OPTIONAL_UINT("reset", Timeouts, reset),       OPTIONAL_UINT("power", Timeouts, power),
	OPTIONAL_UINT("off", Timeouts, off),	       CYAML_FIELD_END,
};
static const cyaml_schema_field_t reserved_fields[] = {
	CYAML_FIELD_STRING_PTR("device", CYAML_FLAG_POINTER, TargetReserved, device, 0,
			       CYAML_UNLIMITED),
	CYAML_FIELD_UINT("start", CYAML_FLAG_DEFAULT, TargetReserved, start),
	CYAML_FIELD_UINT("length", CYAML_FLAG_DEFAULT, TargetReserved, length),
	OPTIONAL_ENUM("kind", TargetReserved, kind, reserved_kinds),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t reserved_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, TargetReserved, reserved_fields),
};
static const cyaml_schema_field_t target_fields[] = {
	CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, TargetConfig, name, 0, CYAML_UNLIMITED),
	OPTIONAL_STRING("title", TargetConfig, title),
	CYAML_FIELD_ENUM("driver", CYAML_FLAG_STRICT, TargetConfig, driver, drivers,
			 G_N_ELEMENTS(drivers)),
	CYAML_FIELD_MAPPING("vm", CYAML_FLAG_OPTIONAL, TargetConfig, vm, vm_fields),
	CYAML_FIELD_MAPPING("simulated", CYAML_FLAG_OPTIONAL, TargetConfig, simulated,
			    campaign_simulated_fields),
	CYAML_FIELD_SEQUENCE("acpi_tables", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, TargetConfig,
			     acpi_tables, &kx_yaml_string_entry, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("reserved", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, TargetConfig,
			     reserved, &reserved_schema, 0, 64),
	OPTIONAL_ENUM("acpi_tables_by", TargetConfig, acpi_tables_by, tables_by),
	CYAML_FIELD_MAPPING("launcher", CYAML_FLAG_OPTIONAL, TargetConfig, launcher,
			    launcher_fields),
	OPTIONAL_STRING("cmdline", TargetConfig, cmdline),
	CYAML_FIELD_MAPPING("timeouts", CYAML_FLAG_OPTIONAL, TargetConfig, timeouts,
			    timeouts_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t target_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, TargetConfig, target_fields),
};

void target_config_free(TargetConfig *t)
{
	if (!t)
		return;
	g_free(t->path);
	kx_yaml_free(&target_schema, t);
}

/* The machine's time counts instructions: one processor, and not the host's. */
static bool check_determinism(const TargetConfig *t, GError **error)
{
	const TargetVm *vm = &t->vm;
	if (vm->determinism == DETERMINISM_NONE)
		return true;
	if (vm->accel == ACCEL_KVM)
		return campaign_error(
			error, t->path, "vm.accel",
			"determinism: icount needs an emulated processor: accel: tcg");
	if (vm->vcpus > 1)
		return campaign_error(error, t->path, "vm.vcpus",
				      "determinism: icount needs one processor, found %u",
				      vm->vcpus);
	return true;
}

/* A phase is a place in time, and only one kind of machine has an exact one. */
static bool check_phase(const TargetConfig *t, GError **error)
{
	const TargetPhase *p = &t->vm.phase;
	if (!campaign_given(t->path, "vm.phase"))
		return true;
	if (t->vm.determinism != DETERMINISM_ICOUNT)
		return campaign_error(error, t->path, "vm.phase",
				      "needs a machine whose time counts instructions: "
				      "determinism: icount");
	if (t->launcher.jitter_us)
		return campaign_error(error, t->path, "launcher.jitter_us",
				      "a random wait would undo vm.phase: leave one of them out");
	return campaign_check_range(t->path, "vm.phase.period_us", p->period_us, 1, 1e6, error) &&
	       campaign_check_range(t->path, "vm.phase.steps", p->steps, 1, 4096, error);
}

static bool check_vm(TargetConfig *t, GError **error)
{
	TargetVm *vm = &t->vm;
	campaign_default(&vm->cpu, "max");
	if (!campaign_check_range(t->path, "vm.memory_mib", vm->memory_mib, 64, 1 << 20, error) ||
	    !campaign_check_range(t->path, "vm.vcpus", vm->vcpus, 1, 256, error) ||
	    !campaign_check_range(t->path, "vm.record_lines", vm->record_lines, 100, 1e6, error) ||
	    !campaign_check_range(t->path, "vm.icount_shift", vm->icount_shift, 0, 10, error) ||
	    !check_determinism(t, error) || !check_phase(t, error))
		return false;
	vm->memory_mib = vm->memory_mib ? vm->memory_mib : 512;
	vm->vcpus = vm->vcpus ? vm->vcpus : vm->determinism == DETERMINISM_ICOUNT ? 1 : 2;
	vm->record_lines = vm->record_lines ? vm->record_lines : 20000;
	if (!campaign_given(t->path, "vm.icount_shift"))
		vm->icount_shift = 3;
	if (vm->determinism == DETERMINISM_ICOUNT)
		vm->accel = ACCEL_TCG;
	return campaign_lookup_into(t->path, "vm.domain_xml", &vm->domain_xml, "configs/targets",
				    ".xml", error);
}

static bool check_launcher(TargetConfig *t, GError **error)
{
	Launcher *l = &t->launcher;
	campaign_default(&l->kernel, "base");
	if (!g_str_equal(l->kernel, "base")) {
		if (!strchr(l->kernel, '/'))
			return campaign_error(
				error, t->path, "launcher.kernel",
				"expected 'base' or the path of a kernel image (with a "
				"'/'), found '%s'",
				l->kernel);
		if (!campaign_lookup_into(t->path, "launcher.kernel", &l->kernel, "", "", error))
			return false;
	}
	return campaign_check_cmdline(t->path, "launcher.cmdline", l->cmdline, error) &&
	       campaign_check_range(t->path, "launcher.jitter_us", l->jitter_us, 0, 1e6, error);
}

static bool check_timeouts(TargetConfig *t, GError **error)
{
	Timeouts *o = &t->timeouts;
	const struct {
		const char *name;
		unsigned *value, fallback;
	} clocks[] = {
		{"launcher", &o->launcher, 60},
		{"kexec", &o->kexec, 30},
		{"boot", &o->boot, 60},
		{"silence", &o->silence, 20},
		{"settle", &o->settle, 1},
		{"settled", &o->settled, 10},
		{"trial", &o->trial, 180},
		{"trace", &o->trace, 5},
		{"reset", &o->reset, 10},
		{"power", &o->power, 60},
		{"off", &o->off, 2},
	};
	for (guint i = 0; i < G_N_ELEMENTS(clocks); i++) {
		g_autofree char *key = g_strconcat("timeouts.", clocks[i].name, NULL);
		if (!campaign_check_range(t->path, key, *clocks[i].value, 1, 86400, error))
			return false;
		if (!*clocks[i].value)
			*clocks[i].value = clocks[i].fallback;
	}
	/* A whole-trial clock that is shorter than its parts makes each slow boot `infra`. */
	if (o->trial < MAX(o->launcher, o->boot))
		return campaign_error(error, t->path, "timeouts.trial",
				      "the whole trial (%u s) is shorter than launcher (%u s) or "
				      "boot (%u s)",
				      o->trial, o->launcher, o->boot);
	return true;
}

/* The tables of a machine of one's own are described in its file. */
static bool check_tables(const TargetConfig *t, GError **error)
{
	if (t->acpi_tables_by == TABLES_FIRMWARE && t->vm.domain_xml)
		return campaign_error(error, t->path, "acpi_tables_by",
				      "firmware: works with the built-in machine only, not with "
				      "vm.domain_xml");
	return true;
}

static bool check_reserved(const TargetConfig *t, GError **error)
{
	for (unsigned i = 0; i < t->reserved_count; i++) {
		const TargetReserved *r = &t->reserved[i];
		unsigned bus, slot, function;
		int end = 0;
		g_autofree char *device = g_strdup_printf("reserved.%u.device", i);
		g_autofree char *length = g_strdup_printf("reserved.%u.length", i);
		if (sscanf(r->device, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) != 3 ||
		    end != 7 || r->device[end] || slot > 31 || function > 7)
			return campaign_error(error, t->path, device,
					      "'%s' is no PCI device: expected bb:dd.f in "
					      "hexadecimal",
					      r->device);
		if (!r->length || (r->start | r->length) & 0xfff || r->start + r->length < r->start)
			return campaign_error(error, t->path, length,
					      "start and length must be whole pages of 4 KiB, and "
					      "length above 0");
	}
	if (t->reserved_count && t->acpi_tables_count)
		return campaign_error(error, t->path, "reserved",
				      "adds to the machine's own table and cannot go with "
				      "acpi_tables: say the regions in one of them");
	if (t->reserved_count && t->vm.domain_xml)
		return campaign_error(error, t->path, "reserved",
				      "works with the built-in machine only, not with "
				      "vm.domain_xml");
	return true;
}

static bool check_target(TargetConfig *t, GError **error)
{
	return check_tables(t, error) && check_reserved(t, error) &&
	       campaign_check_name(t->path, "name", t->name, error) && check_vm(t, error) &&
	       check_launcher(t, error) && check_timeouts(t, error) &&
	       campaign_check_simulated(t, error) &&
	       campaign_check_cmdline(t->path, "cmdline", t->cmdline, error) &&
	       campaign_check_distinct(t->path, "acpi_tables", t->acpi_tables, t->acpi_tables_count,
				       error) &&
	       campaign_lookup_list(t->path, "acpi_tables", t->acpi_tables, t->acpi_tables_count,
				    "configs/acpi", ".dsl", error);
}

TargetConfig *target_config_load(const char *path, GError **error)
{
	g_autofree char *full = g_canonicalize_filename(path, NULL);
	g_autoptr(TargetConfig) t = kx_yaml_load(full, &target_schema, error);
	if (!t)
		return NULL;
	t->path = g_steal_pointer(&full);
	return check_target(t, error) ? g_steal_pointer(&t) : NULL;
}
