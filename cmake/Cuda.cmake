# The CUDA backend is a library of its own, beside the module that loads it where there is a driver. AUTO builds it
# where a CUDA compiler is found. It brings its runtime along and needs nothing but the driver.
set(QDIT_CUDA AUTO CACHE STRING "Build the CUDA backend: AUTO, ON or OFF")
set_property(CACHE QDIT_CUDA PROPERTY STRINGS AUTO ON OFF)
# Code for these, and PTX of the last, from which drivers make code for newer ones.
set(QDIT_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "CUDA architectures, as CMAKE_CUDA_ARCHITECTURES takes them")

set(qdit_cuda_found FALSE)
if(NOT QDIT_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_ARCHITECTURES ${QDIT_CUDA_ARCHITECTURES})
    enable_language(CUDA)
    find_package(CUDAToolkit QUIET)
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.0 AND TARGET CUDA::cudart_static)
      set(qdit_cuda_found TRUE)
    endif()
  endif()
  if(NOT qdit_cuda_found AND QDIT_CUDA STREQUAL "ON")
    message(FATAL_ERROR "QDIT_CUDA=ON needs nvcc 12.0 or newer and its static runtime (got: \"${CMAKE_CUDA_COMPILER}\" "
                        "${CMAKE_CUDA_COMPILER_VERSION}). Put it on PATH or set CUDACXX.")
  endif()
endif()
message(STATUS "CUDA backend: ${qdit_cuda_found}")

if(qdit_cuda_found)
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake before 3.26 does not know that nvcc has it
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  endif()
  # wgmma is an instruction of sm_90a alone, which runs on compute capability 9.0 alone: its kernels are compiled
  # for nothing else, so that the driver has nothing to choose. Named to nvcc itself: CMake before 3.25 does not
  # know the architecture.
  add_library(qdit_cuda_wgmma OBJECT
    csrc/cuda/kernels/graph_wgmma.cu
    csrc/cuda/kernels/pass_wgmma.cu
    csrc/cuda/kernels/products_wgmma.cu)
  set_target_properties(qdit_cuda_wgmma PROPERTIES CUDA_ARCHITECTURES OFF CUDA_VISIBILITY_PRESET hidden)
  target_include_directories(qdit_cuda_wgmma PRIVATE csrc)
  target_compile_options(qdit_cuda_wgmma PRIVATE
    --generate-code=arch=compute_90a,code=sm_90a -Xcompiler=-Wall,-Wextra)
  add_library(qdit_cuda MODULE
    $<TARGET_OBJECTS:qdit_cuda_wgmma>
    csrc/cuda/alive_lists.cpp
    csrc/cuda/candidates.cpp
    csrc/cuda/covering.cpp
    csrc/cuda/cuda_backend.cpp
    csrc/cuda/cuda_shard.cpp
    csrc/cuda/device.cpp
    csrc/cuda/exact_gains.cpp
    csrc/cuda/first_gains.cpp
    csrc/cuda/graph_builder.cpp
    csrc/cuda/graph_pairs.cpp
    csrc/cuda/grouped_pairs.cpp
    csrc/cuda/kernel_choice.cpp
    csrc/cuda/kernels/choice.cu
    csrc/cuda/kernels/cover.cu
    csrc/cuda/kernels/graph.cu
    csrc/cuda/kernels/lists.cu
    csrc/cuda/kernels/pass.cu
    csrc/cuda/kernels/picks.cu
    csrc/cuda/kernels/products.cu
    csrc/cuda/kernels/rows.cu
    csrc/cuda/library.cpp
    csrc/cuda/past_maxima.cpp
    csrc/cuda/pool.cpp
    csrc/cuda/product.cpp
    csrc/cuda/reevaluation.cpp
    csrc/cuda/similarities.cpp
    csrc/cuda/symmetric_pass.cpp
    csrc/cuda/uploader.cpp
    csrc/cuda/wgmma_check.cpp)
  set_target_properties(qdit_cuda PROPERTIES PREFIX "" CUDA_VISIBILITY_PRESET hidden)
  target_compile_definitions(qdit_cuda PRIVATE QDIT_VERSION="${PROJECT_VERSION}")
  target_link_libraries(qdit_cuda PRIVATE qdit_engine CUDA::cudart_static)
  target_link_options(qdit_cuda PRIVATE -Wl,--exclude-libs,ALL -Wl,-z,defs)
  target_compile_options(qdit_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -ffp-contract=off>
    $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>)
  if(QDIT_WERROR)
    target_compile_options(qdit_cuda_wgmma PRIVATE -Werror=all-warnings)
    target_compile_options(qdit_cuda PRIVATE
      $<$<COMPILE_LANGUAGE:CXX>:-Werror> $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
  endif()
  if(QDIT_BUILD_PYTHON)
    install(TARGETS qdit_cuda LIBRARY DESTINATION qdit)
  endif()
endif()
