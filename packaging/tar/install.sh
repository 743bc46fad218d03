#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs what lies beside it in files/, and removes it again.
set -eu
umask 022
unset CDPATH

usage() {
  cat <<'END'
usage: ./install.sh [--prefix DIR] [install | uninstall]

install    puts the program, its man pages, completion and documents below DIR, and then removes
           what an earlier version had beside these; without --prefix below /usr/local
uninstall  removes what install has put there, and directories that it made and that are empty

$DESTDIR, if it is set, goes in front of all paths, for those who make packages.
END
}

die() {
  printf 'install.sh: %s\n' "$1" >&2
  exit "${2-1}"
}

# make_directory PATH: with those above it, deepest first in $made if they were not there.
make_directory() {
  [ ! -d "$root$1" ] || return 0
  make_directory "$(dirname -- "$1")"
  mkdir "$root$1" 2>/dev/null ||
    die "cannot make $root$1: run this as root, or say by --prefix where you may write"
  made="$1
$made"
}

is_directory() {
  [ -n "$1" ] && [ -d "$root$1" ] && [ ! -L "$root$1" ]
}

# remove [KEPT]: all of $old but the lines of KEPT; directories come last, and go if they are empty.
remove() {
  while IFS= read -r path; do
    if is_directory "$path"; then
      rmdir "$root$path" 2>/dev/null || :
    elif [ -n "$path" ] && ! printf '%s\n' "${1-}" | grep -qxF -- "$path"; then
      rm -f -- "$root$path" 2>/dev/null || die "cannot remove $root$path: run this as root"
    fi
  done <<END
$old
END
}

# write_list PATHS: files first, then directories that are there, deepest first.
write_list() {
  {
    printf '%s\n' "$1"
    while IFS= read -r path; do
      ! is_directory "$path" || printf '%s\n' "$path"
    done <<END
$made$old
END
  } >"$root$new"
  mv -f -- "$root$new" "$root$list"
}

uninstall() {
  [ -n "$old" ] || die "nothing is installed below $root$prefix by this script"
  remove
}

install() {
  [ "$(uname -sm)" = "Linux @ARCHITECTURE@" ] ||
    die "this pobpf is for Linux on @ARCHITECTURE@, and this is $(uname -sm)"
  paths=$(cd "$files" && find . -type f | sed "s|^\.|$prefix|" | sort)
  while IFS= read -r path; do
    { [ ! -e "$root$path" ] && [ ! -L "$root$path" ]; } ||
      printf '%s\n' "$old" | grep -qxF -- "$path" ||
      die "$root$path is there and not from here: remove it, or give another --prefix"
  done <<END
$paths
END
  made=
  paths="$paths
$list"
  while IFS= read -r path; do
    make_directory "$(dirname -- "$path")"
  done <<END
$paths
END
  # both versions, so that uninstall removes what a run that fails has left
  write_list "$new
$paths
$old"
  while IFS= read -r path; do
    [ "$path" != "$list" ] || continue
    # a program that runs cannot be written to, but its name can be given to another
    cp -- "$files${path#"$prefix"}" "$root$new"
    mv -f -- "$root$new" "$root$path"
  done <<END
$paths
END
  remove "$paths"
  write_list "$paths"
}

prefix=/usr/local
verb=install
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --prefix)
      [ $# -gt 1 ] || die '--prefix needs a directory, see --help' 2
      prefix=$2
      shift
      ;;
    --prefix=*) prefix=${1#--prefix=} ;;
    install | uninstall) verb=$1 ;;
    *) die "unknown argument $1, see --help" 2 ;;
  esac
  shift
done
case $prefix in
  *[!A-Za-z0-9/._+-]*) die '--prefix takes letters, digits and /._+- only' 2 ;;
  /*) prefix=${prefix%/} ;;
  *) die "--prefix has to begin with /" 2 ;;
esac
root=${DESTDIR-}
[ -d "$root/" ] || die "there is no directory $root: make it first" 2
files=$(dirname -- "$0")/files
list=$prefix/share/pobpf/installed
new=$list.new
old=$(cat -- "$root$list" 2>/dev/null) || old=
"$verb"
