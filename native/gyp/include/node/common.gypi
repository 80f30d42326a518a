# Stands in for Node's own common.gypi, so that node-gyp needs no download: the addon takes its headers from node_modules
# (node-api-headers, node-addon-api) and its flags from native/sources.cjs.
{
  'variables': { 'standalone_static_library%': 1 },
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': { 'Release': { 'defines': ['NDEBUG'] }, 'Debug': {} },
  },
}
