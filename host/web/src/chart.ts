// Energy per interval as bars: import upwards, export downwards; what was estimated is drawn faint.

import uPlot from "uplot";
import type { Bar } from "./bars";
import { clock, day, shortClock } from "./format";

export interface Chart {
  show: (bars: Bar[], step_s: number) => void;
  select: (index: number | null) => void;
  destroy: () => void;
}

const HEIGHT = 280;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function columns(bars: Bar[]): uPlot.AlignedData {
  const pick = (of: (bar: Bar) => number | null, estimated: boolean) =>
    bars.map((bar) => (bar.estimated === estimated ? of(bar) : null));
  const exported = (bar: Bar) => (bar.export_wh === null ? null : -bar.export_wh);
  return [
    bars.map((bar) => bar.from_s),
    pick((bar) => bar.import_wh, false),
    pick((bar) => bar.import_wh, true),
    pick(exported, false),
    pick(exported, true),
  ];
}

function series(label: string, stroke: string, faint: boolean): uPlot.Series {
  const bars = uPlot.paths.bars!({ size: [0.8, 48], align: 1, gap: 1 });
  return {
    label,
    stroke: () => colour(stroke),
    fill: () => colour(stroke) + (faint ? "40" : "d0"),
    width: faint ? 1 : 0,
    ...(faint ? { dash: [3, 3] } : {}),
    paths: bars,
    points: { show: false },
  };
}

function axisLabel(unix_s: number, step_s: number, span_s: number, timezone: string): string {
  if (step_s >= 86_400 || span_s > 4 * 86_400) return day(unix_s, timezone);
  return step_s < 60 ? clock(unix_s, timezone) : shortClock(unix_s, timezone);
}

export function makeChart(element: HTMLElement, timezone: string, onHover: (index: number | null) => void): Chart {
  let step_s = 60;
  const axis = (more: uPlot.Axis): uPlot.Axis => ({
    stroke: () => colour("--soft"),
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px Figtree Variable, system-ui, sans-serif",
    ...more,
  });
  const plot = new uPlot(
    {
      width: Math.max(200, element.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      padding: [12, 26, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      // The axis shows the community's time; uPlot itself places its marks by the machine's.
      tzDate: (unix_s) => uPlot.tzDate(new Date(unix_s * 1000), timezone),
      scales: { y: { range: (_, low, high) => [Math.min(0, low * 1.08), Math.max(high * 1.08, low < 0 ? 0 : 1)] } },
      axes: [
        axis({
          space: 72,
          values: (self, marks) => {
            const span_s = (self.scales["x"]!.max ?? 0) - (self.scales["x"]!.min ?? 0);
            return marks.map((mark) => axisLabel(mark, step_s, span_s, timezone));
          },
        }),
        axis({ size: 64, values: (_, marks) => marks.map((mark) => `${Math.abs(mark).toLocaleString("en")} Wh`) }),
      ],
      series: [
        {},
        series("Import", "--use-fill", false),
        series("Import, estimated", "--use-fill", true),
        series("Export", "--sun-fill", false),
        series("Export, estimated", "--sun-fill", true),
      ],
      hooks: { setCursor: [(self) => onHover(self.cursor.idx ?? null)] },
    },
    [[], [], [], [], []],
    element,
  );
  const resize = new ResizeObserver(() => plot.setSize({ width: Math.max(200, element.clientWidth), height: HEIGHT }));
  resize.observe(element);
  const repaint = () => plot.redraw(false);
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", repaint);
  window.addEventListener("themechange", repaint);
  return {
    show(bars, step) {
      step_s = step;
      plot.setData(columns(bars), false);
      const first = bars[0];
      const last = bars.at(-1);
      if (first && last) plot.setScale("x", { min: first.from_s, max: last.to_s });
    },
    select(index) {
      const from_s = index === null ? undefined : plot.data[0][index];
      const left = from_s === undefined ? -10 : plot.valToPos(from_s + step_s / 2, "x");
      plot.setCursor({ left, top: 10 }, false);
    },
    destroy() {
      resize.disconnect();
      query.removeEventListener("change", repaint);
      window.removeEventListener("themechange", repaint);
      plot.destroy();
    },
  };
}
