# One source per instruction set with its own flags; everything else gets none. So the code that asks what the
# processor can do runs on every processor of the target.
function(qdit_add_simd_sources target)
  target_sources(${target} PRIVATE csrc/cpu/kernels_baseline.cpp)
  set_source_files_properties(csrc/cpu/kernels_baseline.cpp PROPERTIES COMPILE_OPTIONS "-O3;-Wno-sign-conversion")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    target_compile_definitions(${target} PUBLIC QDIT_BUILD_X86)
    target_sources(${target} PRIVATE csrc/cpu/kernels_avx2.cpp csrc/cpu/kernels_avx512.cpp
      csrc/cpu/kernels_avx512vnni.cpp)
    set_source_files_properties(csrc/cpu/kernels_avx2.cpp PROPERTIES
      COMPILE_OPTIONS "-O3;-Wno-sign-conversion;-mavx2;-mfma;-mf16c")
    # GCC warns of its own AVX-512 header (bug 105593).
    set_source_files_properties(csrc/cpu/kernels_avx512.cpp PROPERTIES
      COMPILE_OPTIONS "-O3;-Wno-sign-conversion;-Wno-uninitialized;-Wno-maybe-uninitialized;-mavx2;-mfma;-mf16c;-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl")
    set_source_files_properties(csrc/cpu/kernels_avx512vnni.cpp PROPERTIES
      COMPILE_OPTIONS "-O3;-Wno-sign-conversion;-Wno-uninitialized;-Wno-maybe-uninitialized;-mavx2;-mfma;-mf16c;-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl;-mavx512vnni")
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    target_compile_definitions(${target} PUBLIC QDIT_BUILD_NEON)
    target_sources(${target} PRIVATE csrc/cpu/kernels_neon.cpp)
    set_source_files_properties(csrc/cpu/kernels_neon.cpp PROPERTIES COMPILE_OPTIONS "-O3;-Wno-sign-conversion")
  endif()
endfunction()
