#!/bin/sh
# Runs a link command with the archive of every shared library that it names: the packages' CMake files know only the
# shared ones, and a program cannot be static with those.
set -eu
for argument; do
  shift
  case "$argument" in
    /*.so | /*.so.*)
      archive="${argument%%.so*}.a"
      # libcapnp-0.9.2.so has the archive libcapnp.a.
      [ -e "$archive" ] || archive="$(echo "$archive" | sed 's/-[0-9][0-9.]*\.a$/.a/')"
      [ -e "$archive" ] && argument="$archive"
      ;;
  esac
  set -- "$@" "$argument"
done
exec "$@"
