#!/bin/sh
# fetch_chromium.sh: print the path of a Chromium for the tests of the page. One that is here is used; where there is
# none, Debian's is installed, which takes root (or sudo without a password). Nothing but tests needs a browser.
#
#   WATTPACT_CHROMIUM    a Chromium or Chrome to use instead
set -eu

find_one() {
  for name in "${WATTPACT_CHROMIUM:-}" chromium chromium-browser google-chrome-stable google-chrome; do
    [ -z "$name" ] || ! command -v "$name" || return 0
  done
  return 1
}

# What Playwright's own Node is linked with, and a small Debian lacks.
has_atomic() { ls /lib/*/libatomic.so.1 /usr/lib/*/libatomic.so.1 /usr/lib*/libatomic.so.1 2>/dev/null | grep -q .; }

is_ready() { has_atomic && find_one; }

is_ready && exit
if [ "$(id -u)" -eq 0 ]; then root=; elif sudo -n true 2>/dev/null; then root="sudo -n"; else root=none; fi
if [ "$root" = none ] || ! command -v apt-get >/dev/null; then
  echo "install the packages chromium and libatomic1, or set WATTPACT_CHROMIUM to the path of a Chromium" >&2
  exit 1
fi
packages=libatomic1
find_one >/dev/null || packages="$packages chromium"
folder=$(cd "$(dirname "$0")/.." && pwd)/.cache
mkdir -p "$folder"
exec 9>"$folder/chromium.lock"
flock 9 # tests run side by side, and apt does not
is_ready && exit
echo "installing Debian's $packages, for the tests of the page" >&2
{
  # shellcheck disable=SC2086  (a list of names)
  $root apt-get update && $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
} >"$folder/chromium.log" 2>&1 || { tail -n 5 "$folder/chromium.log" >&2; exit 1; }
is_ready
