#!/bin/sh
# venv.sh run|dev|node: make .venv, or bring it up to date, with what that use of Wattpact needs, pinned by
# requirements.lock. PYTHON names the interpreter to build it with.
set -eu

use=$1
cd "$(dirname "$0")/.."
log=.cache/pip.log

fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

find_python() {
  for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$python"
      return
    fi
  done
  fail "Python 3.11 or newer is needed: set PYTHON to one."
}

mkdir -p .cache
# A copied or moved checkout brings a .venv whose scripts name the old place.
if ! .venv/bin/pip --version >/dev/null 2>&1; then
  python=$(find_python)
  echo "making .venv with $("$python" --version)"
  rm -rf .venv
  "$python" -m venv .venv >"$log" 2>&1 || { cat "$log" >&2; fail "no virtual environment: on Debian, install python3-venv."; }
fi

case $use in
  run) extra= purpose="what running needs" ;;
  dev) extra='[dev]' purpose="what tests and checks need" ;;
  node) extra='[node]' purpose="Node, to build the page" ;;
  *) fail "usage: venv.sh run|dev|node" ;;
esac
echo "installing $purpose into .venv"
.venv/bin/pip install --quiet --constraint requirements.lock --editable ".$extra" >"$log" 2>&1 || {
  tail -n 5 "$log" >&2
  fail "pip could not install $purpose: is the network reachable? Everything it said is in $log."
}
