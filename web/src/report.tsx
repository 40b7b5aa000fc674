// The whole page, from what is read first to what is looked up.

import { useEffect, useState } from "preact/hooks";
import { isZoomed, onZoom, setWhole, zoom } from "./charts/together";
import { nameOf, type Page, type Summary } from "./data";
import { setLog, setTheme, useLook } from "./look";
import { Generator } from "./parts/generator";
import { TestInFull } from "./parts/test";
import { Tests } from "./parts/tests";
import { Verdict } from "./parts/verdict";
import { localTime, plural, span } from "./units";

const STOPS = {
  duration: "ran as long as planned",
  iterations: "every planned iteration was done",
  threshold: "stopped by a threshold",
  signal: "stopped on request",
  second_signal: "stopped at once, on request",
  workers_lost: "ended because every worker was lost",
};

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
      <Bar page={page} chosen={chosen} choose={choose} />
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

/** What stays in sight: the choice of the test, and how charts are shown. */
function Bar({ page, chosen, choose }: { page: Page; chosen: number; choose: (test: number) => void }) {
  const look = useLook();
  const [zoomed, setZoomed] = useState(isZoomed());
  useEffect(() => onZoom(() => setZoomed(isZoomed())), []);
  return (
    <nav class="bar" aria-label="The report">
      <span class="links">
        <a href="#verdict">Verdict</a>
        <a href="#tests">Tests</a>
        <a href="#test">Charts</a>
        <a href="#generator">Generator</a>
        <a href="#config">Configuration</a>
      </span>
      {page.summary.tests.length > 1 ? (
        <label>
          Test{" "}
          <select value={chosen} onChange={(event) => choose(Number(event.currentTarget.value))}>
            {page.summary.tests.map((test, at) => (
              <option key={at} value={at}>
                {nameOf(test)}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      <label>
        <input type="checkbox" checked={look.isLog} onChange={(event) => setLog(event.currentTarget.checked)} /> logarithmic durations
      </label>
      <button type="button" disabled={!zoomed} onClick={() => zoom(null)}>
        Whole run
      </button>
      <button type="button" onClick={() => setTheme(look.theme === "dark" ? "light" : "dark")}>
        {look.theme === "dark" ? "Light" : "Dark"}
      </button>
    </nav>
  );
}
