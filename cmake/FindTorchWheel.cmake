# Finds LibTorch inside the PyPI wheel and offers its CPU half as the target TorchWheel::cpu.
#
# The wheel's own TorchConfig.cmake insists on a CUDA toolkit, which the cpu backend does not need:
# it links libtorch_cpu and libc10 only. libtorch_cpu itself loads libcudart and libcupti, which come
# from wheels of their own and are found at run time by the wheel's RPATH.
#
# at::parallel_for is a template: without -fopenmp in the including source it runs on one thread, silently.
# Its threads must be those of libtorch_cpu, so the wheel's own libgomp is linked.
#
# PRESCRIPT_TORCH_DIR  the installed wheel's torch folder (default: the one in .venv)

file(GLOB _torch_candidates ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
list(APPEND _torch_candidates "")
list(GET _torch_candidates 0 _torch_default)
set(PRESCRIPT_TORCH_DIR "${_torch_default}" CACHE PATH "The torch folder of the installed PyPI wheel")

find_library(TorchWheel_CPU_LIBRARY torch_cpu PATHS ${PRESCRIPT_TORCH_DIR}/lib NO_DEFAULT_PATH)
find_library(TorchWheel_C10_LIBRARY c10 PATHS ${PRESCRIPT_TORCH_DIR}/lib NO_DEFAULT_PATH)
find_library(TorchWheel_GOMP_LIBRARY NAMES libgomp.so.1 PATHS ${PRESCRIPT_TORCH_DIR}/lib NO_DEFAULT_PATH)
find_path(TorchWheel_INCLUDE_DIR ATen/ATen.h PATHS ${PRESCRIPT_TORCH_DIR}/include NO_DEFAULT_PATH)
if(EXISTS ${PRESCRIPT_TORCH_DIR}/version.py)
  file(STRINGS ${PRESCRIPT_TORCH_DIR}/version.py _version_line REGEX "^__version__")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" TorchWheel_VERSION "${_version_line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(TorchWheel
  REQUIRED_VARS TorchWheel_CPU_LIBRARY TorchWheel_C10_LIBRARY TorchWheel_GOMP_LIBRARY
    TorchWheel_INCLUDE_DIR
  VERSION_VAR TorchWheel_VERSION
  REASON_FAILURE_MESSAGE
  "run scripts/setup, or pass -DPRESCRIPT_TORCH_DIR=<site-packages>/torch")

if(TorchWheel_FOUND AND NOT TARGET TorchWheel::cpu)
  get_filename_component(_site_packages ${PRESCRIPT_TORCH_DIR} DIRECTORY)
  file(GLOB _nvidia_lib_dirs ${_site_packages}/nvidia/*/lib)
  add_library(TorchWheel::c10 UNKNOWN IMPORTED)
  set_target_properties(TorchWheel::c10 PROPERTIES
    IMPORTED_LOCATION ${TorchWheel_C10_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${TorchWheel_INCLUDE_DIR}
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${TorchWheel_INCLUDE_DIR})
  add_library(TorchWheel::cpu UNKNOWN IMPORTED)
  set_target_properties(TorchWheel::cpu PROPERTIES
    IMPORTED_LOCATION ${TorchWheel_CPU_LIBRARY}
    INTERFACE_COMPILE_OPTIONS -fopenmp
    INTERFACE_LINK_LIBRARIES "TorchWheel::c10;${TorchWheel_GOMP_LIBRARY}")
  # The linker must see what libtorch_cpu loads; the program itself needs no such entry.
  foreach(_dir IN LISTS _nvidia_lib_dirs ITEMS ${PRESCRIPT_TORCH_DIR}/lib)
    set_property(TARGET TorchWheel::cpu APPEND PROPERTY
      INTERFACE_LINK_OPTIONS "LINKER:-rpath-link,${_dir}")
  endforeach()
endif()
