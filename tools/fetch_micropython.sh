#!/bin/sh
# fetch_micropython.sh [i386|armhf]: put Debian's 32-bit MicroPython, with the libraries that it needs, into
# .cache/micropython. Nothing is installed and no root is needed: apt works in a state of its own inside .cache,
# and checks the archive's signatures as always. Does nothing when the MicroPython is already there.
#
#   DEBIAN_MIRROR        a Debian mirror to use instead of the one in this machine's apt sources
#   WATTPACT_MICROPYTHON a 32-bit unix MicroPython to use instead: then nothing is fetched
set -eu

suite=trixie
version=1.25
checkout=$(cd "$(dirname "$0")/.." && pwd)
store=$checkout/.cache/micropython

fail() {
  printf '%s\n' "fetch_micropython: $1" "Or set WATTPACT_MICROPYTHON to the path of a 32-bit unix MicroPython $version." >&2
  exit 1
}

# shellcheck source=tools/debian_archive.sh
. "$checkout/tools/debian_archive.sh"

[ -z "${WATTPACT_MICROPYTHON:-}" ] || exit 0
case ${1:-$(uname -m)} in
  i386 | i486 | i586 | i686 | x86_64) arch=i386 ;;
  armhf | arm* | aarch64) arch=armhf ;;
  *) fail "Debian's MicroPython is fetched for x86 and ARM machines, and this one is $(uname -m)." ;;
esac
[ ! -e "$store/$arch/usr/bin/micropython" ] || exit 0
echo "fetching MicroPython $version ($arch) from Debian $suite into .cache/micropython"

mkdir -p "$store"
work=$(mktemp -d "$store/unfinished.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$work/root"
prepare_apt "$arch"
find_archive deb "$suite" micropython "$version"
apt-get -qq -y --download-only install micropython >>"$work/apt.log" 2>&1 || {
  tail -n 8 "$work/apt.log" >&2
  fail "the download of MicroPython $found did not finish."
}
for package in "$work"/archives/*.deb; do
  dpkg-deb --extract "$package" "$work/root"
done
rm -rf "$work/root/usr/share"

# A processor or kernel that cannot run the other architecture's programs needs an emulator; tools/micropython reads
# which one from this file.
case $arch in
  i386) loader=$work/root/usr/lib/ld-linux.so.2 libraries=$work/root/usr/lib/i386-linux-gnu emulator=qemu-i386 ;;
  armhf) loader=$work/root/usr/lib/ld-linux-armhf.so.3 libraries=$work/root/usr/lib/arm-linux-gnueabihf emulator=qemu-arm ;;
esac
if ! "$loader" --library-path "$libraries" "$work/root/usr/bin/micropython" -c 'pass' 2>/dev/null; then
  command -v "$emulator" >"$work/root/emulator" || command -v "$emulator-static" >"$work/root/emulator" ||
    fail "this machine does not run $arch programs; the package qemu-user would let it."
fi

# The last step is a rename: an interrupted fetch leaves nothing that looks like a finished one.
mv -T "$work/root" "$store/$arch" 2>/dev/null || [ -e "$store/$arch/usr/bin/micropython" ] || fail "cannot write $store/$arch."
