// The side the load came from: workers, their CPU, the machine.

import { TimeLines } from "../charts/lines";
import type { Page, Worker } from "../data";
import { bytes, count, duration, share, span } from "../units";
import { Table } from "./table";

export function Generator({ page }: { page: Page }) {
  const { summary, rows } = page;
  const perSecond = (measure: string) =>
    (rows.run[measure]?.sum ?? []).map((value, at) => {
      const seconds = (rows.to_s[at] ?? 0) - (rows.from_s[at] ?? 0);
      return value == null || seconds <= 0 ? null : value / seconds;
    });
  const { machine } = summary;
  return (
    <section class="card" id="generator" aria-labelledby="generator-head">
      <h2 id="generator-head">Generator</h2>
      <div class="charts">
        <TimeLines
          title="CPU of the workers"
          note={`Cores in use, of ${count(machine.cpus)}, over all workers.`}
          from={rows.from_s}
          to={rows.to_s}
          format={(value) => (value == null ? "–" : String(Number(value.toPrecision(3))))}
          atLeast={machine.cpus}
          lines={[{ label: "cores", values: perSecond("worker_cpu"), ink: "a", steps: true, fill: true }]}
        />
        <TimeLines
          title="Waiting for the interpreter"
          note="Seconds of each second in which a due iteration had a thread that waited for the GIL, over all workers."
          from={rows.from_s}
          to={rows.to_s}
          format={duration}
          atLeast={0.01}
          lines={[{ label: "waited", values: perSecond("gil_wait"), ink: "b", steps: true, fill: true }]}
        />
      </div>
      <h3>Workers</h3>
      <Table
        caption="Workers"
        rows={summary.workers}
        mark={(worker) => (worker.end === "lost" ? "bad" : "")}
        columns={[
          { head: "worker", cell: (worker) => nameOf(worker) },
          { head: "pid", cell: (worker) => worker.pid },
          { head: "end", cell: (worker) => worker.death ?? worker.end, words: true },
          { head: "CPU", cell: (worker) => span(worker.cpu_s) },
          { head: "of a core", cell: (worker) => share(worker.cpu_share), hint: "the most over any five seconds" },
          { head: "GIL", cell: (worker) => share(worker.gil_wait_share), hint: "the most waiting over any five seconds" },
          { head: "stood still", cell: (worker) => duration(worker.stood_still_s) },
          { head: "memory", cell: (worker) => bytes(worker.rss_bytes) },
        ]}
      />
      <h3>Machine</h3>
      <p>
        {count(machine.cpus)} CPUs, at most {share(machine.cpu_share)} busy over any five seconds
        {machine.swapped_bytes ? `, ${bytes(machine.swapped_bytes)} swapped` : ""}
        {machine.suspended_s > 0 ? `, suspended for ${span(machine.suspended_s)}` : ""}
        {machine.clock_set_s !== 0 ? `, the clock was set by ${duration(machine.clock_set_s)}` : ""}.
      </p>
    </section>
  );
}

function nameOf(worker: Worker): string {
  return worker.life > 0 ? `${worker.worker + 1}, replacement ${worker.life}` : String(worker.worker + 1);
}
