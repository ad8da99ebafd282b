#!/bin/sh
# Builds the Debian package (Debian 12, root or sudo to install what that needs).
#
#   packaging/deb.sh [FOLDER]     puts it there (default: build-deb), with what lintian says of it
#
# The same tree gives the same package, byte for byte: times are those of debian/changelog.
set -eu
cd "$(dirname "$0")/.."
source=$PWD
target=${1:-build-deb}
mkdir -p "$target"
target=$(cd "$target" && pwd)

docker/deps.sh build package
# What a build leaves behind stays out of the tree, and what lies about in it stays out of the build.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/adit"
tar -C "$source" --exclude-vcs --exclude='./build*' --exclude=__pycache__ -cf - . | tar -C "$work/adit" -xf -
cd "$work/adit"
chmod -R u=rwX,go=rX .
log=$work/log
dpkg-buildpackage --build=binary --no-sign >"$log" 2>&1 || {
  tail -60 "$log" >&2
  echo "packaging/deb.sh: the package did not build" >&2
  exit 1
}
cd "$work"
lintian --allow-root --fail-on error,warning ./*.changes || {
  echo "packaging/deb.sh: lintian is not content" >&2
  exit 1
}
cp ./*.deb ./*.changes ./*.buildinfo "$target"
cd "$target"
sha256sum ./*.deb
