// node-addon-api with the settings of the addon. Include this instead of <napi.h>.
#pragma once

// A worker may be terminated while it is inside the addon. Node-API then refuses to run JavaScript, so an exception of
// the addon cannot be caught; without this definition it would abort the process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>
