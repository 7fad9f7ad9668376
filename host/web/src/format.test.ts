import { describe, expect, test } from "vitest";
import { amount, clock, clockText, duration, energy, exactAmount, moment, power, price } from "./format";

const plain = (text: string) => text.replaceAll("\u00a0", " ").replaceAll("\u2212", "-");

test("power reads in watts, then in kilowatts, and keeps its sign", () => {
  expect([0, 850, -999, 1000, 7200, -7850, 123_456].map((watts) => plain(power(watts)))).toEqual([
    "0 W", "850 W", "-999 W", "1.0 kW", "7.2 kW", "-7.85 kW", "123.5 kW",
  ]);
});

test("energy reads in Wh as long as each one counts", () => {
  expect([0, 40, 9999, 10_000, -12_340].map((wh) => plain(energy(wh)))).toEqual([
    "0 Wh", "40 Wh", "9,999 Wh", "10.0 kWh", "-12.34 kWh",
  ]);
});

describe("money", () => {
  test("shows more decimals the less it is", () => {
    expect([0, 7_200_000, 96_000_000, 1_234_567_890, -12_345_678, 81_000].map((nano) => plain(amount(nano, "EUR")))).toEqual([
      "€0.00", "€0.0072", "€0.0960", "€1.23", "-€0.0123", "€0.000081",
    ]);
  });

  test("is exact to the nano-unit where the exact amount is shown", () => {
    expect(plain(exactAmount(1_234_567_891, "EUR"))).toBe("1.234567891 EUR");
    expect(plain(exactAmount(-7_200_000, "EUR"))).toBe("-0.007200000 EUR");
    expect(plain(exactAmount(9_007_199_254_740_991, "EUR"))).toBe("9,007,199.254740991 EUR");
  });

  test("bears a currency that ISO 4217 does not know", () => {
    expect(plain(amount(2_500_000_000, "SUNNY"))).toBe("2.50 SUNNY");
  });

  test("prices keep their last digit", () => {
    expect(price(180_000, "EUR")).toBe("€0.18/kWh");
    expect(price(123_456, "EUR")).toBe("€0.123456/kWh");
  });
});

test("times are the community's", () => {
  expect(clock(1_795_221_895, "Europe/Berlin")).toBe("01:44:55");
  expect(clock(1_795_221_895, "UTC")).toBe("00:44:55");
  expect(moment(1_795_221_895, 1_795_221_900, "UTC")).toBe("00:44:55");
  expect(moment(1_795_221_895 - 86_400, 1_795_221_900, "UTC")).toBe("20 Nov, 00:44");
});

test("durations have at most two units", () => {
  expect([-3, 42, 60, 90, 400, 7500, 7200, 90_000, 200_000].map((s) => plain(duration(s)))).toEqual([
    "0 s", "42 s", "1 min", "1 min 30 s", "6 min", "2 h 5 min", "2 h", "1 day", "2 days",
  ]);
});

test("the clock's status has a text", () => {
  expect(clockText(0)).toBe("clock good");
  expect(clockText(0x80)).toBe("clock good");
  expect(clockText(0x01)).toBe("clock has no time");
  expect(clockText(0x06)).toBe("clock may be wrong, uses another time base");
  expect(clockText(null)).toBe("clock unknown");
});
