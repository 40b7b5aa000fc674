// All tests beside each other, and the choice of the one that is shown in full.

import { firedOf, nameOf, type Summary, type Test } from "../data";
import { count, duration, percent, rate } from "../units";
import { Table } from "./table";

interface Props {
  summary: Summary;
  chosen: number;
  choose: (test: number) => void;
}

export function Tests({ summary, chosen, choose }: Props) {
  const rows = summary.tests.map((test, at) => ({ test, at }));
  const has = (of: (test: Test) => number) => summary.tests.some((test) => of(test) > 0);
  return (
    <section class="card" id="tests" aria-labelledby="tests-head">
      <h2 id="tests-head">Tests</h2>
      <Table
        caption="Tests"
        rows={rows}
        mark={({ at }) => (at === chosen && rows.length > 1 ? "chosen" : "")}
        columns={[
          {
            head: "test",
            cell: ({ test, at }) =>
              rows.length > 1 ? (
                <button type="button" class="link" aria-pressed={at === chosen} onClick={() => choose(at)}>
                  {nameOf(test)}
                </button>
              ) : (
                nameOf(test)
              ),
          },
          { head: "asked", cell: ({ test }) => rate(test.asked_rate_per_s), hint: "mean of the planned rate" },
          { head: "achieved", cell: ({ test }) => rate(test.achieved_rate_per_s), hint: "started per second" },
          { head: "passed", cell: ({ test }) => count(test.account.passed) },
          {
            head: "failed",
            cell: ({ test }) =>
              test.account.failed > 0 ? (
                <span class="bad">
                  {count(test.account.failed)} ({percent(test.account.failed, firedOf(test.account))})
                </span>
              ) : (
                "0"
              ),
          },
          ...(has((test) => test.account.dropped)
            ? [{ head: "dropped", cell: ({ test }: { test: Test }) => count(test.account.dropped) }]
            : []),
          { head: "p50", cell: ({ test }) => duration(test.response_time.p50_s), hint: "of the response time" },
          { head: "p95", cell: ({ test }) => duration(test.response_time.p95_s), hint: "of the response time" },
          { head: "p99", cell: ({ test }) => duration(test.response_time.p99_s), hint: "of the response time" },
          { head: "max", cell: ({ test }) => duration(test.response_time.max_s), hint: "of the response time" },
        ]}
      />
      <p class="quiet">
        Percentiles are of the response time: what a user who came at the planned instant would have waited, lateness and service time
        together.
      </p>
    </section>
  );
}
