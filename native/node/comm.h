// Exports the communication between ranks.
#pragma once
#include "node/node_api.h"

namespace morphmlp {
void export_comm(Napi::Env env, Napi::Object exports);
}
