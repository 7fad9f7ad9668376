// Usage and production of one meter between two dates.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, type Community, type Readings } from "./api";
import { type Bar, barsOf, barTime, barText, daily, sumOf } from "./bars";
import { addDays, betweenDays, type Day, dayOf, isDay, type Period, startOf, stepFor } from "./calendar";
import { makeChart } from "./chart";
import { energy, plural } from "./format";
import { replaceValue } from "./hooks";
import { MeterSelect } from "./meterselect";
import type { ScreenProps } from "./screen";
import { SealedNote } from "./sealed";
import { ownFirst } from "./state";
import { SignInCard } from "./you";

const AGAIN_MS = 10_000;
const TABLE_ROWS = 400;
const NARROW = 720;

type Preset = "minutes" | "hour" | "today" | "week" | "month" | "days";

const PRESETS: readonly [Preset, string][] = [
  ["minutes", "10 minutes"],
  ["hour", "Hour"],
  ["today", "Today"],
  ["week", "7 days"],
  ["month", "Month"],
];

/** The days that a preset stands for, as the date fields show them. */
function daysOf(preset: Preset, today: Day): [Day, Day] {
  if (preset === "week") return [addDays(today, -6), today];
  return [preset === "month" ? `${today.slice(0, 8)}01` : today, today];
}

interface Span extends Period {
  step_s: number;
  byDay: boolean;
}

function spanOf(preset: Preset, first: Day, last: Day, { timezone, slot_s }: Community, now_s: number): Span {
  const fine_s = Math.min(slot_s, 900);
  const room = innerWidth < NARROW ? 60 : 180;
  const sized = (period: Period): Span => ({ ...period, step_s: stepFor(period, fine_s, room), byDay: false });
  const recent = (length_s: number) => {
    const step_s = stepFor({ from_s: 0, to_s: length_s }, fine_s, room);
    const to_s = Math.ceil(now_s / step_s) * step_s;
    return { from_s: to_s - length_s, to_s, step_s, byDay: false };
  };
  if (preset === "minutes") return recent(600);
  if (preset === "hour") return recent(3600);
  const period = betweenDays(first, last, timezone);
  const days = (period.to_s - period.from_s) / 86_400;
  return days > 10 && days < 80 ? { ...period, step_s: 3600, byDay: true } : sized(period);
}

interface Loaded {
  bars: Bar[];
  step_s: number;
}

function useBars(meter: string | null, span: () => Span, key: string, timezone: string): { loaded: Loaded | null; problem: string | null } {
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    if (!meter) return;
    const gone = new AbortController();
    const load = async () => {
      const { from_s, to_s, step_s, byDay } = span();
      try {
        const found = await ask<Readings>("readings", { meter, from: from_s, to: to_s, step: step_s }, gone.signal);
        const bars = barsOf(found);
        setLoaded(byDay ? { bars: daily(bars, timezone), step_s: 86_400 } : { bars, step_s });
        setProblem(null);
      } catch (error) {
        if (!gone.signal.aborted) setProblem((error as Error).message);
      }
    };
    void load();
    const timer = setInterval(() => document.visibilityState === "visible" && void load(), AGAIN_MS);
    return () => {
      gone.abort();
      clearInterval(timer);
    };
  }, [meter, key]);
  return { loaded, problem };
}

function Graph({ loaded, timezone, label }: { loaded: Loaded; timezone: string; label: string }) {
  const element = useRef<HTMLDivElement>(null);
  const chart = useRef<ReturnType<typeof makeChart> | null>(null);
  const [index, setIndex] = useState<number | null>(null);
  useEffect(() => {
    const made = makeChart(element.current!, timezone, setIndex);
    chart.current = made;
    return () => made.destroy();
  }, [timezone]);
  useEffect(() => chart.current?.show(loaded.bars, loaded.step_s), [loaded, timezone]);
  const step = (event: KeyboardEvent) => {
    const last = loaded.bars.length - 1;
    const from = index ?? (event.key === "ArrowLeft" ? last + 1 : -1);
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(last, to));
    setIndex(next);
    chart.current?.select(next);
  };
  const bar = index === null ? undefined : loaded.bars[index];
  return (
    <>
      <div ref={element} class="chart" tabIndex={0} role="group" aria-label={label} onKeyDown={step} />
      <p class="readout" aria-live="polite">{bar ? barText(bar, timezone) : "Point at a bar, or use the arrow keys."}</p>
    </>
  );
}

function Totals({ bars }: { bars: Bar[] }) {
  const total = sumOf(bars);
  return (
    <dl class="figures totals">
      <div class="figure use"><dt>Imported</dt><dd>{energy(total.import_wh)}</dd></div>
      <div class="figure sun"><dt>Exported</dt><dd>{energy(total.export_wh)}</dd></div>
      <div class="figure"><dt>Difference</dt><dd>{energy(total.import_wh - total.export_wh)}</dd></div>
    </dl>
  );
}

function BarTable({ bars, timezone }: { bars: Bar[]; timezone: string }) {
  const known = bars.filter((bar) => bar.import_wh !== null || bar.export_wh !== null);
  return (
    <details class="astable">
      <summary>Show as a table</summary>
      <table>
        <thead><tr><th scope="col">Interval</th><th scope="col">Imported</th><th scope="col">Exported</th><th scope="col">Measured</th></tr></thead>
        <tbody>
          {known.slice(-TABLE_ROWS).map((bar) => (
            <tr key={bar.from_s}>
              <th scope="row">{barTime(bar, timezone)}</th>
              <td>{energy(bar.import_wh ?? 0)}</td>
              <td>{energy(bar.export_wh ?? 0)}</td>
              <td>{bar.estimated ? "estimated" : "yes"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function Key({ estimated }: { estimated: number }) {
  return (
    <ul class="key" aria-label="Key">
      <li><span class="swatch use" /> import</li>
      <li><span class="swatch sun" /> export</li>
      {estimated > 0 && <li><span class="swatch faint" /> estimated between two readings: {plural(estimated, "interval")}</li>}
    </ul>
  );
}

export function UsageScreen({ state, place }: ScreenProps) {
  const { community, meters } = state;
  const timezone = community?.timezone ?? "UTC";
  const now_s = () => Date.now() / 1000 + state.ahead_s;
  const today = dayOf(now_s(), timezone);
  const wanted = place.values.get("meter");
  const ordered = ownFirst(meters ?? []);
  const meter = ordered.find((one) => one.kid === wanted) ?? ordered[0] ?? null;
  const sealed = meter?.sealed ?? null;
  const chosen = place.values.get("span") ?? "hour";
  const preset = (PRESETS.some(([name]) => name === chosen) || chosen === "days" ? chosen : "hour") as Preset;
  const [first, last] =
    preset === "days" ? [place.values.get("from") ?? today, place.values.get("to") ?? today] : daysOf(preset, today);
  const wrong = preset === "days" && (!isDay(first) || !isDay(last) || startOf(last, timezone) < startOf(first, timezone));
  const key = [preset, first, last, timezone, today].join();
  const { loaded, problem } = useBars(
    wrong || !community || sealed ? null : (meter?.kid ?? null),
    () => spanOf(preset, first, last, community!, now_s()),
    key,
    timezone,
  );
  const total = useMemo(() => (loaded ? sumOf(loaded.bars) : null), [loaded]);
  if (!community || !meters) return null;
  if (!meter) return <p class="quiet">No meter is enrolled yet.</p>;
  if (state.session?.role === "nobody") return <SignInCard problem={state.problem} />;
  const setDay = (name: "from" | "to", value: string) => {
    const values = new URLSearchParams(place.values);
    values.set("span", "days");
    values.set("from", first);
    values.set("to", last);
    values.set(name, value);
    replaceValue({ ...place, values }, name, value);
  };
  const title = `Energy of ${meter.label}: ${energy(total?.import_wh ?? 0)} imported and ${energy(total?.export_wh ?? 0)} exported. The left and right arrow keys move from interval to interval.`;
  return (
    <>
      <h2>Usage and production</h2>
      <div class="tools">
        <MeterSelect meters={ordered} value={meter.kid} onChange={(kid) => replaceValue(place, "meter", kid)} />
        <div class="presets" role="group" aria-label="Period">
          {PRESETS.filter(([name]) => name !== "minutes" || community.slot_s <= 60).map(([name, text]) => (
            <button key={name} type="button" aria-pressed={name === preset} onClick={() => replaceValue(place, "span", name)}>{text}</button>
          ))}
        </div>
        <label class="field">
          <span>From</span>
          <input type="date" value={first} max={today} onChange={(event) => setDay("from", event.currentTarget.value)} />
        </label>
        <label class="field">
          <span>To</span>
          <input type="date" value={last} max={today} onChange={(event) => setDay("to", event.currentTarget.value)} />
        </label>
      </div>
      {wrong && <p class="problem" role="alert">The first day must not be after the last.</p>}
      {problem && <p class="problem" role="alert">{problem}</p>}
      {sealed && <section class="card"><SealedNote sealed={sealed} text={`Only the owner of ${meter.label} and the operator can see its readings.`} /></section>}
      {loaded && !wrong && !sealed && (
        <section class="card" aria-label={meter.label}>
          <Totals bars={loaded.bars} />
          <Graph loaded={loaded} timezone={timezone} label={title} />
          <Key estimated={total?.estimated ?? 0} />
          {total?.known === 0 && <p class="quiet">Nothing was measured in this period.</p>}
          <BarTable bars={loaded.bars} timezone={timezone} />
        </section>
      )}
    </>
  );
}
