// Days and months in the community's time zone, which is not always the browser's. Pure.

export interface Period {
  from_s: number;
  to_s: number;
}

/** A day as date inputs write it: 2026-11-21. */
export type Day = string;

const formats = new Map<string, Intl.DateTimeFormat>();

function parts(unix_s: number, timezone: string): number[] {
  let format = formats.get(timezone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA", {
      timeZone: timezone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    formats.set(timezone, format);
  }
  const found = format.formatToParts(unix_s * 1000).filter((part) => part.type !== "literal");
  return found.map((part) => Number(part.value));
}

/** Seconds that local time is ahead of UTC at that moment. */
export function offset_s(unix_s: number, timezone: string): number {
  const [year = 1970, month = 1, date = 1, hour = 0, minute = 0, second = 0] = parts(unix_s, timezone);
  return Date.UTC(year, month - 1, date, hour, minute, second) / 1000 - unix_s;
}

export function dayOf(unix_s: number, timezone: string): Day {
  const [year = 1970, month = 1, date = 1] = parts(unix_s, timezone);
  return `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(date).padStart(2, "0")}`;
}

/** The first second of a local day. */
export function startOf(day: Day, timezone: string): number {
  const utc_s = Date.parse(`${day}T00:00:00Z`) / 1000;
  const guess_s = utc_s - offset_s(utc_s, timezone);
  return utc_s - offset_s(guess_s, timezone);
}

export function addDays(day: Day, count: number): Day {
  const moved = new Date(Date.parse(`${day}T00:00:00Z`) + count * 86_400_000);
  return moved.toISOString().slice(0, 10);
}

export function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));
}

/** From the first second of one day to the last of another. */
export function betweenDays(first: Day, last: Day, timezone: string): Period {
  return { from_s: startOf(first, timezone), to_s: startOf(addDays(last, 1), timezone) };
}

const STEPS_S = [5, 10, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];

/** A step that divides the period into at most `most` bars, no finer than the meters measure. */
export function stepFor(period: Period, slot_s: number, most = 120): number {
  const length_s = period.to_s - period.from_s;
  for (const step of STEPS_S) if (step >= slot_s && length_s / step <= most) return step;
  return 86_400 * Math.ceil(length_s / 86_400 / most);
}
