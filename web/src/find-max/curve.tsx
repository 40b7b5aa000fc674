// Response time against rate: lines through the rates that held, and a mark for every level.

import { useMemo } from "preact/hooks";
import type uPlot from "uplot";
import { Chart } from "../charts/chart";
import { faint, type Ink, ink } from "../charts/ink";
import { axis, series } from "../charts/lines";
import { useLook } from "../look";
import { duration, rate } from "../units";
import type { FindMaxPage, Level } from "./data";
import { STATES } from "./page";

type Percentile = "p50_s" | "p95_s" | "p99_s";

const LINES: [string, Percentile, Ink][] = [
  ["p50", "p50_s", "c"],
  ["p95", "p95_s", "a"],
  ["p99", "p99_s", "b"],
];

/** Half of a mark, in pixels of the page. */
const HALF = 4;

export function Curve({ page }: { page: FindMaxPage }) {
  const { isLog } = useLook();
  const { result } = page.search;
  const levels = useMemo(() => [...page.search.levels].sort((a, b) => a.rate_per_s - b.rate_per_s || a.number - b.number), [page]);
  const last = useMemo(() => levels.filter((level, at) => levels[at + 1]?.rate_per_s !== level.rate_per_s), [levels]);
  const data = useMemo(
    (): uPlot.AlignedData => [
      last.map((level) => level.rate_per_s),
      ...LINES.map(([, percentile]) => last.map((level) => (level.state === "held" ? level.response_time[percentile] : null))),
    ],
    [last],
  );
  const times = levels.flatMap((level) => LINES.map(([, percentile]) => level.response_time[percentile] ?? 0));
  const top = Math.max(...times, ...page.limits_s, 0) * 1.05 || 1;
  const least = Math.min(...times.filter((time) => time > 0), ...page.limits_s, top);
  const highest = Math.max(1e-9, ...levels.map((level) => level.rate_per_s)) * 1.03;
  const options = (): Omit<uPlot.Options, "width" | "height"> => ({
    cursor: { drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: () => [0, highest] },
      y: isLog ? { distr: 3, range: () => [least * 0.8, top * 1.2] } : { range: () => [0, top] },
    },
    axes: [axis((value) => rate(value)), axis(duration, 64)],
    series: [
      { label: "rate", value: (_, value) => rate(value) },
      ...LINES.map(([label, percentile, color]): uPlot.Series => ({
        ...series({ label, ink: color }, duration),
        spanGaps: true,
        value: (_chart, _value, _series, at) => {
          const level = at == null ? undefined : last[at];
          return level
            ? `${duration(level.response_time[percentile])}${level.state === "held" ? "" : ` ${STATES[level.state].sign}`}`
            : "–";
        },
      })),
    ],
    hooks: {
      drawClear: [(chart) => drawLimits(chart, page)],
      draw: [(chart) => levels.forEach((level) => drawLevel(chart, level))],
    },
  });
  const found = result?.held_rate_per_s == null ? "" : ` The green line is ${rate(result.held_rate_per_s)}, the highest rate that held.`;
  return (
    <Chart
      title="Response time against rate"
      note={`● held, ✕ failed, ■ limited by the generator. Lines join the rates that held, each as it was tried last; dashed is what objectives ask for.${found}`}
      wide
      options={options}
      data={data}
      isOverTime={false}
      depends={[isLog]}
      figures={{
        head: ["rate", ...LINES.map(([label]) => label), "state"],
        rows: levels.length,
        row: (at) => {
          const level = levels[at];
          return level
            ? [
                rate(level.rate_per_s),
                ...LINES.map(([, percentile]) => duration(level.response_time[percentile])),
                STATES[level.state].words,
              ]
            : [];
        },
      }}
    />
  );
}

/** What was asked for, and what was found. */
function drawLimits(chart: uPlot, page: FindMaxPage): void {
  const { ctx, bbox } = chart;
  const { result } = page.search;
  const pixels = window.devicePixelRatio;
  ctx.save();
  ctx.lineWidth = 1.5 * pixels;
  for (const limit of page.limits_s) {
    const y = chart.valToPos(limit, "y", true);
    ctx.strokeStyle = ink("bad");
    ctx.setLineDash([5 * pixels, 4 * pixels]);
    line(ctx, bbox.left, y, bbox.left + bbox.width, y);
  }
  ctx.setLineDash([]);
  const [held, failed] = [result?.held_rate_per_s, result?.failed_rate_per_s];
  if (held != null) {
    const x = chart.valToPos(held, "x", true);
    if (failed != null) {
      ctx.fillStyle = faint("bad", 0.1);
      ctx.fillRect(x, bbox.top, chart.valToPos(failed, "x", true) - x, bbox.height);
    }
    ctx.strokeStyle = ink("good");
    line(ctx, x, bbox.top, x, bbox.top + bbox.height);
  }
  ctx.restore();
}

function drawLevel(chart: uPlot, level: Level): void {
  const { ctx } = chart;
  const half = HALF * window.devicePixelRatio;
  const x = chart.valToPos(level.rate_per_s, "x", true);
  ctx.save();
  ctx.lineWidth = 1.5 * window.devicePixelRatio;
  for (const [, percentile, color] of LINES) {
    const value = level.response_time[percentile];
    if (value == null) {
      continue;
    }
    const y = chart.valToPos(value, "y", true);
    [ctx.strokeStyle, ctx.fillStyle] = [ink(color), ink(color)];
    if (level.state === "failed") {
      line(ctx, x - half, y - half, x + half, y + half);
      line(ctx, x - half, y + half, x + half, y - half);
    } else if (level.state === "held") {
      ctx.beginPath();
      ctx.arc(x, y, half, 0, 2 * Math.PI);
      ctx.fill();
    } else {
      ctx.fillRect(x - half, y - half, 2 * half, 2 * half);
    }
  }
  ctx.restore();
}

function line(ctx: CanvasRenderingContext2D, fromX: number, fromY: number, toX: number, toY: number): void {
  ctx.beginPath();
  ctx.moveTo(fromX, fromY);
  ctx.lineTo(toX, toY);
  ctx.stroke();
}
