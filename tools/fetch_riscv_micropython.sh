#!/bin/sh
# fetch_riscv_micropython.sh: build a whole MicroPython for RV32, the instruction set of an ESP32-C3, from Debian's source
# package, into .cache/micropython/rv32; QEMU runs it (tools/riscv_system.py). Beside it goes libsodium's source, whose C
# code benchmarks compare with. Nothing is installed and no root is needed, but for the compiler and the emulator, which
# tools/fetch_test_tools.sh installs. Takes some 20 seconds; does nothing when all is there.
#
#   DEBIAN_MIRROR        a Debian mirror to use instead of the one in this machine's apt sources
set -eu

suite=trixie
version=1.25
micropython=micropython_1.25.0+ds.orig.tar.xz
micropython_sha256=7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea
libsodium=libsodium_1.0.18.orig.tar.gz
libsodium_sha256=d59323c6b712a1519a5daf710b68f5e7fde57040845ffec53850911f10a5d4f4
# As an ESP32-C3 has it. In the older of the two ways of naming extensions, CSRs belong to it: all compilers' libraries fit.
machine="rv32imc -misa-spec=2.2"
heap=1500000
checkout=$(cd "$(dirname "$0")/.." && pwd)
store=$checkout/.cache/micropython

fail() {
  printf '%s\n' "fetch_riscv_micropython: $1" >&2
  exit 1
}

# shellcheck source=tools/debian_archive.sh
. "$checkout/tools/debian_archive.sh"

[ ! -e "$store/rv32/firmware.elf" ] || exit 0
for tool in riscv64-unknown-elf-gcc qemu-system-riscv32 make python3 xz; do
  command -v "$tool" >/dev/null || fail "$tool is not on this machine: as root, \`make test-tools\` installs it."
done
case $(riscv64-unknown-elf-gcc --print-file-name=picolibc.specs) in
  /*) ;;
  *) fail "picolibc is not there for riscv64-unknown-elf-gcc: as root, \`make test-tools\` installs it." ;;
esac
echo "building MicroPython $version for RV32 from Debian $suite's source, in .cache/micropython"

mkdir -p "$store"
work=$(mktemp -d "$store/unfinished.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
prepare_apt "$(dpkg --print-architecture)"
find_archive deb-src "$suite" micropython "$version"
(cd "$work" && apt-get -qq --download-only --only-source source "micropython=$found" libsodium) >>"$work/apt.log" 2>&1 || {
  tail -n 8 "$work/apt.log" >&2
  fail "the download of the sources did not finish."
}
printf '%s\n' "$micropython_sha256  $micropython" "$libsodium_sha256  $libsodium" >"$work/checksums"
(cd "$work" && sha256sum --quiet --check checksums) >&2 || fail "the sources are not the ones this was written for."

mkdir "$work/source" "$work/rv32" "$work/rv32/libsodium"
tar -xf "$work/$micropython" -C "$work/source" --strip-components 1
tar -xf "$work/$libsodium" -C "$work/rv32/libsodium" --strip-components 3 --wildcards '*/src/libsodium'
SOURCE_DATE_EPOCH=0 MICROPY_GIT_TAG="v$version.0" MICROPY_GIT_HASH= make -C "$work/source/ports/qemu" BOARD=VIRT_RV32 "RV32_ARCH=$machine" "MICROPY_HEAP_SIZE=$heap" \
  FROZEN_MANIFEST= -j "$(nproc)" >"$work/make.log" 2>&1 || {
  tail -n 8 "$work/make.log" >&2
  fail "MicroPython was not built."
}
cp "$work/source/ports/qemu/build-VIRT_RV32/firmware.elf" "$work/rv32/"
# The last step is a rename: an interrupted build leaves nothing that looks like a finished one.
mv -T "$work/rv32" "$store/rv32" 2>/dev/null || [ -e "$store/rv32/firmware.elf" ] || fail "cannot write $store/rv32."
