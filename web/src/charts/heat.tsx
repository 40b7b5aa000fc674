// A heat map: how many iterations took how long, over the time of the run. The darker, the more, on a logarithmic scale, so that the few slow
// ones are seen beside the many quick ones.

import { useMemo, useRef } from "preact/hooks";
import type uPlot from "uplot";
import type { HeatMap } from "../data";
import { clock, count, duration } from "../units";
import { Chart, overTime } from "./chart";
import { faint } from "./ink";
import { axis } from "./lines";
import { follow } from "./together";

/** The least of a cell that has anything. */
const FAINTEST = 0.12;

export function Heat({ heat, title }: { heat: HeatMap; title: string }) {
  const most = useMemo(() => {
    const counts = heat.columns.flatMap((column) => column.filter((_, at) => at % 2 === 1));
    return counts.reduce((most, count) => Math.max(most, count), 1);
  }, [heat]);
  const data = useMemo((): uPlot.AlignedData => [heat.times, heat.times.map(() => null)], [heat]);
  // The chart looks here whenever it draws: the map may be another by then.
  const now = useRef({ heat, most });
  now.current = { heat, most };
  const options = (): Omit<uPlot.Options, "width" | "height"> => ({
    ...overTime(),
    scales: { x: { time: false }, y: { range: () => [0, now.current.heat.edges.length - 1] } },
    axes: [axis(clock), axis((bin) => duration(now.current.heat.edges[Math.round(bin)]), 64)],
    series: [
      { label: "time", value: (_, value) => (value == null ? "–" : clock(value)) },
      { label: "iterations under the cursor", value: (chart) => underCursor(chart, now.current.heat) },
    ],
    hooks: {
      drawClear: [(chart) => draw(chart, now.current.heat, now.current.most)],
      setScale: [(chart, key) => (key === "x" ? follow(chart) : undefined)],
    },
  });
  return (
    <Chart
      title={title}
      note="How many iterations took how long: the stronger the colour, the more."
      wide
      options={options}
      data={data}
      isOverTime
      figures={{
        head: ["time", "most of them took", "slowest"],
        rows: heat.columns.length,
        row: (at) => [clock(heat.times[at]), ...extremes(heat, heat.columns[at] ?? [])],
      }}
    />
  );
}

function draw(chart: uPlot, heat: HeatMap, most: number): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const shades = Array.from({ length: 21 }, (_, n) => faint("a", FAINTEST + (1 - FAINTEST) * (n / 20)));
  const tops = heat.edges.map((_, bin) => Math.round(chart.valToPos(bin, "y", true)));
  heat.columns.forEach((column, at) => {
    const left = Math.round(chart.valToPos(heat.times[at] ?? 0, "x", true));
    const right = Math.round(chart.valToPos(heat.times[at + 1] ?? 0, "x", true));
    if (right < bbox.left || left > bbox.left + bbox.width) {
      return;
    }
    for (let n = 0; n + 1 < column.length; n += 2) {
      const [bin, times] = [column[n] ?? 0, column[n + 1] ?? 0];
      const strength = most > 1 ? Math.log(times) / Math.log(most) : 1;
      ctx.fillStyle = shades[Math.round(strength * 20)] ?? "";
      const [top, bottom] = [tops[bin + 1] ?? 0, tops[bin] ?? 0];
      ctx.fillRect(left, top, Math.max(1, right - left), Math.max(1, bottom - top));
    }
  });
  ctx.restore();
}

/** `12, of 31 ms to 33 ms`. */
function underCursor(chart: uPlot, heat: HeatMap): string {
  const { left, top } = chart.cursor;
  if (left == null || top == null || left < 0 || top < 0) {
    return "–";
  }
  const [time, bin] = [chart.posToVal(left, "x"), Math.floor(chart.posToVal(top, "y"))];
  const next = heat.times.findIndex((from) => from > time);
  const column = heat.columns[next - 1];
  const [from, to] = [heat.edges[bin], heat.edges[bin + 1]];
  if (!column || from === undefined || to === undefined) {
    return "–";
  }
  let times = 0;
  for (let n = 0; n + 1 < column.length; n += 2) {
    times += column[n] === bin ? (column[n + 1] ?? 0) : 0;
  }
  return `${count(times)} of ${duration(from)} to ${duration(to)}`;
}

/** Where most are, and where the slowest is. */
function extremes(heat: HeatMap, column: number[]): [string, string] {
  let [most, fullest] = [0, -1];
  for (let n = 0; n + 1 < column.length; n += 2) {
    if ((column[n + 1] ?? 0) > most) {
      [most, fullest] = [column[n + 1] ?? 0, column[n] ?? 0];
    }
  }
  if (fullest < 0) {
    return ["–", "–"];
  }
  const bin = (at: number) => `${duration(heat.edges[at])} to ${duration(heat.edges[at + 1])}`;
  return [bin(fullest), bin(column[column.length - 2] ?? fullest)];
}
