/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "campaign/campaign-internal.h"

#define NUMBER(key, type, member) CYAML_FIELD_FLOAT(key, CYAML_FLAG_OPTIONAL, type, member)
#define NAMES(key, member)                                                                         \
	CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, TargetSimulated,       \
			     member, &kx_yaml_string_entry, 0, CYAML_UNLIMITED)

static const cyaml_strval_t effects[] = {{"cures", EFFECT_CURES}, {"causes", EFFECT_CAUSES}};

static const cyaml_schema_field_t rates_fields[] = {
	NUMBER("hang", SimulatedRates, hang),
	NUMBER("panic", SimulatedRates, panic),
	NUMBER("no_launcher", SimulatedRates, no_launcher),
	NUMBER("kexec_fails", SimulatedRates, kexec_fails),
	NUMBER("wrong_kernel", SimulatedRates, wrong_kernel),
	NUMBER("dies", SimulatedRates, dies),
	CYAML_FIELD_END,
};
static const cyaml_schema_field_t bmc_fields[] = {
	NUMBER("ignores", SimulatedBmc, ignores),
	NUMBER("lies", SimulatedBmc, lies),
	NUMBER("silent", SimulatedBmc, silent),
	NUMBER("slow_s", SimulatedBmc, slow_s),
	CYAML_FIELD_END,
};
const cyaml_schema_field_t campaign_simulated_fields[] = {
	CYAML_FIELD_STRING_PTR("folder", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, TargetSimulated,
			       folder, 0, CYAML_UNLIMITED),
	CYAML_FIELD_UINT("seed", CYAML_FLAG_OPTIONAL, TargetSimulated, seed),
	NUMBER("speed", TargetSimulated, speed),
	NUMBER("step_s", TargetSimulated, step_s),
	NAMES("cause", cause),
	CYAML_FIELD_ENUM("effect", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, TargetSimulated, effect,
			 effects, G_N_ELEMENTS(effects)),
	NUMBER("q", TargetSimulated, q),
	NUMBER("eps", TargetSimulated, eps),
	NAMES("hangs", hangs),
	NAMES("panics", panics),
	CYAML_FIELD_MAPPING("rates", CYAML_FLAG_OPTIONAL, TargetSimulated, rates, rates_fields),
	CYAML_FIELD_MAPPING("bmc", CYAML_FLAG_OPTIONAL, TargetSimulated, bmc, bmc_fields),
	CYAML_FIELD_END,
};

static bool check_rates(const TargetConfig *t, GError **error)
{
	const TargetSimulated *s = &t->simulated;
	const struct {
		const char *key;
		double value;
	} rates[] = {
		{"simulated.q", s->q},
		{"simulated.eps", s->eps},
		{"simulated.rates.hang", s->rates.hang},
		{"simulated.rates.panic", s->rates.panic},
		{"simulated.rates.no_launcher", s->rates.no_launcher},
		{"simulated.rates.kexec_fails", s->rates.kexec_fails},
		{"simulated.rates.wrong_kernel", s->rates.wrong_kernel},
		{"simulated.rates.dies", s->rates.dies},
		{"simulated.bmc.ignores", s->bmc.ignores},
		{"simulated.bmc.lies", s->bmc.lies},
		{"simulated.bmc.silent", s->bmc.silent},
	};
	for (guint i = 0; i < G_N_ELEMENTS(rates); i++)
		if (!campaign_check_range(t->path, rates[i].key, rates[i].value, 0, 1, error))
			return false;
	return campaign_check_range(t->path, "simulated.bmc.slow_s", s->bmc.slow_s, 0, 60, error);
}

bool campaign_check_simulated(TargetConfig *t, GError **error)
{
	TargetSimulated *s = &t->simulated;
	if (campaign_given(t->path, "simulated") && t->driver != TARGET_SIMULATED)
		return campaign_error(error, t->path, "simulated",
				      "belongs to 'driver: simulated'; this is another one");
	if (t->driver != TARGET_SIMULATED)
		return true;
	if (s->folder && !g_path_is_absolute(s->folder))
		return campaign_error(error, t->path, "simulated.folder",
				      "expected an absolute path, found '%s'", s->folder);
	if (!campaign_check_range(t->path, "simulated.speed", s->speed, 0.01, 1000, error) ||
	    !campaign_check_range(t->path, "simulated.step_s", s->step_s, 0, 60, error) ||
	    !check_rates(t, error))
		return false;
	s->speed = s->speed > 0 ? s->speed : 1;
	if (!campaign_given(t->path, "simulated.step_s"))
		s->step_s = 0.2;
	if (!campaign_given(t->path, "simulated.q"))
		s->q = 1;
	t->timeouts.speed = s->speed;
	return true;
}
