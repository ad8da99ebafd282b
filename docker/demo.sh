#!/bin/sh
# Installs what Adit needs, builds it, and shows it at work (Debian 12, root or sudo).
#
#   docker/demo.sh            serves until Ctrl-C and prints requests to try
#   docker/demo.sh --check    asks them itself, shows the answers, and ends
set -eu
cd "$(dirname "$0")/.."

docker/deps.sh build demo
log=$(mktemp)
{ [ -e build-demo/build.ninja ] || meson setup build-demo -Dbuildtype=release -Db_lto=true -Dtests=false
  ninja -C build-demo; } >"$log" 2>&1 || {
  cat "$log" >&2
  exit 1
}
rm -f "$log"
docker/geodata.sh build-demo/rules || echo "The demo goes on without a database of countries."
exec build-demo/src/adit demo "$@"
