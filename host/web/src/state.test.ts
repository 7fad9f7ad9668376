import { expect, test } from "vitest";
import type { Bill, LogRow, Readings } from "./api";
import { barsOf, barText, daily, sumOf } from "./bars";
import { placeOf } from "./hooks";
import { firstOwner, mergeRows, passes } from "./state";

function row(cursor: number, kind = "event", author = "a"): LogRow {
  return {
    cursor, id: String(cursor), author, author_label: author, kind, generation: 0, sequence: cursor, time_s: cursor,
    clock_status: 0, text: "", void_reason: null, void_text: null, block: null, sealed: null,
  };
}

test("rows come newest first, each once, and not without end", () => {
  const merged = mergeRows([row(5), row(3)], [row(4), row(5), row(6)]);
  expect(merged.map((one) => one.cursor)).toEqual([6, 5, 4, 3]);
  expect(mergeRows(merged, [row(7)], 2).map((one) => one.cursor)).toEqual([7, 6]);
  expect(mergeRows(merged, [])).toBe(merged);
});

test("the filter keeps routine out unless it is wanted", () => {
  expect(passes(row(1, "reading"), { meter: null, routine: false })).toBe(false);
  expect(passes(row(1, "reading"), { meter: null, routine: true })).toBe(true);
  expect(passes(row(1, "event", "b"), { meter: "a", routine: true })).toBe(false);
});

test("a buyer's bill is shown first", () => {
  const bill = (owner: string, bought_wh: number) => ({ owner, bought_wh }) as Bill;
  expect(firstOwner([bill("x", 0), bill("y", 5)])).toBe("y");
  expect(firstOwner([bill("x", 0)])).toBe("x");
  expect(firstOwner([])).toBe(null);
});

test("addresses name a screen and its choices", () => {
  expect(placeOf("").screen).toBe("now");
  const place = placeOf("#/log?meter=ab&routine=yes");
  expect([place.screen, place.values.get("meter"), place.values.get("routine")]).toEqual(["log", "ab", "yes"]);
});

function readings(registers: (number | null)[], step_s = 3600, from_s = 1_792_879_200): Readings {
  const points = registers.map((wh, i) => ({ t_s: from_s + i * step_s, import_wh: wh, export_wh: wh && 0, estimated: i === 2 }));
  return { meter: "a", step_s, from_s, to_s: from_s, points };
}

test("bars are differences, and unknown where a boundary is", () => {
  const bars = barsOf(readings([null, 10, 15, 15]));
  expect(bars.map((bar) => [bar.import_wh, bar.estimated])).toEqual([[null, false], [5, true], [0, true]]);
  expect(sumOf(bars)).toEqual({ import_wh: 5, export_wh: 0, estimated: 2, known: 2 });
  expect(barText(bars[0]!, "UTC")).toContain("unknown");
  expect(barText(bars[1]!, "UTC")).toContain("(estimated)");
});

test("hours add up to local days, also to one of 25 hours", () => {
  // 25 October 2026 in Berlin: from 24 October 22:00 UTC, 25 hours long.
  const bars = barsOf(readings(Array.from({ length: 50 }, (_, i) => i * 10)));
  const days = daily(bars, "Europe/Berlin");
  expect(days.map((bar) => [bar.import_wh, (bar.to_s - bar.from_s) / 3600])).toEqual([[250, 25], [240, 24]]);
});
