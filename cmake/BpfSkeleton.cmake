# pobpf_add_skeleton(NAME [SOURCE STEM] [DEFINES ...]): compiles bpf/STEM.bpf.c (default: NAME) with
# clang against the trimmed vmlinux.h of this architecture and makes the interface target
# NAME_skeleton, whose header is <NAME.skel.h>. The global property POBPF_BPF_OBJECTS lists the objects.
find_program(BPF_CLANG clang REQUIRED)
find_program(BPF_STRIP llvm-strip REQUIRED)
# Debian keeps bpftool in sbin, which ordinary users do not have in PATH
find_program(BPFTOOL bpftool REQUIRED HINTS /usr/sbin /sbin)

set(POBPF_BPF_ARCH_x86_64 x86)
set(POBPF_BPF_ARCH_aarch64 arm64)
set(POBPF_BPF_ARCH ${POBPF_BPF_ARCH_${CMAKE_SYSTEM_PROCESSOR}})
if(NOT EXISTS ${PROJECT_SOURCE_DIR}/vmlinux/${POBPF_BPF_ARCH}/vmlinux.h)
  message(FATAL_ERROR "no vmlinux/<arch>/vmlinux.h for ${CMAKE_SYSTEM_PROCESSOR}: "
                      "generate it with scripts/gen-vmlinux-h on a kernel of that architecture")
endif()

function(pobpf_add_skeleton name)
  cmake_parse_arguments(arg "" "SOURCE" "DEFINES" ${ARGN})
  if(NOT arg_SOURCE)
    set(arg_SOURCE ${name})
  endif()
  list(TRANSFORM arg_DEFINES PREPEND -D)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${arg_SOURCE}.bpf.c)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(header ${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h)
  set_property(GLOBAL APPEND PROPERTY POBPF_BPF_OBJECTS ${object})
  add_custom_command(
    OUTPUT ${object}
    COMMAND
      ${BPF_CLANG} -g -O2 -target bpf -mcpu=v3 -D__bpf__ -D__TARGET_ARCH_${POBPF_BPF_ARCH} ${arg_DEFINES}
      ${POBPF_PREFIX_MAP} -Wall -Wextra -Werror -Wno-missing-declarations -Wno-unused-parameter
      -I${PROJECT_SOURCE_DIR}/include
      -I${PROJECT_SOURCE_DIR}/vmlinux/${POBPF_BPF_ARCH} -MD -MF ${object}.d -MQ ${object} -c
      ${source} -o ${object}
    # DWARF is not needed at run time; BTF stays
    COMMAND ${BPF_STRIP} -g ${object}
    DEPENDS ${source}
    DEPFILE ${object}.d
    COMMENT "BPF ${name}"
    VERBATIM)
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${header}
    DEPENDS ${object}
    COMMENT "skeleton ${name}"
    VERBATIM)
  add_custom_target(${name}_skeleton_header DEPENDS ${header})
  add_library(${name}_skeleton INTERFACE)
  add_dependencies(${name}_skeleton ${name}_skeleton_header)
  target_include_directories(${name}_skeleton SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(${name}_skeleton INTERFACE PkgConfig::LIBBPF)
endfunction()
