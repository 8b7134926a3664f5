// One call of qdit_select.
#pragma once

#include <span>

#include "capi/pool.h"
#include "capi/qdit.h"
#include "engine/types.h"

namespace qdit::capi {

// Where picks go as they are made.
struct Output {
  qdit::Index* indices;
  double* gains;  // may be null
  qdit::Index* count;
};

// Throws what a call of C reports.
void select(qdit_pool& pool, const qdit_select_options& options, const Output& output);

}  // namespace qdit::capi
