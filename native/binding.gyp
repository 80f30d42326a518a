# Builds native/build/Release/morphmlp.node without CMake, for the CPU only: `npm run build:gyp`. It is not in the root, where
# `npm install` would run node-gyp automatically. Sources and flags are listed in sources.cjs.
{
  'target_defaults': {
    'include_dirs': [
      '.',
      '../include',
      '<!(node -p "require(\'node-api-headers\').include_dir")',
      '<!(node -p "require(\'node-addon-api\').include_dir")',
    ],
    'defines': ['NAPI_VERSION=8', 'NODE_ADDON_API_CPP_EXCEPTIONS'],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti'],
    'cflags': ['<!@(node sources.cjs flags)'],
    'xcode_settings': {
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_OPTIMIZATION_LEVEL': '3',
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'OTHER_CPLUSPLUSFLAGS': ['<!@(node sources.cjs flags)'],
    },
  },
  'targets': [
    {
      'target_name': 'morphmlp',
      'sources': ['<!@(node sources.cjs sources addon)', '<!@(node sources.cjs sources core)', '<!@(node sources.cjs sources no_cuda)'],
      'dependencies': ['<!@(node sources.cjs gyp_targets <(target_arch))'],
      'libraries': ['-ldl', '-pthread'],
    },
  ],
  'conditions': [
    ['target_arch=="x64"', {
      'targets': [
        {
          'target_name': 'cpu_baseline',
          'type': 'static_library',
          'sources': ['<!@(node sources.cjs sources cpu)'],
          'defines': ['MORPHMLP_ISA=baseline'],
        },
        {
          'target_name': 'cpu_avx2',
          'type': 'static_library',
          'sources': ['<!@(node sources.cjs sources cpu)'],
          'defines': ['MORPHMLP_ISA=avx2'],
          'cflags_cc!': ['-fno-exceptions', '-fno-rtti'],
          'cflags': ['<!@(node sources.cjs flags avx2)'],
          'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['<!@(node sources.cjs flags avx2)'] },
        },
        {
          'target_name': 'cpu_avx512',
          'type': 'static_library',
          'sources': ['<!@(node sources.cjs sources cpu)'],
          'defines': ['MORPHMLP_ISA=avx512'],
          'cflags_cc!': ['-fno-exceptions', '-fno-rtti'],
          'cflags': ['<!@(node sources.cjs flags avx512)'],
          'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['<!@(node sources.cjs flags avx512)'] },
        },
        {
          'target_name': 'cpu_avx512bf16',
          'type': 'static_library',
          'sources': ['<!@(node sources.cjs sources cpu)'],
          'defines': ['MORPHMLP_ISA=avx512bf16'],
          'cflags_cc!': ['-fno-exceptions', '-fno-rtti'],
          'cflags': ['<!@(node sources.cjs flags avx512bf16)'],
          'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['<!@(node sources.cjs flags avx512bf16)'] },
        },
      ],
    }, {
      'targets': [
        {
          'target_name': 'cpu_neon',
          'type': 'static_library',
          'sources': ['<!@(node sources.cjs sources cpu)'],
          'defines': ['MORPHMLP_ISA=neon'],
          'cflags_cc!': ['-fno-exceptions', '-fno-rtti'],
          'cflags': ['<!@(node sources.cjs flags neon)'],
          'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['<!@(node sources.cjs flags neon)'] },
        },
        {
          'target_name': 'cpu_neonbf16',
          'type': 'static_library',
          'sources': ['<!@(node sources.cjs sources cpu)'],
          'defines': ['MORPHMLP_ISA=neonbf16'],
          'cflags_cc!': ['-fno-exceptions', '-fno-rtti'],
          'cflags': ['<!@(node sources.cjs flags neonbf16)'],
          'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['<!@(node sources.cjs flags neonbf16)'] },
        },
      ],
    }],
  ],
}
