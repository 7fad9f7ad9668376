#!/bin/sh
# fetch_test_tools.sh: the programs that execute and count a chip's machine code in tests. What is missing is installed
# from Debian where this runs as root (or sudo asks for no password); elsewhere the tests that need them skip and say so.
# Then come MicroPython for ARM and for RV32. A minute in all, and 200 MB.
set -eu

tools=$(cd "$(dirname "$0")" && pwd)
missing=
while read -r place package; do
  command -v "$place" >/dev/null || [ -d "$place" ] || missing="$missing $package"
done <<LIST
qemu-riscv32 qemu-user
qemu-system-riscv32 qemu-system-misc
riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf
/usr/lib/picolibc/riscv64-unknown-elf picolibc-riscv64-unknown-elf
xtensa-lx106-elf-as binutils-xtensa-lx106
xz xz-utils
valgrind valgrind
LIST

if [ -n "$missing" ]; then
  if [ "$(id -u)" -eq 0 ]; then root=; elif sudo -n true 2>/dev/null; then root="sudo -n"; else root=none; fi
  if [ "$root" = none ] || ! command -v apt-get >/dev/null; then
    echo "not here, so some tests skip:$missing"
    exit 0
  fi
  echo "installing Debian's$missing, for tests of machine code"
  log=$tools/../.cache/test-tools.log
  mkdir -p "$(dirname "$log")"
  {
    # shellcheck disable=SC2086  (a list of names)
    $root apt-get update && $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
  } >"$log" 2>&1 || { tail -n 5 "$log" >&2; exit 1; }
fi
"$tools/fetch_micropython.sh" armhf || echo "so tests on ARM skip"
"$tools/fetch_riscv_micropython.sh" || echo "so tests on RV32 skip"
