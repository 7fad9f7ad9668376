// Numbers and times as a person reads them. Pure; nothing here knows the page.

const SPACE = "\u00a0"; // between a number and its unit
const MINUS = "\u2212";
const NANO = 1_000_000_000;

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function signed(value: number, text: string): string {
  return value < 0 ? MINUS + text : text;
}

function decimals(value: number, fewest: number, most: number): string {
  const format = new Intl.NumberFormat("en", { minimumFractionDigits: fewest, maximumFractionDigits: most });
  return signed(value, format.format(Math.abs(value)));
}

/** 850 W, 7.85 kW; the sign is kept. */
export function power(watts: number): string {
  if (Math.abs(watts) < 1000) return signed(watts, whole.format(Math.abs(watts))) + SPACE + "W";
  return decimals(watts / 1000, 1, Math.abs(watts) < 100_000 ? 2 : 1) + SPACE + "kW";
}

/** 40 Wh, 12.4 kWh. */
export function energy(wh: number): string {
  if (Math.abs(wh) < 10_000) return signed(wh, whole.format(Math.abs(wh))) + SPACE + "Wh";
  return decimals(wh / 1000, 1, Math.abs(wh) < 1_000_000 ? 2 : 1) + SPACE + "kWh";
}

/** A register as the meter shows it: every Wh. */
export function register(wh: number): string {
  return whole.format(wh) + SPACE + "Wh";
}

function money(value: number, currency: string, fewest: number, most: number): string {
  try {
    const format = new Intl.NumberFormat("en", {
      style: "currency",
      currency,
      currencyDisplay: "narrowSymbol",
      minimumFractionDigits: fewest,
      maximumFractionDigits: most,
    });
    return signed(value, format.format(Math.abs(value)));
  } catch {
    return decimals(value, fewest, most) + SPACE + currency; // not a currency of ISO 4217
  }
}

/** An amount of nano-units: cents, or more decimals where cents would show next to nothing. */
export function amount(nano: number, currency: string): string {
  const size = Math.abs(nano) / NANO;
  if (size === 0 || size >= 1) return money(nano / NANO, currency, 2, 2);
  return money(nano / NANO, currency, 4, size >= 0.001 ? 4 : 7);
}

/** An amount to its last nano-unit. */
export function exactAmount(nano: number, currency: string): string {
  const size = Math.abs(nano);
  const fraction = String(size % NANO).padStart(9, "0");
  return signed(nano, `${whole.format(Math.floor(size / NANO))}.${fraction}${SPACE}${currency}`);
}

/** A price of micro-units a kWh. */
export function price(microPerKwh: number, currency: string): string {
  return `${money(microPerKwh / 1_000_000, currency, 2, 6)}/kWh`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function timeFormat(timezone: string, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${timezone} ${name}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", { timeZone: timezone, ...options });
    formats.set(key, format);
  }
  return format;
}

/** 14:02:05 */
export function clock(unix_s: number, timezone: string): string {
  return timeFormat(timezone, "clock", { timeStyle: "medium" }).format(unix_s * 1000);
}

/** 14:02 */
export function shortClock(unix_s: number, timezone: string): string {
  return timeFormat(timezone, "short", { timeStyle: "short" }).format(unix_s * 1000);
}

/** 21 Nov */
export function day(unix_s: number, timezone: string): string {
  return timeFormat(timezone, "day", { day: "numeric", month: "short" }).format(unix_s * 1000);
}

/** 21 Nov 2026 */
export function date(unix_s: number, timezone: string): string {
  return timeFormat(timezone, "date", { day: "numeric", month: "short", year: "numeric" }).format(unix_s * 1000);
}

/** November 2026 */
export function month(unix_s: number, timezone: string): string {
  return timeFormat(timezone, "month", { month: "long", year: "numeric" }).format(unix_s * 1000);
}

/** The time of day, with the day where it is not today. */
export function moment(unix_s: number, now_s: number, timezone: string): string {
  const today = day(unix_s, timezone) === day(now_s, timezone) && Math.abs(now_s - unix_s) < 86_400 * 2;
  return today ? clock(unix_s, timezone) : `${day(unix_s, timezone)}, ${shortClock(unix_s, timezone)}`;
}

/** 42 s, 3 min, 2 h 5 min, 4 days */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s}${SPACE}s`;
  if (s < 3600) return s < 300 && s % 60 ? `${Math.floor(s / 60)}${SPACE}min ${s % 60}${SPACE}s` : `${Math.floor(s / 60)}${SPACE}min`;
  if (s < 86_400) {
    const minutes = Math.floor((s % 3600) / 60);
    return `${Math.floor(s / 3600)}${SPACE}h` + (minutes ? ` ${minutes}${SPACE}min` : "");
  }
  const days = Math.floor(s / 86_400);
  return days === 1 ? "1 day" : `${days} days`;
}

const CLOCK_BITS: readonly [number, string][] = [
  [0x01, "has no time"],
  [0x02, "may be wrong"],
  [0x04, "uses another time base"],
  [0x08, "has an invalid status"],
];

/** A DLMS clock status as a text; null where it is not known. */
export function clockText(status: number | null): string {
  if (status === null) return "clock unknown";
  const bits = CLOCK_BITS.filter(([bit]) => status & bit).map(([, text]) => text);
  return bits.length ? `clock ${bits.join(", ")}` : "clock good";
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${whole.format(count)} ${count === 1 ? one : many}`;
}

/** The first and last characters of a long hexadecimal name. */
export function shortId(id: string): string {
  return id.length > 12 ? `${id.slice(0, 8)}\u2026` : id;
}
