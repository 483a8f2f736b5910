# The build's own rules: how strict a compile is, and who may include whom.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(flags INTERFACE)
target_compile_options(flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
  -Wmissing-prototypes -Wformat=2 -Wvla -Werror -fno-common -fstack-protector-strong)
target_compile_definitions(flags INTERFACE _GNU_SOURCE CRIER_VERSION="${PROJECT_VERSION}"
  CRIER_DATA_DIR="${CMAKE_INSTALL_FULL_DATADIR}/crier" CRIER_SYSCONF_DIR="${CMAKE_INSTALL_FULL_SYSCONFDIR}/crier")
target_link_options(flags INTERFACE -Wl,--as-needed)

# Each of some 150 tests is a program: a linker that takes a third of the time is worth having where it is installed. What
# is built to be installed (without tests) comes from the system's own.
include(CheckLinkerFlag)
check_linker_flag(C -fuse-ld=mold HAS_MOLD)
if(TESTS AND HAS_MOLD)
  target_link_options(flags INTERFACE -fuse-ld=mold)
endif()
if(SANITIZE)
  target_compile_options(flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(flags INTERFACE -fsanitize=address,undefined)
elseif(SANITIZE_THREAD)
  target_compile_options(flags INTERFACE -fsanitize=thread -fno-omit-frame-pointer)
  target_link_options(flags INTERFACE -fsanitize=thread)
else()
  target_compile_definitions(flags INTERFACE $<$<CONFIG:Release,RelWithDebInfo>:_FORTIFY_SOURCE=2>)
endif()
if(FUZZ)
  target_compile_options(flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer)
  target_link_options(flags INTERFACE -fsanitize=address,undefined)
endif()

# A library from the system, by its pkg-config name; its headers are "system", so that our warnings stay ours.
function(system_library name)
  if(NOT TARGET PkgConfig::${name})
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${name})
  endif()
endfunction()

# A folder is a static library that sees itself and the layers it USES: its include path is a view with one link,
# so an #include of a layer further right does not compile.
function(layer folder)
  cmake_parse_arguments(arg "" "" "USES;LIBS" ${ARGN})
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.c)
  add_library(${folder} STATIC ${files})
  set(view ${PROJECT_BINARY_DIR}/view/${folder})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${view}/${folder} SYMBOLIC)
  target_include_directories(${folder} PUBLIC ${view})
  foreach(name ${arg_LIBS})
    system_library(${name})
    target_link_libraries(${folder} PUBLIC PkgConfig::${name})
  endforeach()
  target_link_libraries(${folder} PUBLIC ${arg_USES} Threads::Threads PRIVATE flags)
endfunction()
