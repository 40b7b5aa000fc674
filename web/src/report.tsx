// The whole page, from what is read first to what is looked up.

import { useState } from "preact/hooks";
import { setWhole } from "./charts/together";
import { nameOf, type Page, type Summary } from "./data";
import { Bar } from "./parts/bar";
import { Generator } from "./parts/generator";
import { TestInFull } from "./parts/test";
import { Tests } from "./parts/tests";
import { Verdict } from "./parts/verdict";
import { localTime, plural, span } from "./units";

export const STOPS = {
  duration: "ran as long as planned",
  iterations: "every planned iteration was done",
  threshold: "stopped by a threshold",
  signal: "stopped on request",
  second_signal: "stopped at once, on request",
  workers_lost: "ended because every worker was lost",
};

const LINKS: [string, string][] = [
  ["verdict", "Verdict"],
  ["tests", "Tests"],
  ["test", "Charts"],
  ["generator", "Generator"],
  ["config", "Configuration"],
];

export function Report({ page }: { page: Page }) {
  const [chosen, choose] = useState(() =>
    Math.max(
      0,
      page.summary.tests.findIndex((test) => test.not_run === null),
    ),
  );
  const { summary, rows } = page;
  setWhole([rows.from_s[0] ?? 0, rows.to_s[rows.to_s.length - 1] ?? 1]);
  return (
    <>
      <a class="skip" href="#verdict">
        To the verdict
      </a>
      <Head summary={summary} />
      <Bar label="The report" links={LINKS} tests={summary.tests.map(nameOf)} chosen={chosen} choose={choose} />
      <main>
        <Verdict summary={summary} />
        <Tests summary={summary} chosen={chosen} choose={choose} />
        <TestInFull page={page} at={chosen} key={chosen} />
        <Generator page={page} />
        <section class="card" id="config" aria-labelledby="config-head">
          <h2 id="config-head">Configuration</h2>
          <pre tabIndex={0}>{page.config}</pre>
        </section>
      </main>
      <footer>
        Made by pysurge {summary.pysurge_version}. The figures are those of <code>summary.json</code> and <code>timeseries.csv</code> beside
        this file; charts are drawn with five digits.
      </footer>
    </>
  );
}

function Head({ summary }: { summary: Summary }) {
  const facts = [
    localTime(summary.started_at),
    `${span(summary.duration_s)}${summary.paused_s > 0 ? `, paused for ${span(summary.paused_s)}` : ""}`,
    plural(new Set(summary.workers.map((worker) => worker.worker)).size, "worker"),
    summary.status === "killed" ? "killed: figures up to the last second before" : summary.stop_cause && STOPS[summary.stop_cause],
    summary.exit_code === null ? null : `exit code ${summary.exit_code}`,
    ...summary.tags,
  ];
  return (
    <header>
      <p class="kind">pysurge report</p>
      <h1>{summary.name}</h1>
      <p>{facts.filter(Boolean).join(" · ")}</p>
    </header>
  );
}
