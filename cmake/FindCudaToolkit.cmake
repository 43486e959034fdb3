# Finds what the cuda preset compiles and links with: nvcc, cudart and cuBLASLt of the machine's CUDA
# toolkit, or of NVIDIA's PyPI wheels where the machine has none (scripts/setup --cuda, which is run
# here if need be). Sets CMAKE_CUDA_COMPILER, and offers CudaToolkit::runtime and CudaToolkit::products.
#
# PRESCRIPT_CUDA_DIR  the toolkit's folder (default: /usr/local/cuda, then that of the wheels)

file(GLOB _wheels ${CMAKE_SOURCE_DIR}/.venv-cuda/lib/python3*/site-packages/nvidia/cu13)
if(NOT PRESCRIPT_CUDA_DIR AND NOT EXISTS /usr/local/cuda/bin/nvcc AND NOT _wheels)
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/scripts/setup --cuda RESULT_VARIABLE _setup_result)
  if(_setup_result)
    message(FATAL_ERROR "there is no CUDA toolkit, and scripts/setup --cuda failed: see above")
  endif()
  file(GLOB _wheels ${CMAKE_SOURCE_DIR}/.venv-cuda/lib/python3*/site-packages/nvidia/cu13)
endif()

find_path(CudaToolkit_DIR bin/nvcc
  PATHS ${PRESCRIPT_CUDA_DIR} /usr/local/cuda ${_wheels} NO_DEFAULT_PATH)
find_library(CudaToolkit_RUNTIME cudart_static
  PATHS ${CudaToolkit_DIR}/lib64 ${CudaToolkit_DIR}/lib NO_DEFAULT_PATH)
find_library(CudaToolkit_PRODUCTS NAMES libcublasLt.so.13
  PATHS ${CudaToolkit_DIR}/lib64 ${CudaToolkit_DIR}/lib NO_DEFAULT_PATH)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CudaToolkit
  REQUIRED_VARS CudaToolkit_DIR CudaToolkit_RUNTIME CudaToolkit_PRODUCTS
  REASON_FAILURE_MESSAGE "run scripts/setup --cuda, or pass -DPRESCRIPT_CUDA_DIR=<toolkit>")

if(CudaToolkit_FOUND AND NOT TARGET CudaToolkit::runtime)
  set(CMAKE_CUDA_COMPILER ${CudaToolkit_DIR}/bin/nvcc)
  # nvcc looks for its libraries in lib64, which is lib in the wheels.
  get_filename_component(_libraries ${CudaToolkit_RUNTIME} DIRECTORY)
  string(APPEND CMAKE_CUDA_FLAGS " -L${_libraries}")
  add_library(CudaToolkit::runtime UNKNOWN IMPORTED)
  set_target_properties(CudaToolkit::runtime PROPERTIES
    IMPORTED_LOCATION ${CudaToolkit_RUNTIME}
    INTERFACE_INCLUDE_DIRECTORIES ${CudaToolkit_DIR}/include
    INTERFACE_LINK_LIBRARIES "dl;rt;pthread")
  add_library(CudaToolkit::products UNKNOWN IMPORTED)
  set_target_properties(CudaToolkit::products PROPERTIES
    IMPORTED_LOCATION ${CudaToolkit_PRODUCTS}
    INTERFACE_INCLUDE_DIRECTORIES ${CudaToolkit_DIR}/include)
endif()
