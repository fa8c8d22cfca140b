#!/bin/sh
# with_clang.sh CLANG [LAUNCHER] GCC ARGUMENTS...: runs a compile or link command of the tree's compiler with CLANG.
set -eu
clang=$1
shift
launcher=
case "$1" in
  *ccache) launcher=$1; shift ;;
esac
shift
exec $launcher "$clang" "$@"
