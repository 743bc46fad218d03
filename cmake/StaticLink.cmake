# pobpf_link_statically(TARGET): links a program with static libraries alone, glibc included. Most of what a
# short run takes in an emulated guest is the dynamic linker's work, and the pages of sixteen libraries.
#
# All libraries are linked by targets whose choice is made for each program. Two of them have no static library in
# Debian, so those are compiled here, from what their headers have for programs that want no library.
define_property(
  TARGET
  PROPERTY POBPF_STATIC
  BRIEF_DOCS "whether a program is linked with static libraries alone")
set(is_static $<BOOL:$<TARGET_PROPERTY:POBPF_STATIC>>)

foreach(library IN ITEMS LIBBPF CAP NUMA LZMA SQLITE UTF8PROC ZLIB ZSTD)
  set_target_properties(
    PkgConfig::${library}
    PROPERTIES INTERFACE_LINK_LIBRARIES
               "$<${is_static}:${${library}_STATIC_LIBRARIES}>;$<$<NOT:${is_static}>:${${library}_LIBRARIES}>")
endforeach()

add_library(pobpf_static_fmt STATIC EXCLUDE_FROM_ALL cmake/static/fmt.cpp)
add_library(pobpf_fmt INTERFACE)
target_link_libraries(pobpf_fmt INTERFACE $<IF:${is_static},pobpf_static_fmt,fmt::fmt>)

add_library(pobpf_static_spdlog STATIC EXCLUDE_FROM_ALL cmake/static/spdlog.cpp)
target_compile_definitions(pobpf_static_spdlog PUBLIC SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL)
target_link_libraries(pobpf_static_spdlog PUBLIC pobpf_fmt)
add_library(pobpf_spdlog INTERFACE)
target_link_libraries(pobpf_spdlog INTERFACE $<IF:${is_static},pobpf_static_spdlog,spdlog::spdlog>)

add_library(pobpf_protobuf INTERFACE)
target_link_libraries(pobpf_protobuf INTERFACE $<IF:${is_static},protobuf-lite,protobuf::libprotobuf-lite>)

function(pobpf_link_statically target)
  set_target_properties(${target} PROPERTIES POBPF_STATIC ON)
  # glibc's warnings that users are looked up by what the machine has installed
  target_link_options(${target} PRIVATE -static LINKER:--no-warnings)
endfunction()
