#!/bin/sh
# build_web.sh: build the page of host/web into host/web/dist, with this machine's Node if it is new enough and with
# the one from the Python package index if not.
set -eu

needed=20.19
cd "$(dirname "$0")/.."

fail() {
  printf 'web: %s\n' "$@" >&2
  exit 1
}

[ -f host/web/package.json ] || fail "host/web/package.json is missing: this checkout has no page to build."

new_enough() {
  [ -x "$1/npm" ] && "$1/node" -e '
    const [major, minor] = process.versions.node.split(".").map(Number), [m, n] = process.argv[1].split(".").map(Number);
    process.exit(major > m || (major === m && minor >= n) ? 0 : 1)' "$needed" 2>/dev/null
}

folder=$(dirname "$(command -v node || echo none/node)")
if ! new_enough "$folder"; then
  folder=$PWD/.venv/bin
  [ -x "$folder/node" ] || tools/venv.sh node
  new_enough "$folder" || fail "Node $needed or newer is needed, and none could be installed for this machine."
fi
export PATH="$folder:$PATH" npm_config_cache="$PWD/.cache/npm" npm_config_update_notifier=false
log=$PWD/.cache/web.log

cd host/web
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "installing the page's build tools (Node $(node --version)) into host/web/node_modules"
  npm ci --no-audit --no-fund >"$log" 2>&1 || { tail -n 15 "$log" >&2; fail "npm ci failed: is the network reachable?"; }
fi
echo "building the page into host/web/dist"
npm run build >"$log" 2>&1 || { tail -n 30 "$log" >&2; fail "npm run build failed."; }
[ -f dist/index.html ] || fail "the build left no host/web/dist/index.html."
touch dist/index.html
