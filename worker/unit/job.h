#pragma once

#include "schema/worker/unit.capnp.h"
#include "worker/common/worker.h"

namespace bulkhead::unit {

// Makes, limits or removes a unit of systemd (schema/worker/unit.capnp).
worker::JobResult RunUnitJob(schema::UnitJob::Reader job, schema::UnitResult::Builder result);

}  // namespace bulkhead::unit
