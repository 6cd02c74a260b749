/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a campaign will take, from what is known of it: `plan` and `check --boot`. */
#pragma once

#include <math.h>

#include "campaign/campaign.h"
#include "engine/engine.h"
#include "simulate/measured.h"
#include "simulate/plan.h"

/* Seconds; NaN: as measured in earlier runs, else assumed. */
typedef struct {
	double boot_s, build_s, clean_build_s, switch_s;
} ForecastCosts;
#define FORECAST_UNKNOWN                                                                           \
	{                                                                                          \
		NAN, NAN, NAN, NAN                                                                 \
	}

/* Earlier runs, if there are any; no store is no error. */
bool forecast_measure(const Campaign *c, const char *results, SimMeasured *ret, GError **error);
/* Problem, costs and budget; rates, targets, draws and seed are the caller's. */
SimPlan forecast_plan(const Campaign *c, const EngineProblem *problem, const ForecastCosts *known,
		      const SimMeasured *m);
