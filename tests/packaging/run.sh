#!/bin/bash
# Builds what docker/ and debian/ describe, on a Debian 12 that has nothing but its essential packages, and
# runs it. Root; minutes; apt's mirror must be reachable. docs/packaging.md says what this proves and what not.
#
#   tests/packaging/run.sh                           everything
#   tests/packaging/run.sh image deb reproducible    only these
#
#   image          docker/Dockerfile by buildah, then docker/compose.yaml with the files of that image (image.py)
#   deb            packaging/deb.sh, then the package is installed, used, installed again, purged; once more under a
#                  systemd that systemd-nspawn boots: started, upgraded under load (load.py), removed
#   reproducible   the package and a plain release build once more, elsewhere: the same bytes
#
# It works in build-prove, or $ADIT_PROVE_FOLDER, and keeps the minimal Debian there for the next time.
# The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/../.."
source=$PWD
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
[ "$(id -u)" = 0 ] || { echo "tests/packaging/run.sh: it makes root directories, so it needs root" >&2; exit 1; }
work=${ADIT_PROVE_FOLDER:-$source/build-prove}
mkdir -p "$work"
work=$(cd "$work" && pwd)
passed=0
failed=0

# check WHAT COMMAND… : counts; says what the command said when it failed. Of a function every command must
# succeed, for which it may not be run as a condition.
check() {
  local what=$1 status
  shift
  set +e
  (set -e; "$@") >"$work/check.log" 2>&1
  status=$?
  set -e
  if [ "$status" = 0 ]; then
    passed=$((passed + 1))
    echo "ok: $what"
  else
    failed=$((failed + 1))
    echo "FAILED: $what"
    tail -40 "$work/check.log"
  fi
}

minimal_debian() {
  [ ! -e "$work/base.tar" ] || return 0
  local mirror
  # shellcheck disable=SC2016 # apt fills them in
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | sort -u | head -1)
  rm -rf "$work/base"
  debootstrap --variant=minbase bookworm "$work/base" "$mirror" >"$work/debootstrap.log"
  rm -rf "$work"/base/var/cache/apt/archives/*.deb "$work"/base/var/lib/apt/lists/*
  tar -C "$work/base" -cf "$work/base.tar.new" .
  mv "$work/base.tar.new" "$work/base.tar"
  rm -rf "$work/base"
}

# new_root NAME : a minimal Debian of that name.
new_root() {
  rm -rf "${work:?}/$1"
  mkdir "$work/$1"
  tar -C "$work/$1" -xf "$work/base.tar"
  cp /etc/resolv.conf "$work/$1/etc/"
}

# in_root NAME COMMAND… : there, with /proc and /dev, which go when it is over.
in_root() {
  local root=$work/$1
  shift
  # shellcheck disable=SC2016 # the inner shell's
  unshare --mount --pid --fork --kill-child sh -ec '
    root=$1
    shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    exec chroot "$root" "$@"' sh "$root" "$@"
}

# offline COMMAND… : with a loopback interface of its own, whose ports are all free.
offline() {
  # shellcheck disable=SC2016 # the inner shell's
  unshare --net sh -ec 'ip link set lo up; exec "$@"' sh "$@"
}
# shellcheck disable=SC2317,SC2329 # by `check offline_in_root …`
offline_in_root() { offline bash -c "$(declare -f in_root); work=$work; in_root \"\$@\"" bash "$@"; }

# copy_source FOLDER
copy_source() {
  mkdir -p "$1"
  tar -C "$source" --exclude-vcs --exclude='./build*' --exclude=__pycache__ -cf - . | tar -C "$1" -xf -
}

# ---- image

image_tool() { buildah --root "$work/storage" --runroot "$work/storage-run" "$@"; }

image() {
  local container
  check 'docker-compose takes compose.yaml' docker-compose -f docker/compose.yaml config
  container=$(image_tool from scratch)
  image_tool add -q "$container" "$work/base.tar" / >/dev/null
  image_tool commit -q --format docker "$container" docker.io/library/debian:12-slim >/dev/null
  image_tool rm "$container" >/dev/null
  check 'docker/Dockerfile builds' image_tool build --pull=never --isolation chroot --format docker --layers=false \
    -f docker/Dockerfile -t adit:proof .
  container=$(image_tool from --pull-never adit:proof)
  image_tool inspect --type image adit:proof >"$work/image.json"
  image_tool images --format '{{.Name}} {{.Size}}' | grep -E 'debian|proof'
  check 'the image serves as compose.yaml has it' \
    unshare --mount --net /usr/bin/python3 tests/packaging/image.py "$(image_tool mount "$container")" "$work/image.json"
  tail -1 "$work/check.log"
  image_tool rm "$container" >/dev/null
}

# ---- deb

# build_deb FOLDER COMMAND… : of the root "builder", by packaging/deb.sh at its end; gives the packages to `out`.
build_deb() {
  local folder=$1 out=$2
  shift 2
  rm -rf "$work/builder$folder"
  copy_source "$work/builder$folder"
  in_root builder "$@" "$folder/packaging/deb.sh" "/$out"
}

# Without packages there is nothing to go on with; why is said already.
has_packages() { compgen -G "$work/builder/out-1/*.deb" >/dev/null; }

install_deb() { in_root target sh -ec 'apt install -y --no-install-recommends /adit_*.deb'; }

# What a package owes to who installs it, before it is used.
# shellcheck disable=SC2317,SC2329 # by `check`
is_installed_well() {
  # shellcheck disable=SC2016 # the inner shell's
  in_root target sh -ec '
    getent passwd adit
    [ "$(stat -c "%U %G %a" /var/log/adit)" = "adit adit 750" ]
    [ "$(dpkg-query -W -f "\${Conffiles}" adit | grep -c /etc/)" = 3 ]
    [ -z "$(find /etc/systemd/system -name "adit*")" ]
    systemd-analyze verify /lib/systemd/system/adit.service /lib/systemd/system/adit.socket 2>&1 | tee /verify
    [ ! -s /verify ]'
}

# shellcheck disable=SC2317,SC2329 # by `check`
keeps_what_was_changed() {
  in_root target sh -ec 'echo "// changed here" >>/etc/adit/adit.json'
  in_root target sh -ec 'dpkg -i /adit_*.deb'
  in_root target tail -1 /etc/adit/adit.json | grep 'changed here'
}

# shellcheck disable=SC2317,SC2329 # by `check`
leaves_nothing() {
  in_root target dpkg --purge adit
  in_root target find / -xdev \( -path /proc -o -path /dev \) -prune -o -name 'adit*' ! -name 'adit_*.deb' -print >"$work/left"
  cat "$work/left"
  [ ! -s "$work/left" ]
}

# ---- a booted systemd

# booted COMMAND… : in the target, which has booted.
booted() { nsenter --target "$leader" --all -- "$@"; }

boot() {
  systemd-nspawn --quiet --directory="$work/target" --register=no --keep-unit --private-network \
    /lib/systemd/systemd --show-status=no >"$work/boot.log" 2>&1 </dev/null &
  nspawn=$!
  trap 'kill "$nspawn" 2>/dev/null || true' EXIT
  until leader=$(pgrep -P "$nspawn" -x systemd); do
    kill -0 "$nspawn" 2>/dev/null || { tail -5 "$work/boot.log"; return 1; }
    sleep 0.1
  done
  until booted test -S /run/systemd/private; do sleep 0.1; done
  booted systemctl is-system-running --wait || true # "degraded" will do
}

power_off() {
  booted systemctl poweroff --no-block 2>/dev/null || kill "$nspawn"
  wait "$nspawn" || true
  trap - EXIT
}

# shellcheck disable=SC2317,SC2329 # by `check`
waits_to_be_enabled() {
  booted dpkg -i "/$package"
  [ "$(booted systemctl is-enabled adit.service)" = disabled ]
  [ "$(booted systemctl is-active adit.service)" = inactive ]
}

# shellcheck disable=SC2317,SC2329 # by `check`
runs_by_its_unit() {
  booted mkdir -p /v1
  booted sh -c 'echo "v1 answers" >/v1/index.html'
  booted systemd-run --quiet --unit=v1 --working-directory=/v1 python3 -m http.server 9001 --bind 127.0.0.1
  booted systemctl enable --now adit.service
  booted adit ctl -c /etc/adit/adit.json ready
  booted curl -s --retry 20 --retry-all-errors --retry-delay 1 http://127.0.0.1:8080/ | grep 'v1 answers'
}

main_pid() { booted systemctl show --property=MainPID --value adit.service; }

log_says() { booted journalctl --no-pager -o cat -u adit.service | grep -q "$1"; }

# The package once more while requests run: another process answers, of the program that was unpacked, and
# every request was answered.
# shellcheck disable=SC2317,SC2329 # by `check`
loses_nothing() {
  local before load status=0
  before=$(main_pid)
  rm -f "$work/until"
  mkfifo "$work/until"
  booted python3 /load.py <"$work/until" >"$work/load.log" 2>&1 &
  load=$!
  exec 9>"$work/until"
  until grep -q ready "$work/load.log"; do kill -0 "$load"; sleep 0.1; done
  booted dpkg -i "/$package"
  until log_says "process $(main_pid) goes on alone"; do
    booted systemctl is-active --quiet adit.service || { booted journalctl --no-pager -u adit.service; return 1; }
    sleep 0.1
  done
  [ "$(main_pid)" != "$before" ]
  [ "$(booted readlink "/proc/$(main_pid)/exe")" = /usr/bin/adit ]
  exec 9>&-
  wait "$load" || status=$?
  booted journalctl --no-pager -u adit.service | tail -20
  cat "$work/load.log"
  return "$status"
}

# shellcheck disable=SC2317,SC2329 # by `check`
goes_on_when_the_new_one_fails() {
  local before
  before=$(main_pid)
  booted cp /etc/adit/adit.json /good.json
  booted sh -c 'echo "{" >/etc/adit/adit.json'
  booted dpkg -i "/$package"
  until log_says 'upgrade failed'; do
    [ "$(main_pid)" = "$before" ]
    sleep 0.1
  done
  booted cp /good.json /etc/adit/adit.json
  booted journalctl --no-pager -u adit.service | tail -5
  [ "$(main_pid)" = "$before" ]
  booted curl -s http://127.0.0.1:8080/ | grep 'v1 answers'
}

# shellcheck disable=SC2317,SC2329 # by `check`
stops_when_removed() {
  booted dpkg --remove adit
  [ "$(booted systemctl is-active adit.service)" = inactive ]
  [ -z "$(booted pgrep -x adit)" ]
}

with_systemd() {
  leader=
  nspawn=
  package=$(basename "$work"/target/adit_*.deb)
  cp tests/packaging/load.py "$work/target/"
  boot >>"$work/boot.log" 2>&1 || { echo "FAILED: systemd boots"; failed=$((failed + 1)); tail -5 "$work/boot.log"; return 0; }
  check 'with systemd: installed, it waits to be enabled' waits_to_be_enabled
  check 'with systemd: it serves by its unit' runs_by_its_unit
  check 'with systemd: an upgrade of the package loses no request' loses_nothing
  tail -1 "$work/check.log"
  check 'with systemd: where the new program fails the old one goes on' goes_on_when_the_new_one_fails
  check 'with systemd: removed it stops' stops_when_removed
  power_off
}

deb() {
  new_root builder
  check 'packaging/deb.sh builds, and lintian is content' build_deb /first/place out-1 env
  has_packages || return 0
  tail -3 "$work/check.log"
  new_root target
  cp "$work"/builder/out-1/adit_*.deb "$work/target/"
  cp debian/tests/serves "$work/target/"
  cp docker/deps.sh "$work/target/"
  in_root target /deps.sh tryout
  check 'the package is installed' install_deb
  check 'user, log directory, configuration files, units' is_installed_well
  check 'it serves' offline_in_root target /serves
  check 'installed again it keeps what was changed' keeps_what_was_changed
  check 'purged it leaves nothing' leaves_nothing
  with_systemd
}

# ---- reproducible

# The same files?
# shellcheck disable=SC2317,SC2329 # by `check`
are_same() {
  local one=$1 other=$2
  sha256sum "$one" "$other"
  cmp "$one" "$other" || { diffoscope --max-report-size 4000 "$one" "$other"; return 1; }
}

# release_build FOLDER : with debug information, which is what knows paths.
# shellcheck disable=SC2317,SC2329 # by `check`
release_build() {
  copy_source "$work/builder$1"
  in_root builder sh -ec "cd $1 && meson setup a-build -Dbuildtype=debugoptimized -Db_lto=true -Dtests=false && ninja -C a-build src/adit"
  cp "$work/builder$1/a-build/src/adit" "$work/adit$(tr / - <<<"$1")"
}

reproducible() {
  has_packages || { new_root builder; check 'the package builds' build_deb /first/place out-1 env; }
  has_packages || return 0
  check 'the package builds elsewhere, in another zone, language and umask' \
    build_deb /and/then/another out-2 env TZ=Pacific/Kiritimati LC_ALL=C LANG=C HOME=/nowhere sh -c 'umask 027; exec "$@"' sh
  for one in "$work"/builder/out-1/*.deb; do
    check "two builds of ${one##*/} are the same" are_same "$one" "$work/builder/out-2/${one##*/}"
  done
  check 'a release build' release_build /one
  check 'a release build elsewhere' release_build /some/where/else
  check 'two release builds are the same' are_same "$work/adit-one" "$work/adit-some-where-else"
}

docker/deps.sh prove
minimal_debian
[ $# -gt 0 ] || set -- image deb reproducible
for part in "$@"; do
  case $part in
    image | deb | reproducible) "$part" ;;
    *) echo "tests/packaging/run.sh: there is no part '$part'" >&2; exit 2 ;;
  esac
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
