/* Counts what libsodium's portable C executes on a bare RV32 machine (QEMU's virt), for tools/bench/c_peer.py.
 *
 * Prints a line for each operation, "name instructions result", over the serial line, and switches the machine off.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "crypto_hash_sha512.h"
#include "crypto_sign_ed25519.h"
#include "x25519_ref10.h"

#define SERIAL (*(volatile uint8_t *)0x10000000)
#define POWER (*(volatile uint32_t *)0x00100000)
#define OFF 0x5555

static uint8_t seed[32], message[350], key[32], secret[64], signature[64], other[32], shared[32], digest[64];

/* What the library takes from elsewhere: nothing of it is in what is measured, but for wiping. */
void sodium_memzero(void *const place, const size_t size) {
    volatile uint8_t *bytes = place;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = 0;
    }
}
int sodium_is_zero(const unsigned char *bytes, const size_t size) {
    volatile uint8_t any = 0;
    for (size_t i = 0; i < size; i++) {
        any |= bytes[i];
    }
    return any == 0;
}
int sodium_memcmp(const void *const a, const void *const b, size_t size) {
    const volatile uint8_t *left = a, *right = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < size; i++) {
        difference |= left[i] ^ right[i];
    }
    return difference == 0 ? 0 : -1;
}
void randombytes_buf(void *const place, const size_t size) {
    memset(place, 0, size);
}

static void write_text(const char *text) {
    while (*text) {
        SERIAL = *text++;
    }
}
static void write_number(uint32_t number) {
    char digits[11] = {0};
    int at = 10;
    do {
        digits[--at] = '0' + number % 10;
        number /= 10;
    } while (number);
    write_text(digits + at);
}
static void write_hex(const uint8_t *bytes, int size) {
    for (int i = 0; i < 2 * size; i++) {
        SERIAL = "0123456789abcdef"[bytes[i / 2] >> (i & 1 ? 0 : 4) & 15];
    }
}

#define COUNT(name, operation, result) \
    do { \
        uint32_t before, after; \
        __asm__ volatile("csrr %0, minstret" : "=r"(before) : : "memory"); \
        operation; \
        __asm__ volatile("csrr %0, minstret" : "=r"(after) : : "memory"); \
        write_text(name " "); \
        write_number(after - before); \
        write_text(" "); \
        write_hex(result, sizeof(result)); \
        write_text("\n"); \
    } while (0)

void measure(void) {
    uint8_t verdict[1];
    for (int i = 0; i < 32; i++) {
        seed[i] = i;
    }
    memset(message, 'm', sizeof(message));
    memset(other, 0, sizeof(other));
    other[0] = 9;
    COUNT("public_key", crypto_sign_ed25519_seed_keypair(key, secret, seed), key);
    COUNT("sign", crypto_sign_ed25519_detached(signature, NULL, message, 96, secret), signature);
    COUNT("verify", verdict[0] = crypto_sign_ed25519_verify_detached(signature, message, 96, key) == 0, verdict);
    COUNT("x25519", crypto_scalarmult_curve25519_ref10_implementation.mult(shared, seed, other), shared);
    COUNT("sha512_1", crypto_hash_sha512(digest, message, 111), digest);
    COUNT("sha512_2", crypto_hash_sha512(digest, message, 111 + 128), digest);
    POWER = OFF;
}

__asm__(
    ".section .start, \"ax\"\n"
    ".globl _start\n"
    "_start: la sp, stack_end\n"
    "call measure\n"
    ".section .bss\n"
    ".balign 16\n"
    ".space 32768\n"
    "stack_end:\n");
