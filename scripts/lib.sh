# What scripts/run and scripts/test share: installing and building. Sourced, not run.
# Wants a Debian 12 machine and root; both parts do nothing where there is nothing to do.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$repository/build

# To build, to test, and to run a pod.
packages=(
  build-essential cmake ninja-build ccache pkg-config clang-format-14 clang-14 libclang-rt-14-dev
  capnproto libcapnp-dev
  libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev
  libabsl-dev libsqlite3-dev libseccomp-dev libcap-dev libarchive-dev zlib1g-dev libzstd-dev libisal-dev
  libssl-dev libcurl4-openssl-dev nlohmann-json3-dev libtomlplusplus-dev libyaml-dev libboost-dev libsystemd-dev lxc-dev
  libgtest-dev libgmock-dev libbenchmark-dev
  crun containernetworking-plugins iptables iproute2
  busybox-static docker-registry erofs-utils openssl python3 ca-certificates man-db
)

die() {
  echo "error: $*" >&2
  exit 1
}

missing_packages() {
  local have
  # dpkg-query fails where it has never heard of one: on a bare machine that is most of them.
  have=$({ dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true; } |
         sed -n 's/^installed //p')
  comm -23 <(printf '%s\n' "${packages[@]}" | sort -u) <(sort -u <<<"$have")
}

# Runs a command with its output in a log, and says every few seconds how far it is. $1: what a line of progress
# looks like in the log.
with_progress() {
  local pattern=$1 log code=0
  shift
  log=$(mktemp)
  "$@" </dev/null >"$log" 2>&1 &
  local pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 3
    echo "      $(grep -cE "$pattern" "$log" || true) steps, now: $(tail -n 1 "$log" | cut -c1-90)"
  done
  wait "$pid" || code=$?
  [ "$code" = 0 ] || tail -n 30 "$log" >&2
  rm -f "$log"
  return "$code"
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  if [ ${#missing[@]} = 0 ]; then
    echo "[1/3] installing: all ${#packages[@]} packages are there"
    return
  fi
  [ "$(id -u)" = 0 ] || die "only root can install: ${missing[*]}"
  echo "[1/3] installing ${#missing[@]} packages"
  export DEBIAN_FRONTEND=noninteractive
  with_progress '^Get:' apt-get update -q || die "apt-get update failed"
  with_progress '^(Get:|Unpacking|Setting up)' \
    apt-get install -q -y --no-install-recommends "${missing[@]}" || die "apt-get install failed"
}

build_all() {
  echo "[2/3] building into $build"
  cmake -S "$repository" --preset dev >"$build.log" 2>&1 ||
    { tail -n 30 "$build.log" >&2; die "cmake failed"; }
  rm -f "$build.log"
  ninja -C "$build" || die "the build failed"
}
