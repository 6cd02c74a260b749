/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "model.h"

/* The whole document, of a model that was read (model.c). */
json_t *model_document(const Model *m);
