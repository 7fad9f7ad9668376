// From registers at boundaries to energy per interval. Pure.

import type { Readings } from "./api";
import { addDays, dayOf, startOf } from "./calendar";
import { clock, day, energy, shortClock } from "./format";

/** The energy of one interval; null where it is not known. */
export interface Bar {
  from_s: number;
  to_s: number;
  import_wh: number | null;
  export_wh: number | null;
  estimated: boolean;
}

function between(before: number | null, after: number | null): number | null {
  return before === null || after === null ? null : after - before;
}

export function barsOf({ points }: Readings): Bar[] {
  return points.slice(1).map((point, i) => {
    const before = points[i]!;
    return {
      from_s: before.t_s,
      to_s: point.t_s,
      import_wh: between(before.import_wh, point.import_wh),
      export_wh: between(before.export_wh, point.export_wh),
      estimated: before.estimated || point.estimated,
    };
  });
}

function plus(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : a + b;
}

/** Bars of an hour put together to local days, of which two a year are 23 or 25 hours long. */
export function daily(bars: Bar[], timezone: string): Bar[] {
  const days = new Map<string, Bar>();
  for (const bar of bars) {
    const date = dayOf(bar.from_s, timezone);
    const sofar = days.get(date);
    if (!sofar) {
      days.set(date, { ...bar, from_s: startOf(date, timezone), to_s: startOf(addDays(date, 1), timezone) });
      continue;
    }
    sofar.import_wh = plus(sofar.import_wh, bar.import_wh);
    sofar.export_wh = plus(sofar.export_wh, bar.export_wh);
    sofar.estimated = sofar.estimated || bar.estimated;
  }
  return [...days.values()];
}

export interface Sum {
  import_wh: number;
  export_wh: number;
  estimated: number;
  known: number;
}

export function sumOf(bars: Bar[]): Sum {
  const total = { import_wh: 0, export_wh: 0, estimated: 0, known: 0 };
  for (const bar of bars) {
    if (bar.import_wh === null && bar.export_wh === null) continue;
    total.import_wh += bar.import_wh ?? 0;
    total.export_wh += bar.export_wh ?? 0;
    total.known += 1;
    if (bar.estimated) total.estimated += 1;
  }
  return total;
}

export function barTime(bar: Bar, timezone: string): string {
  const length_s = bar.to_s - bar.from_s;
  if (length_s >= 82_800) return day(bar.from_s, timezone);
  const time = length_s < 60 ? clock : shortClock;
  return `${day(bar.from_s, timezone)}, ${time(bar.from_s, timezone)}\u2013${time(bar.to_s, timezone)}`;
}

export function barText(bar: Bar, timezone: string): string {
  const when = barTime(bar, timezone);
  if (bar.import_wh === null && bar.export_wh === null) return `${when}: unknown`;
  const energies = `${when}: ${energy(bar.import_wh ?? 0)} imported, ${energy(bar.export_wh ?? 0)} exported`;
  return bar.estimated ? `${energies} (estimated)` : energies;
}
