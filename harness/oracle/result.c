/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "oracle/oracle.h"

void oracle_result_free(OracleResult *r)
{
	if (!r)
		return;
	g_free(r->reason);
	g_free(r->answered);
	g_clear_pointer(&r->faults, g_ptr_array_unref);
	g_free(r);
}

json_t *oracle_fault_to_json(const OracleFault *f)
{
	json_t *o = fault_to_json(f->fault);
	json_object_set_new(o, "source", json_string(f->source));
	json_object_set_new(o, "in_window", json_boolean(f->in_window));
	json_object_set_new(o, "counts", json_boolean(f->counts));
	return o;
}

json_t *oracle_result_to_json(const OracleResult *r, size_t max_faults)
{
	json_t *o = json_object();
	json_object_set_new(o, "outcome", json_string(outcome_name(r->outcome)));
	json_object_set_new(o, "reason", kx_json_text(r->reason));
	json_object_set_new(o, "identity", r->answered ? kx_json_text(r->answered) : json_null());
	json_t *m = json_object();
	json_object_set_new(m, "faults", json_integer((json_int_t)r->measures.faults));
	json_object_set_new(m, "suppressed", json_integer((json_int_t)r->measures.suppressed));
	json_object_set_new(m, "outside", json_integer((json_int_t)r->measures.outside));
	json_object_set_new(m, "window_us",
			    r->measures.window_us >= 0 ? json_integer(r->measures.window_us)
						       : json_null());
	json_object_set_new(o, "measures", m);
	json_t *faults = json_array();
	for (guint i = 0; i < r->faults->len && i < max_faults; i++)
		json_array_append_new(faults,
				      oracle_fault_to_json(g_ptr_array_index(r->faults, i)));
	json_object_set_new(o, "faults", faults);
	return o;
}
