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

[ -z "${WATTPACT_MICROPYTHON:-}" ] || exit 0
case ${1:-$(uname -m)} in
  i386 | i486 | i586 | i686 | x86_64) arch=i386 ;;
  armhf | arm* | aarch64) arch=armhf ;;
  *) fail "Debian's MicroPython is fetched for x86 and ARM machines, and this one is $(uname -m)." ;;
esac
[ ! -e "$store/$arch/usr/bin/micropython" ] || exit 0
for tool in apt-get apt-config dpkg-deb; do
  command -v "$tool" >/dev/null || fail "$tool is not on this machine, so Debian's MicroPython cannot be fetched."
done
echo "fetching MicroPython $version ($arch) from Debian $suite into .cache/micropython"

mkdir -p "$store"
work=$(mktemp -d "$store/unfinished.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/empty" "$work/root"
: >"$work/status"

# Of the machine's apt configuration only what concerns the transport (proxies, certificates) is taken: its hooks and
# folders belong to the system. APT_CONFIG is read first, so that it can turn the other files away.
{
  apt-config dump | grep '^Acquire::' || true
  cat <<CONFIG
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "$work/empty";
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "$work/empty";
Dir::State "$work";
Dir::State::Lists "$work/lists";
Dir::State::Status "$work/status";
Dir::Cache "$work";
Dir::Cache::Archives "$work/archives";
Dir::Log "$work";
APT::Architecture "$arch";
APT::Architectures "$arch";
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Debug::NoLocking "true";
CONFIG
} >"$work/apt.conf"

# Every archive of the machine's apt sources with a component "main", as "URI KEYRING": one-line and deb822 files.
# Which of them carries the suite is found by asking them.
list_archives() {
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -f "$file" ] || awk '
      $1 == "deb" {
        line = $0; key = ""
        if (match(line, /signed-by=[^] ]+/)) key = substr(line, RSTART + 10, RLENGTH - 10)
        sub(/^deb[ \t]+(\[[^]]*\])?[ \t]*/, "", line); n = split(line, field, /[ \t]+/)
        for (i = 3; i <= n; i++) if (field[i] == "main") print field[1], key
      }' "$file"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$file" ] || awk '
      function flush(   i, n, uri) {
        if (main && binary && enabled) { n = split(uris, uri, " "); for (i = 1; i <= n; i++) print uri[i], key }
        uris = key = ""; main = 0; binary = enabled = 1
      }
      BEGIN { binary = enabled = 1 }
      /^[ \t]*$/ { flush(); next }
      /^#/ { next }
      /^[^ \t]/ { name = tolower($1); $1 = "" }
      name == "uris:" { uris = uris " " $0 }
      name == "signed-by:" && $0 ~ /^[ \t]*\// { key = $1 }
      name == "components:" && $0 ~ /(^|[ \t])main([ \t]|$)/ { main = 1 }
      name == "types:" && $0 !~ /(^|[ \t])deb([ \t]|$)/ { binary = 0 }
      name == "enabled:" && $0 ~ /no|false/ { enabled = 0 }
      END { flush() }' "$file"
  done
}
if [ -n "${DEBIAN_MIRROR:-}" ]; then
  printf '%s\n' "$DEBIAN_MIRROR " >"$work/archives.txt"
else
  list_archives | grep -v -e security -e '^cdrom:' | awk '!seen[$0]++' >"$work/archives.txt" || true
fi
[ -s "$work/archives.txt" ] || fail "no Debian mirror stands in /etc/apt: set DEBIAN_MIRROR to one."

export APT_CONFIG="$work/apt.conf"
found=
while read -r uri key; do
  case $uri in *raspbian*) distributor=raspbian ;; *) distributor=debian ;; esac
  key=${key:-/usr/share/keyrings/$distributor-archive-keyring.gpg}
  if [ -f "$key" ]; then options=" [signed-by=$key]"; else options=; fi
  echo "deb$options $uri $suite main" >"$work/sources.list"
  apt-get -qq update >>"$work/apt.log" 2>&1 || continue
  candidate=$(apt-cache show --no-all-versions micropython 2>>"$work/apt.log" | sed -n 's/^Version: //p')
  case $candidate in
    "$version".*) found=$candidate; break ;;
    *) echo "$uri: has MicroPython '$candidate', and $version is needed" >>"$work/apt.log" ;;
  esac
done <"$work/archives.txt"
if [ -z "$found" ]; then
  tail -n 8 "$work/apt.log" >&2
  fail "none of $(cut -d ' ' -f 1 "$work/archives.txt" | tr '\n' ' ')gave MicroPython $version: is the network reachable? DEBIAN_MIRROR names another mirror."
fi

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
