// The distribution of durations over a percentile axis, as HdrHistogram draws it: each step to the right leaves ten times fewer iterations
// that took longer.

import { useMemo } from "preact/hooks";
import type uPlot from "uplot";
import type { Distribution } from "../data";
import { useLook } from "../look";
import { duration } from "../units";
import { Chart } from "./chart";
import type { Ink } from "./ink";
import { axis, series } from "./lines";

export interface Curve {
  label: string;
  of: Distribution;
  ink: Ink;
  dash?: boolean;
}

export function Distributions({ title, note, curves }: { title: string; note: string; curves: Curve[] }) {
  const { isLog } = useLook();
  const data = useMemo((): uPlot.AlignedData => {
    const shares = [...new Set(curves.flatMap((curve) => curve.of.shares))].sort((a, b) => a - b);
    return [shares.map(toAxis), ...curves.map((curve) => along(shares, curve.of, isLog))];
  }, [curves, isLog]);
  const xs = data[0];
  const shareAt = (x: number) => percentile(1 - 10 ** -x);
  const options = (): Omit<uPlot.Options, "width" | "height"> => ({
    cursor: { drag: { x: true, y: false, setScale: true } },
    scales: {
      x: { time: false, range: (_, min, max) => (min == null || max == null ? [0, 1] : [min, Math.max(min + 1e-3, max)]) },
      y: isLog ? { distr: 3 } : { range: (_, _min, max) => [0, (max ?? 0) * 1.05 || 1] },
    },
    axes: [
      {
        ...axis(shareAt),
        splits: (_, __, min, max) => ticks(max).filter((tick) => tick >= min - 1e-9 && tick <= max + 1e-9),
      },
      axis(duration, 64),
    ],
    series: [
      { label: "percentile", value: (_, value) => (value == null ? "–" : shareAt(value)) },
      ...curves.map((curve) => series(curve, duration)),
    ],
  });
  return (
    <Chart
      title={title}
      note={note}
      options={options}
      data={data}
      isOverTime={false}
      depends={[isLog, curves.map((curve) => curve.label).join("\n")]}
      figures={{
        head: ["percentile", ...curves.map((curve) => curve.label)],
        rows: xs.length,
        row: (at) => [shareAt(xs[at] ?? 0), ...data.slice(1).map((column) => duration(column[at] as number | null))],
      }}
    />
  );
}

/** How often the share above was divided by ten. */
function toAxis(share: number): number {
  return -Math.log10(1 - share);
}

/** The value at each share; of one that a curve has not, the next greater that it has. */
function along(shares: number[], of: Distribution, isLog: boolean): (number | null)[] {
  let at = 0;
  return shares.map((share) => {
    while (at < of.shares.length && (of.shares[at] ?? 0) < share) {
      at += 1;
    }
    const value = of.values[at] ?? null;
    return isLog && value !== null && value <= 0 ? null : value;
  });
}

function ticks(end: number): number[] {
  const nines = Array.from({ length: Math.ceil(end) }, (_, n) => n + 1);
  return [0, toAxis(0.5), ...nines];
}

/** `p50`, `p99.9`. */
function percentile(share: number): string {
  const above = 1 - share;
  const digits = above <= 0 ? 0 : Math.max(0, Math.ceil(-Math.log10(above) - 1.5));
  return `p${Number((share * 100).toFixed(Math.min(digits + 1, 8)))}`;
}
