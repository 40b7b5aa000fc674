// One test of a comparison: its measures, and the curves of both sides in the same charts.

import { Distributions } from "../charts/distribution";
import { type Line, TimeLines } from "../charts/lines";
import { Table } from "../parts/table";
import type { Column } from "../data";
import { duration, rate } from "../units";
import type { ComparedTest, Course, Side } from "./data";
import { MARKS } from "./page";

/** Runs of a side that are drawn over time, at most. */
const MOST_RUNS = 6;

export function TestCompared({ test }: { test: ComparedTest }) {
  const whys = [...new Set(test.rows.flatMap((row) => (row.why === null ? [] : [row.why])))];
  return (
    <section class="card" id="test" aria-labelledby="test-head">
      <h2 id="test-head">{test.title}</h2>
      <Table
        caption="Measures"
        rows={test.rows}
        columns={[
          { head: "measure", cell: (row) => row.measure },
          { head: "base", cell: (row) => row.base },
          { head: "new", cell: (row) => row.new },
          { head: "change", cell: (row) => row.change },
          { head: "95 % interval", cell: (row) => <span class="quiet">{row.interval}</span> },
          {
            head: "difference",
            words: true,
            cell: (row) => (
              <span class={MARKS[row.outcome][0]}>
                {MARKS[row.outcome][1]} {row.words}
              </span>
            ),
          },
        ]}
      />
      {whys.map((why) => (
        <p class="quiet" key={why}>
          {test.rows
            .filter((row) => row.why === why)
            .map((row) => row.measure)
            .join(", ")}
          : {why}
        </p>
      ))}
      <Charts test={test} />
    </section>
  );
}

function Charts({ test }: { test: ComparedTest }) {
  const sides: [string, Side][] = [
    ["base", test.base],
    ["new", test.new],
  ];
  const shown = sides.flatMap(([name, side]) => side.runs.slice(0, MOST_RUNS).map((run, at) => ({ name, run, at })));
  const grid = gridOf(shown.map(({ run }) => run));
  const time = { from: grid.slice(0, -1), to: grid.slice(1) };
  const lines = (of: (run: Course) => Column): Line[] =>
    shown.map(({ name, run, at }) => ({
      label: at === 0 ? name : `${name} ${at + 1}`,
      values: along(time.from, run, of(run)),
      ink: name === "base" ? "a" : "b",
      dash: name === "base",
      steps: true,
    }));
  const most = Math.max(test.base.runs.length, test.new.runs.length);
  return (
    <>
      <h3>Base and new</h3>
      <p class="quiet">
        The base is dashed, the new side is not.{" "}
        {most > 1 ? "By percentile the runs of a side are taken together; over time each has its line" : ""}
        {most > MOST_RUNS ? `, ${MOST_RUNS} of a side at most` : ""}
        {most > 1 ? "." : ""}
      </p>
      <div class="charts">
        <Distributions
          title="Response times by percentile"
          note="Each step to the right leaves ten times fewer iterations that took longer."
          curves={[
            { label: "base", of: test.base.response_time, ink: "a", dash: true },
            { label: "new", of: test.new.response_time, ink: "b" },
          ]}
        />
        <TimeLines {...time} title="Rate" note="Iterations that ended, per second." format={rate} lines={lines((run) => run.rate)} />
        <TimeLines {...time} title="Response time, p50" format={duration} durations lines={lines((run) => run.p50)} />
        <TimeLines {...time} title="Response time, p95" format={duration} durations lines={lines((run) => run.p95)} />
        <TimeLines {...time} title="Response time, p99" format={duration} durations lines={lines((run) => run.p99)} />
        <TimeLines
          {...time}
          title="Failures"
          note="Iterations that failed, per second."
          format={rate}
          atLeast={1}
          lines={lines((run) => run.failed)}
        />
      </div>
    </>
  );
}

/** Every time at which something begins or ends in any of the runs. */
function gridOf(runs: Course[]): number[] {
  return [...new Set(runs.flatMap((run) => [...run.from_s, ...run.to_s]))].sort((a, b) => a - b);
}

/** The values of a run at times of another grid; none after its end. */
function along(times: number[], run: Course, values: Column): Column {
  let at = 0;
  return times.map((time) => {
    while (at < run.to_s.length && (run.to_s[at] ?? 0) <= time) {
      at += 1;
    }
    return at < run.from_s.length && (run.from_s[at] ?? 0) <= time ? (values[at] ?? null) : null;
  });
}
