# A program whose property POBPF_STATIC is ON is linked with static libraries alone, glibc included:
# it starts on every distribution, and without a dynamic linker, which takes most of a short run. The
# option of the same name turns it on for all programs.
#
# All libraries are linked by targets whose choice is made for each program. Two of them have no static library in
# Debian, so those are compiled here, from what their headers have for programs that want no library.
option(POBPF_STATIC "link all programs with static libraries alone" OFF)
define_property(
  TARGET
  PROPERTY POBPF_STATIC
  BRIEF_DOCS "whether a program is linked with static libraries alone"
  INITIALIZE_FROM_VARIABLE POBPF_STATIC)
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

# An object, as those come before all libraries: its functions are taken and not those of libc.a, of
# which the linker would warn.
add_library(pobpf_static_libc OBJECT EXCLUDE_FROM_ALL cmake/static/libc.cpp)
target_link_libraries(pobpf_options INTERFACE $<${is_static}:$<TARGET_OBJECTS:pobpf_static_libc>>)
target_link_options(
  pobpf_options INTERFACE $<${is_static}:-static-pie> $<${is_static}:LINKER:--wrap=dlopen>
                          $<${is_static}:LINKER:--fatal-warnings>)
