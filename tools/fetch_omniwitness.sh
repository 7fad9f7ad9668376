#!/bin/sh
# fetch_omniwitness.sh: print the path of transparency-dev's omniwitness, a witness that nobody here wrote, for the test
# with it. It is built once, from its Go module, into .cache/omniwitness; that takes Go 1.21 or later, which gets a newer
# Go by itself where it needs one, and some minutes. Go checks the module against its checksum database, and this script
# against the sum below.
#
#   WATTPACT_OMNIWITNESS an omniwitness to use instead: then nothing is built
set -eu

module=github.com/transparency-dev/witness
version=v0.0.0-20260720115447-2e1c6971d19e
sum=h1:YGwUZRKoG5GjoissskUoEumfgaFtXuon4L3j6+SBnrc=
store=$(cd "$(dirname "$0")/.." && pwd)/.cache/omniwitness
program=$store/$version/omniwitness

fail() {
  printf '%s\n' "fetch_omniwitness: $1" >&2
  exit 1
}

if [ -n "${WATTPACT_OMNIWITNESS:-}" ]; then
  echo "$WATTPACT_OMNIWITNESS"
  exit
fi
if [ ! -x "$program" ]; then
  command -v go >/dev/null || fail "it is built with Go, which is not here; install Go, or set WATTPACT_OMNIWITNESS"
  mkdir -p "$store"
  exec 9>"$store/lock"
  flock 9 # tests run side by side
fi
if [ ! -x "$program" ]; then
  work=$(mktemp -d "$store/unfinished.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM HUP
  export GOTOOLCHAIN=auto GOFLAGS=-mod=mod GOBIN="$work/bin" GOWORK=off
  cd "$work"
  printf 'module build\n' >go.mod
  go mod download -json "$module@$version" >download.json 2>"$store/build.log" || {
    tail -n 3 "$store/build.log" >&2
    fail "$module is not to be had; is there a network?"
  }
  grep -qF "\"Sum\": \"$sum\"" download.json || fail "$module $version is not what it was: its sum is another"
  echo "building omniwitness $version from its Go module into .cache/omniwitness" >&2
  go install "$module/cmd/omniwitness@$version" 2>>"$store/build.log" || {
    tail -n 5 "$store/build.log" >&2
    fail "the build did not finish; $store/build.log has all of it"
  }
  # The last step is a rename: an interrupted build leaves nothing that looks like a finished one.
  mkdir -p "$store/$version"
  mv "$work/bin/omniwitness" "$program"
fi
echo "$program"
