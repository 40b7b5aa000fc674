// One test in full: its charts over time, its distribution, and what user code told.

import { Distributions } from "../charts/distribution";
import { Heat } from "../charts/heat";
import type { Ink } from "../charts/ink";
import { type Line, TimeLines } from "../charts/lines";
import type { Column, Curves, Durations, Measures, Page, Test } from "../data";
import { nameOf } from "../data";
import { count, duration, figure, percent, rate, share, span } from "../units";
import { Failures } from "./failures";
import { Table } from "./table";

/** Charts of one kind of user measure, at most; the tables have all. */
const MOST_CHARTS = 12;

interface Props {
  page: Page;
  at: number;
}

export function TestInFull({ page, at }: Props) {
  const test = page.summary.tests[at];
  const curves = page.curves[at];
  if (!test || !curves) {
    return null;
  }
  return (
    <section class="card" id="test" aria-labelledby="test-head">
      <h2 id="test-head">{nameOf(test)}</h2>
      <p class="quiet">
        {[test.name === null ? null : test.label, test.summary, test.load, test.tags.join(", ")].filter(Boolean).join(" · ")}
      </p>
      {test.not_run ? <p class="bad">It did not run: {test.not_run}</p> : <Charts page={page} test={test} at={at} curves={curves} />}
      <Failures test={test} />
      <Details test={test} />
    </section>
  );
}

function Charts({ page, test, at, curves }: { page: Page; test: Test; at: number; curves: Curves }) {
  const { from_s: from, to_s: to } = page.rows;
  const measures = page.rows.tests[at] ?? {};
  const perSecond = (measure: string, figureName = "count") => rates(measures[measure]?.[figureName] ?? [], from, to);
  const durations = (measure: string): Line[] => lines(measures, measure, DURATION_LINES);
  const isOpen = test.model === "open";
  const ended = sum(perSecond("passed"), perSecond("failed"));
  const time = { from, to };
  return (
    <>
      {from.length < 2 ? <p class="quiet">The run was too short for charts over time to say much.</p> : null}
      <div class="charts">
        <TimeLines
          {...time}
          title={isOpen ? "Rate, planned and achieved" : "Rate"}
          note={isOpen ? "Iterations planned, and iterations that ended, per second." : "Iterations that ended, per second."}
          format={rate}
          lines={[
            ...(isOpen ? [{ label: "planned", values: perSecond("planned"), ink: "quiet" as Ink, steps: true, dash: true }] : []),
            { label: "ended", values: ended, ink: "a", steps: true, fill: true },
          ]}
        />
        <TimeLines
          {...time}
          title="Response time"
          note={
            isOpen
              ? "From the planned instant to the end of run: lateness and service time."
              : "The service time: users wait for nothing else."
          }
          format={duration}
          durations
          lines={durations("response_time")}
        />
        {curves.heat ? <Heat heat={curves.heat} title="Response times, every iteration" /> : null}
        <Distributions
          title="Response times by percentile"
          note="Each step to the right leaves ten times fewer iterations that took longer."
          curves={[
            { label: "response time", of: curves.response_time, ink: "a" },
            ...(isOpen ? [{ label: "service time", of: curves.service_time, ink: "b" as Ink, dash: true }] : []),
          ]}
        />
        <TimeLines
          {...time}
          title="Failures and drops"
          note="Iterations per second that failed, and that were never started."
          format={rate}
          atLeast={1}
          lines={[
            { label: "failed", values: perSecond("failed"), ink: "bad", steps: true, fill: true },
            { label: "dropped", values: perSecond("dropped"), ink: "f", steps: true },
          ]}
        />
        {isOpen ? (
          <>
            <TimeLines
              {...time}
              title="Service time"
              note="run alone: what the target and your code took."
              format={duration}
              durations
              lines={durations("service_time")}
            />
            <TimeLines
              {...time}
              title="Lateness"
              note="From the planned instant to the start: the generator's part."
              format={duration}
              durations
              lines={durations("lateness")}
            />
          </>
        ) : null}
        <TimeLines
          {...time}
          title="In flight"
          note="The most iterations that ran at once, and threads for them, of those told each second."
          format={(value) => count(value)}
          atLeast={1}
          whole
          lines={[
            { label: "in flight", values: measures.in_flight?.max ?? [], ink: "a", steps: true, fill: true },
            ...(test.coroutine ? [] : [{ label: "threads", values: measures.threads?.max ?? [], ink: "quiet" as Ink, steps: true }]),
          ]}
        />
        <OwnCharts measures={measures} from={from} to={to} />
      </div>
    </>
  );
}

const DURATION_LINES: [string, Ink][] = [
  ["p50", "c"],
  ["p95", "a"],
  ["p99", "b"],
  ["max", "quiet"],
];

/** Charts of what user code told. */
function OwnCharts({ measures, from, to }: { measures: Measures; from: number[]; to: number[] }) {
  const named = (kind: string) =>
    Object.keys(measures)
      .filter((measure) => measure.startsWith(`${kind}.`))
      .slice(0, MOST_CHARTS)
      .map((measure) => ({ measure, name: measure.slice(kind.length + 1) }));
  const time = { from, to };
  return (
    <>
      {named("timers").map(({ measure, name }) => (
        <TimeLines
          key={measure}
          {...time}
          title={`Step “${name}”`}
          note="In iterations that passed."
          format={duration}
          durations
          lines={lines(measures, measure, DURATION_LINES)}
        />
      ))}
      {named("metrics").map(({ measure, name }) => (
        <TimeLines
          key={measure}
          {...time}
          title={`Metric “${name}”`}
          format={figure}
          lines={lines(measures, measure, [
            ["mean", "a"],
            ["p50", "c"],
            ["p95", "b"],
            ["max", "quiet"],
          ])}
        />
      ))}
      {named("checks").map(({ measure, name }) => (
        <TimeLines
          key={measure}
          {...time}
          title={`Check “${name}”`}
          note="The share that held."
          format={share}
          atLeast={1}
          lines={[{ label: "held", values: measures[measure]?.mean ?? [], ink: "good", steps: true, fill: true }]}
        />
      ))}
      {named("counts").map(({ measure, name }) => (
        <TimeLines
          key={measure}
          {...time}
          title={`Count “${name}”`}
          note="Per second."
          format={rate}
          lines={[{ label: name, values: rates(measures[measure]?.sum ?? [], from, to), ink: "a", steps: true, fill: true }]}
        />
      ))}
    </>
  );
}

function lines(measures: Measures, measure: string, figures: [string, Ink][]): Line[] {
  return figures.flatMap(([name, color]) => {
    const values = measures[measure]?.[name];
    return values ? [{ label: name, values, ink: color, dash: name === "max" }] : [];
  });
}

/** What was counted in each row, per second of it. */
function rates(counts: Column, from: number[], to: number[]): Column {
  return counts.map((n, at) => {
    const seconds = (to[at] ?? 0) - (from[at] ?? 0);
    return n == null || seconds <= 0 ? null : n / seconds;
  });
}

function sum(a: Column, b: Column): Column {
  return a.map((value, at) => (value ?? 0) + (b[at] ?? 0));
}

/** All figures of a test that are no chart. */
function Details({ test }: { test: Test }) {
  const phases: [string, Durations][] = [
    ["response time", test.response_time],
    ["service time", test.service_time],
    ["lateness", test.lateness],
    ["· woke late", test.lateness_parts.woke_late],
    ["· no free thread", test.lateness_parts.no_free_thread],
    ["· waited for the GIL", test.lateness_parts.waited_for_gil],
    ["setup", test.setup],
    ["teardown", test.teardown],
  ];
  const timers = Object.entries(test.timers).flatMap(([name, { passed, failed }]): [string, Durations][] => [
    [`step ${name}`, passed],
    [`step ${name}, in failed iterations`, failed],
  ]);
  const metrics = Object.entries(test.metrics);
  const checks = Object.entries(test.checks);
  const counts = Object.entries(test.counts);
  return (
    <>
      <h3>Durations</h3>
      <DurationTable caption="Durations" rows={[...phases, ...timers].filter(([, figures]) => figures.count > 0)} />
      {metrics.length > 0 ? (
        <>
          <h3>Metrics</h3>
          <Table
            caption="Metrics"
            rows={metrics}
            columns={[
              { head: "metric", cell: ([name]) => name },
              { head: "count", cell: ([, of]) => count(of.count) },
              { head: "mean", cell: ([, of]) => figure(of.mean) },
              { head: "min", cell: ([, of]) => figure(of.min) },
              { head: "p50", cell: ([, of]) => figure(of.p50) },
              { head: "p95", cell: ([, of]) => figure(of.p95) },
              { head: "p99", cell: ([, of]) => figure(of.p99) },
              { head: "max", cell: ([, of]) => figure(of.max) },
            ]}
          />
        </>
      ) : null}
      {checks.length > 0 ? (
        <>
          <h3>Checks</h3>
          <Table
            caption="Checks"
            rows={checks}
            mark={([, of]) => (of.failed > 0 ? "bad" : "")}
            columns={[
              { head: "check", cell: ([name]) => name },
              { head: "held", cell: ([, of]) => count(of.passed) },
              { head: "did not", cell: ([, of]) => count(of.failed) },
              { head: "share", cell: ([, of]) => percent(of.passed, of.passed + of.failed) },
            ]}
          />
        </>
      ) : null}
      {counts.length > 0 ? (
        <>
          <h3>Counts</h3>
          <Table
            caption="Counts"
            rows={counts}
            columns={[
              { head: "count", cell: ([name]) => name },
              { head: "sum", cell: ([, of]) => figure(of) },
            ]}
          />
        </>
      ) : null}
      <h3>Threads</h3>
      <p>
        They were busy for {span(test.thread_time.busy_s)}, of that on a CPU for {span(test.thread_time.cpu_s)} (
        {share(test.thread_time.cpu_share)}). Much CPU: your Python is slow. Little: what it calls is.
        {test.overran > 0 ? ` ${count(test.overran)} iterations ran longer than max_duration.` : ""}
      </p>
    </>
  );
}

export function DurationTable({ caption, rows }: { caption: string; rows: [string, Durations][] }) {
  return (
    <Table
      caption={caption}
      rows={rows}
      columns={[
        { head: "of", cell: ([name]) => name },
        { head: "count", cell: ([, of]) => count(of.count) },
        { head: "mean", cell: ([, of]) => duration(of.mean_s) },
        { head: "min", cell: ([, of]) => duration(of.min_s) },
        { head: "p50", cell: ([, of]) => duration(of.p50_s) },
        { head: "p90", cell: ([, of]) => duration(of.p90_s) },
        { head: "p95", cell: ([, of]) => duration(of.p95_s) },
        { head: "p99", cell: ([, of]) => duration(of.p99_s) },
        { head: "p99.9", cell: ([, of]) => duration(of.p99_9_s) },
        { head: "max", cell: ([, of]) => duration(of.max_s) },
      ]}
    />
  );
}
