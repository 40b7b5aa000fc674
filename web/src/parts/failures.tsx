// What failed, by kind, and single iterations worth a look.

import type { Exhibit, Failure, Test } from "../data";
import { clock, count, duration, percent } from "../units";
import { Table } from "./table";

export function Failures({ test }: { test: Test }) {
  const total = test.failures.reduce((sum, failure) => sum + failure.count, 0) + test.failures_overflow;
  return (
    <>
      <h3>Failures</h3>
      {test.failures.length === 0 ? <p class="quiet">None.</p> : null}
      <ul class="failures">
        {test.failures.map((failure, at) => (
          <li key={at}>
            <Kind failure={failure} total={total} />
          </li>
        ))}
      </ul>
      {test.failures_overflow > 0 ? <p>{count(test.failures_overflow)} more, of further kinds.</p> : null}
      <Exhibits title="Slowest iterations" exhibits={test.slowest} />
      <Exhibits title="First iterations that failed" exhibits={test.first_failed} />
    </>
  );
}

function Kind({ failure, total }: { failure: Failure; total: number }) {
  const seen = failure.count === 1 ? `at ${clock(failure.first_s)}` : `from ${clock(failure.first_s)} to ${clock(failure.last_s)}`;
  return (
    <details>
      <summary>
        <b class={failure.fails ? "bad" : ""}>{count(failure.count)}×</b> <code>{failure.exception}</code>
        {failure.message ? `: ${failure.message}` : ""}
        <small>
          {percent(failure.count, total)} of failures, in {failure.phase}, {seen}
          {failure.fails ? "" : "; fails no iteration"}
        </small>
      </summary>
      <pre>{failure.traceback || failure.frame}</pre>
    </details>
  );
}

function Exhibits({ title, exhibits }: { title: string; exhibits: Exhibit[] }) {
  if (exhibits.length === 0) {
    return null;
  }
  const fails = exhibits.some((exhibit) => exhibit.error !== null);
  return (
    <>
      <h3>{title}</h3>
      <Table
        caption={title}
        rows={exhibits}
        columns={[
          { head: "started", cell: (one) => clock(one.started_s) },
          { head: "response", cell: (one) => duration(one.response_time_s) },
          { head: "late", cell: (one) => duration(Math.max(0, one.started_s - one.planned_s)) },
          { head: "service", cell: (one) => duration(one.service_time_s) },
          { head: "number", cell: (one) => count(one.number) },
          { head: "where", cell: (one) => `Worker-${one.worker + 1}, ${one.thread}`, words: true },
          { head: "kwargs", cell: (one) => <code>{one.kwargs}</code>, words: true },
          ...(fails ? [{ head: "error", cell: (one: Exhibit) => one.error ?? "", words: true }] : []),
        ]}
      />
    </>
  );
}
