#!/bin/sh
# go_program.sh NAME: print the path of a program that is written in Go and that nobody here wrote. It is built once, from
# its Go module, into .cache/NAME; that takes Go 1.21 or later, which gets a newer Go by itself where it needs one, and
# some minutes. Go checks the module against its checksum database, and this script against the sum below.
#
#   omniwitness   transparency-dev's witness, for the test with it
#   cometbft      what orders a ledger that several hosts keep
#
#   WATTPACT_OMNIWITNESS, WATTPACT_COMETBFT   a program to use instead: then nothing is built
set -eu

name=${1-}
case $name in
  omniwitness)
    given=${WATTPACT_OMNIWITNESS:-} variable=WATTPACT_OMNIWITNESS
    module=github.com/transparency-dev/witness
    version=v0.0.0-20260720115447-2e1c6971d19e
    sum=h1:YGwUZRKoG5GjoissskUoEumfgaFtXuon4L3j6+SBnrc=
    ;;
  cometbft)
    export CGO_ENABLED=0 # no C: one file that needs nothing of the machine it runs on
    given=${WATTPACT_COMETBFT:-} variable=WATTPACT_COMETBFT
    module=github.com/cometbft/cometbft
    version=v0.38.26
    sum=h1:MIPYgOSvyyiN1jo3SZljKy4ZXqs896aQnj3pQFfUmaE=
    ;;
  *)
    echo "usage: go_program.sh omniwitness|cometbft" >&2
    exit 2
    ;;
esac
store=$(cd "$(dirname "$0")/.." && pwd)/.cache/$name
program=$store/$version/$name

fail() {
  printf '%s\n' "go_program: $1" >&2
  exit 1
}

if [ -n "$given" ]; then
  echo "$given"
  exit
fi
if [ ! -x "$program" ]; then
  command -v go >/dev/null || fail "$name is built with Go, which is not here; install Go, or set $variable"
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
  echo "building $name $version from its Go module into .cache/$name; that takes some minutes" >&2
  # Without paths of this machine, and what only a debugger reads.
  go install -trimpath -ldflags "-s -w" "$module/cmd/$name@$version" 2>>"$store/build.log" || {
    tail -n 5 "$store/build.log" >&2
    fail "the build did not finish; $store/build.log has all of it"
  }
  # The last step is a rename: an interrupted build leaves nothing that looks like a finished one.
  mkdir -p "$store/$version"
  mv "$work/bin/$name" "$program"
fi
echo "$program"
