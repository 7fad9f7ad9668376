#!/bin/sh
# fetch_test_tools.sh: the programs that execute and count a chip's machine code in tests. What is missing is installed
# from Debian where this runs as root (or sudo asks for no password); elsewhere the tests that need them skip and say so.
set -eu

missing=
while read -r program package; do
  command -v "$program" >/dev/null || missing="$missing $package"
done <<LIST
qemu-riscv32 qemu-user
riscv64-unknown-elf-as binutils-riscv64-unknown-elf
valgrind valgrind
LIST
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then root=; elif sudo -n true 2>/dev/null; then root="sudo -n"; else root=none; fi
if [ "$root" = none ] || ! command -v apt-get >/dev/null; then
  echo "not here, so some tests skip:$missing"
  exit 0
fi
echo "installing Debian's$missing, for tests of machine code"
log=$(cd "$(dirname "$0")/.." && pwd)/.cache/test-tools.log
mkdir -p "$(dirname "$log")"
{
  # shellcheck disable=SC2086  (a list of names)
  $root apt-get update && $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
} >"$log" 2>&1 || { tail -n 5 "$log" >&2; exit 1; }
