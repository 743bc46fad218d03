#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs what lies beside it in files/, and removes it again.
set -eu
umask 022
unset CDPATH

usage() {
  cat <<'END'
usage: ./install.sh [--prefix DIR] [install | uninstall]

install    puts the program, its man pages, completion and documents below DIR, in place of those of
           an earlier version; without --prefix below /usr/local
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

uninstall() {
  while IFS= read -r path; do
    if [ -d "$root$path" ] && [ ! -L "$root$path" ]; then
      rmdir "$root$path" 2>/dev/null || :
    else
      rm -f -- "$root$path" 2>/dev/null || die "cannot remove $root$path: run this as root"
    fi
  done <"$root$list"
}

install() {
  [ "$(uname -sm)" = "Linux @ARCHITECTURE@" ] ||
    die "this pobpf is for Linux on @ARCHITECTURE@, and this is $(uname -sm)"
  paths=$(cd "$files" && find . -type f | sed 's/^\.//' | sort)
  for path in $paths; do
    [ ! -e "$root$prefix$path" ] && [ ! -L "$root$prefix$path" ] || grep -qxF -- "$prefix$path" "$root$list" 2>/dev/null ||
      die "$root$prefix$path is there and not from here: remove it, or give another --prefix"
  done
  if [ -e "$root$list" ]; then uninstall; fi
  made=
  for path in $list $(printf '%s\n' "$paths" | sed "s|^|$prefix|"); do
    make_directory "$(dirname -- "$path")"
  done
  # before the files, so that uninstall removes what a run that fails has left
  {
    printf '%s\n' "$paths" | sed "s|^|$prefix|"
    printf '%s\n%s' "$list" "$made"
  } >"$root$list"
  for path in $paths; do
    cp -- "$files$path" "$root$prefix$path"
  done
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

if [ "$verb" = uninstall ] && [ ! -e "$root$list" ]; then
  die "nothing is installed below $root$prefix by this script"
fi
"$verb"
