// A search for the highest rate: what was found, response times against rates, and every level.

import { useState } from "preact/hooks";
import { Bar } from "../parts/bar";
import { Table } from "../parts/table";
import { count, duration, localTime, percent, plural, rate, share, span } from "../units";
import { Curve } from "./curve";
import type { FindMaxPage, Level } from "./data";

const LINKS: [string, string][] = [
  ["result", "Result"],
  ["curve", "Curve"],
  ["levels", "Levels"],
];

/** How a level is marked: by colour and by shape. */
export const STATES: Record<Level["state"], { words: string; mark: string; sign: string }> = {
  held: { words: "held", mark: "good", sign: "●" },
  failed: { words: "failed", mark: "bad", sign: "✕" },
  generator_limited: { words: "limited by the generator", mark: "doubtful", sign: "■" },
};

const NO_RESULT = "There is no result: the search goes on, or was killed. These are the levels that had ended.";

export function Search({ page }: { page: FindMaxPage }) {
  const { search } = page;
  const [, choose] = useState(0);
  const facts = [
    search.started_at ? localTime(search.started_at) : null,
    span(search.elapsed_s),
    plural(search.terms.workers, "worker"),
    plural(search.levels.length, "level"),
    search.result ? `exit code ${search.result.exit_code}` : "without a result",
  ];
  return (
    <>
      <a class="skip" href="#result">
        To the result
      </a>
      <header>
        <p class="kind">pysurge find-max</p>
        <h1>{search.name}</h1>
        <p>{facts.filter(Boolean).join(" · ")}</p>
      </header>
      <Bar label="The search" links={LINKS} tests={[]} isOverTime={false} chosen={0} choose={choose} />
      <main>
        <Result page={page} />
        <section class="card" id="curve" aria-labelledby="curve-head">
          <h2 id="curve-head">Curve</h2>
          <div class="charts">
            <Curve page={page} />
          </div>
        </section>
        <Levels levels={search.levels} />
      </main>
      <footer>
        Made by pysurge {search.pysurge_version}. The figures are those of <code>find-max.json</code> beside this file.
      </footer>
    </>
  );
}

function Result({ page }: { page: FindMaxPage }) {
  const { result, terms, objectives } = page.search;
  const tiles: [string, string, string][] = result
    ? [
        ["highest rate that held", rate(result.held_rate_per_s), result.held_rate_per_s === null ? "bad" : "good"],
        ["lowest that did not", rate(result.failed_rate_per_s), ""],
        ["confirmed for longer", result.confirmed ? "yes" : "no", result.confirmed ? "good" : "doubtful"],
      ]
    : [];
  return (
    <section class="card" id="result" aria-labelledby="result-head">
      <h2 id="result-head">Result</h2>
      <p class="sentence">{result ? `${result.text}.` : NO_RESULT}</p>
      <dl class="tiles">
        {tiles.map(([name, value, mark]) => (
          <div key={name} class={`tile ${mark}`}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <h3>What had to hold</h3>
      <ul class="events">
        {objectives.map((objective) => (
          <li key={objective}>
            <code>{objective}</code>
          </li>
        ))}
      </ul>
      <p class="quiet">
        From {rate(terms.start_rate_per_s)}
        {terms.max_rate_per_s === null ? "" : ` up to ${rate(terms.max_rate_per_s)}`}, {span(terms.hold_s)} a level after{" "}
        {span(terms.settle_s)} to settle, {span(terms.confirm_s)} to confirm, until rates are {share(terms.precision)} apart.
      </p>
    </section>
  );
}

function Levels({ levels }: { levels: Level[] }) {
  return (
    <section class="card" id="levels" aria-labelledby="levels-head">
      <h2 id="levels-head">Levels</h2>
      <Table
        caption="Levels"
        rows={levels}
        mark={(level) => (level.state === "failed" ? "bad" : "")}
        columns={[
          { head: "level", cell: (level) => level.number },
          { head: "rate", cell: (level) => rate(level.rate_per_s) },
          {
            head: "state",
            words: true,
            cell: (level) => (
              <span class={`state ${STATES[level.state].mark}`}>
                {STATES[level.state].sign} {STATES[level.state].words}
              </span>
            ),
          },
          { head: "p50", cell: (level) => duration(level.response_time.p50_s) },
          { head: "p95", cell: (level) => duration(level.response_time.p95_s) },
          { head: "p99", cell: (level) => duration(level.response_time.p99_s) },
          { head: "passed", cell: (level) => count(level.account.passed) },
          { head: "failed", cell: (level) => `${count(level.account.failed)} (${percent(level.account.failed, ended(level))})` },
          { head: "purpose", words: true, cell: (level) => purpose(level) },
          { head: "what failed", words: true, cell: (level) => signal(level) },
          {
            head: "report",
            words: true,
            cell: (level) => {
              const href = reportOf(level);
              return href === null ? "–" : <a href={href}>{level.folder}</a>;
            },
          },
        ]}
      />
      <p class="quiet">
        Purpose: up, all before held; down, none did; between what held and what did not; again, it was close; confirm, for longer.
      </p>
    </section>
  );
}

/** Of a level that was longer than others it says how long. */
function purpose(level: Level): string {
  return level.purpose + (level.confirmation ? `, ${span(level.hold_s)}` : "");
}

/** Where a level's own report is: in a folder beside this page and nowhere else, whatever its name says. */
function reportOf(level: Level): string | null {
  const isPlace = level.folder === null || /^\.*$/.test(level.folder);
  return isPlace ? null : `${encodeURIComponent(level.folder ?? "")}/report.html`;
}

function ended(level: Level): number {
  return level.account.passed + level.account.failed;
}

function signal(level: Level): string {
  if (!level.signal) {
    return "";
  }
  const early = level.ended_early ? ", ended early" : "";
  return `${level.signal.objective ? `${level.signal.objective}: ` : ""}${level.signal.text}${early}`;
}
