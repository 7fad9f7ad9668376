import { expect, test } from "vitest";
import { addDays, betweenDays, dayOf, isDay, offset_s, startOf, stepFor } from "./calendar";

const ZONE = "Europe/Berlin";

test("a day starts at the community's midnight, whatever the browser's", () => {
  expect(startOf("2026-11-21", ZONE)).toBe(Date.parse("2026-11-20T23:00:00Z") / 1000);
  expect(startOf("2026-07-01", ZONE)).toBe(Date.parse("2026-06-30T22:00:00Z") / 1000);
  expect(startOf("2026-11-21", "Asia/Kathmandu")).toBe(Date.parse("2026-11-20T18:15:00Z") / 1000);
});

test("the days on which clocks change are 23 and 25 hours long", () => {
  const hours = (day: string) => {
    const { from_s, to_s } = betweenDays(day, day, ZONE);
    return (to_s - from_s) / 3600;
  };
  expect([hours("2026-03-29"), hours("2026-10-25"), hours("2026-11-21")]).toEqual([23, 25, 24]);
});

test("a moment is in its local day", () => {
  expect(dayOf(Date.parse("2026-11-20T23:30:00Z") / 1000, ZONE)).toBe("2026-11-21");
  expect(dayOf(Date.parse("2026-11-20T23:30:00Z") / 1000, "UTC")).toBe("2026-11-20");
  expect(offset_s(Date.parse("2026-11-20T23:30:00Z") / 1000, ZONE)).toBe(3600);
});

test("days are counted over months and leap days", () => {
  expect(addDays("2028-02-28", 1)).toBe("2028-02-29");
  expect(addDays("2026-01-01", -1)).toBe("2025-12-31");
  expect(isDay("2026-02-31x")).toBe(false);
  expect(isDay("yesterday")).toBe(false);
  expect(isDay("2026-02-03")).toBe(true);
});

test("steps suit the period and are no finer than slots", () => {
  const step = (length_s: number, slot_s: number) => stepFor({ from_s: 0, to_s: length_s }, slot_s);
  expect([step(600, 5), step(3600, 5), step(86_400, 900), step(600, 900), step(7 * 86_400, 5)]).toEqual([5, 30, 900, 900, 7200]);
  expect(stepFor({ from_s: 0, to_s: 400 * 86_400 }, 5)).toBe(4 * 86_400);
});
