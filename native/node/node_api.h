// node-addon-api, as every file of the addon must include it.
#pragma once

// A worker may be terminated while it is inside the addon. From then on Node-API refuses to run JavaScript, so whatever
// the addon throws has nobody to catch it; without this definition that ends the whole process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>
