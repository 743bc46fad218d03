# shellcheck shell=bash disable=SC2034  # the lists are read through their names
# Sourced by the shell scripts here: the Debian packages of the project, and messages.

# These compile and test pobpf on the machine itself.
packages_build=(
  bpftool clang cmake dpkg-dev g++ git libbpf-dev libcap-dev libcap2-bin libcli11-dev libelf-dev libexpected-dev
  libbenchmark-dev libfmt-dev libgmock-dev libgtest-dev liblzma-dev libnuma-dev libprotobuf-dev
  libspdlog-dev libsqlite3-dev libtomlplusplus-dev libutf8proc-dev libxxhash-dev libzstd-dev llvm ninja-build nlohmann-json3-dev pahole pkg-config
  protobuf-compiler python3 rapidjson-dev zlib1g-dev zstd
)

# scripts/kernel, scripts/vm and scripts/debian-root need these.
packages_vm=(
  bc bison busybox-static cpio e2fsprogs flex gcc kmod libelf-dev libssl-dev make mmdebstrap openssl pahole
  python3 qemu-system-x86 qemu-utils rsync xz-utils
)

# These make and test packages: man pages, completion, lintian, rpmlint.
packages_package=(
  bash-completion binutils busybox-static dpkg-dev fish groff-base init-system-helpers lintian mandoc
  passwd rpm rpmlint systemd zsh
)

# The program by which scripts/coverage reads its counts.
packages_coverage=(gcovr)

# These check the sources.
packages_lint=(clang-format clang-tidy git python3 shellcheck)

# Debian keeps bpftool where a user's PATH does not look.
PATH=$PATH:/usr/sbin:/sbin

# say MESSAGE: a line for the person who waits; standard output is data only.
say() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
}

# die MESSAGE: ends the script with one sentence.
die() {
  say "$1"
  exit 1
}

# missing_packages PACKAGE...: prints those that are not installed, one a line.
missing_packages() {
  local package state
  for package in "$@"; do
    state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || state=
    [[ $state == installed ]] || printf '%s\n' "$package"
  done
}
