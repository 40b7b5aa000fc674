// Lines over the time of the run.

import { useMemo } from "preact/hooks";
import uPlot from "uplot";
import type { Column } from "../data";
import { useLook } from "../look";
import { clock } from "../units";
import { Chart, overTime } from "./chart";
import { faint, type Ink, ink } from "./ink";
import { follow } from "./together";

export interface Line {
  label: string;
  values: Column;
  ink: Ink;
  /** Shaded down to the axis. */
  fill?: boolean;
  dash?: boolean;
  /** One value from a row's start to its end. */
  steps?: boolean;
}

interface Props {
  title: string;
  note?: string;
  from: number[];
  to: number[];
  lines: Line[];
  format: (value: number | null) => string;
  /** Whether the values are durations, whose axis may be logarithmic. */
  durations?: boolean;
  /** The axis goes at least so far. */
  atLeast?: number;
  /** The axis has whole numbers only. */
  whole?: boolean;
  wide?: boolean;
}

export function TimeLines({ title, note, from, to, lines, format, durations, atLeast, whole, wide }: Props) {
  const { isLog } = useLook();
  const isLogarithmic = isLog && (durations ?? false);
  const data = useMemo((): uPlot.AlignedData => {
    // Where a row ends its value ends: steps need that, and the last row has no next.
    const xs = to.length > 0 ? [...from, to[to.length - 1] ?? 0] : [];
    return [xs, ...lines.map(({ values }) => extended(values, isLogarithmic))];
  }, [from, to, lines, isLogarithmic]);
  const options = (): Omit<uPlot.Options, "width" | "height"> => ({
    ...overTime(),
    scales: {
      x: { time: false },
      y: isLogarithmic ? { distr: 3 } : { range: (_, min, max) => [Math.min(0, min), above(max, atLeast)] },
    },
    axes: [axis((value) => clock(value)), { ...axis((value) => format(value), 64), ...(whole ? { incrs: WHOLE } : {}) }],
    series: [
      { label: "time", value: (_, value) => (value == null ? "–" : clock(value)) },
      ...lines.map((line): uPlot.Series => series(line, format)),
    ],
    legend: { live: true },
    hooks: { setScale: [(chart, key) => (key === "x" ? follow(chart) : undefined)] },
  });
  return (
    <Chart
      title={title}
      {...(note === undefined ? {} : { note })}
      wide={wide ?? false}
      options={options}
      data={data}
      isOverTime
      depends={[isLogarithmic, lines.map((line) => line.label).join("\n")]}
      figures={{
        head: ["time", ...lines.map((line) => line.label)],
        rows: from.length,
        row: (at) => [clock(from[at]), ...lines.map((line) => format(line.values[at] ?? null))],
      }}
    />
  );
}

/** Steps of an axis of whole numbers. */
const WHOLE = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();

/** The values and the last one again; without those that a logarithmic axis has not. */
function extended(values: Column, isLogarithmic: boolean): (number | null)[] {
  const all = [...values, values[values.length - 1] ?? null];
  return isLogarithmic ? all.map((value) => (value != null && value > 0 ? value : null)) : all;
}

function above(max: number | null, atLeast = 0): number {
  return Math.max((max ?? 0) * 1.05, atLeast) || 1;
}

export function axis(format: (value: number) => string, size?: number): uPlot.Axis {
  return {
    stroke: () => ink("text"),
    grid: { stroke: () => ink("grid"), width: 1 },
    ticks: { stroke: () => ink("grid"), width: 1 },
    font: "12px system-ui, sans-serif",
    values: (_, splits) => splits.map((value) => (value == null ? "" : format(value))),
    ...(size === undefined ? {} : { size }),
  };
}

export function series(line: Omit<Line, "values">, format: (value: number | null) => string): uPlot.Series {
  return {
    label: line.label,
    stroke: () => ink(line.ink),
    width: 1.5,
    points: { show: false },
    spanGaps: false,
    value: (_, value) => format(value ?? null),
    ...(line.fill ? { fill: () => faint(line.ink, 0.18) } : {}),
    ...(line.dash ? { dash: [6, 4] } : {}),
    ...(line.steps && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
  };
}
