# Replaces the common.gypi of Node's headers, so that node-gyp downloads nothing. The headers come from node_modules
# (node-api-headers, node-addon-api), the flags from native/sources.cjs.
{
  'variables': { 'standalone_static_library%': 1 },
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': { 'Release': { 'defines': ['NDEBUG'] }, 'Debug': {} },
  },
}
