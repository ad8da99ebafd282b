#!/bin/sh
# The one list of Debian packages that Adit needs, and their installation.
#
#   docker/deps.sh build [demo] [test] …           installs what is missing (root or sudo)
#   docker/deps.sh --list build [test] …           only prints the names
set -eu

packages() {
  case $1 in
    build)
      echo gcc libc6-dev meson ninja-build pkg-config
      # What Adit is linked with: docs/adr/ says why each is there.
      echo libcjson-dev libcurl4-openssl-dev libhiredis-dev libmaxminddb-dev libmicrohttpd-dev libpcre2-dev libseccomp-dev libssl-dev libyaml-dev zlib1g-dev
      # Time zones that rule files name; read when Adit runs.
      echo tzdata
      ;;
    run)
      # The same libraries without what only a compiler needs: all that the program itself needs.
      echo libc6 libcjson1 libcurl4 libhiredis0.14 libmaxminddb0 libmicrohttpd12 libpcre2-8-0 libseccomp2 libssl3 libyaml-0-2 zlib1g
      echo ca-certificates tzdata
      ;;
    package)
      # What packaging/deb.sh builds and checks a Debian package with.
      echo build-essential debhelper lintian
      ;;
    prove)
      # What tests/packaging/prove.sh makes roots and images of.
      echo buildah debootstrap diffoscope-minimal docker-compose iproute2 nginx-light prometheus procps python3 python3-yaml systemd-container
      ;;
    test)
      echo check clang clang-format clang-tidy curl git haproxy libclang-rt-14-dev llvm nginx-light procps python3 redis-server
      # It scrapes a gateway and evaluates docs/monitoring; promtool checks what /metrics says.
      echo prometheus
      # The shells that adit is completed in, and a checker of its man page.
      echo fish mandoc zsh
      echo python3-cryptography python3-jsonschema python3-jwt python3-websockets python3-yaml systemd
      ;;
    demo)
      # What docker/geodata.sh fetches a database with.
      echo ca-certificates curl openssl
      ;;
    bench)
      echo haproxy nginx-light python3 util-linux valgrind wrk
      ;;
    tryout)
      # What tests/packaging/run.sh tries the package with, on the Debian where it installs it.
      echo curl procps python3 systemd
      ;;
    *)
      echo "docker/deps.sh: unknown group '$1': use build, run, demo, test, bench, package, prove or tryout" >&2
      exit 2
      ;;
  esac
}

list_only=false
if [ "${1:-}" = --list ]; then
  list_only=true
  shift
fi
[ $# -gt 0 ] || set -- build

wanted=
for group in "$@"; do
  wanted="$wanted $(packages "$group" | tr '\n' ' ')"
done
if $list_only; then
  echo "$wanted" | tr -s ' ' '\n' | sed '/^$/d' | sort -u
  exit 0
fi

missing=
for package in $wanted; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = 'install ok installed' ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "docker/deps.sh: these packages are missing and only root can install them:$missing" >&2
    exit 1
  }
  as_root=sudo
fi
echo "installing:$missing"
log=$(mktemp)
if ! { $as_root apt-get update -q &&
  $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
  tail -20 "$log" >&2
  echo "docker/deps.sh: the packages could not be installed; the whole log is in $log" >&2
  exit 1
fi
rm -f "$log"
