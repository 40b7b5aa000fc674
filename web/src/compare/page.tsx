// Two sides of a comparison, laid over each other: what differs stands first.

import { useState } from "preact/hooks";
import { setWhole } from "../charts/together";
import { Bar } from "../parts/bar";
import { Table } from "../parts/table";
import type { ComparePage, Condition, Outcome, RunFacts } from "./data";
import { TestCompared } from "./test";

const LINKS: [string, string][] = [
  ["result", "Result"],
  ["tests", "Tests"],
  ["test", "Charts"],
];

const STATES: Record<Condition["state"], [string, string]> = {
  passed: ["good", "not seen"],
  failed: ["bad", "SEEN"],
  not_enough_data: ["doubtful", "not enough data"],
};

/** How a difference is marked: by colour, and by shape for whoever sees no colours. */
export const MARKS: Record<Outcome, [string, string]> = {
  slower: ["bad", "▲"],
  faster: ["good", "▼"],
  higher: ["doubtful", "▲"],
  lower: ["doubtful", "▼"],
  no_difference_seen: ["quiet", "="],
  not_enough_data: ["quiet", "?"],
};

export function Compare({ page }: { page: ComparePage }) {
  const [chosen, choose] = useState(0);
  const runs = page.tests.flatMap((test) => [...test.base.runs, ...test.new.runs]);
  setWhole([0, Math.max(1, ...runs.map((run) => run.to_s[run.to_s.length - 1] ?? 0))]);
  const test = page.tests[chosen];
  return (
    <>
      <a class="skip" href="#result">
        To the result
      </a>
      <header>
        <p class="kind">pysurge compare</p>
        <h1>{page.title}</h1>
      </header>
      <Bar label="The comparison" links={LINKS} tests={page.tests.map((one) => one.title)} chosen={chosen} choose={choose} />
      <main>
        <Result page={page} />
        <Overview page={page} chosen={chosen} choose={choose} />
        {test ? <TestCompared test={test} key={chosen} /> : null}
      </main>
      <footer>Made by pysurge {page.pysurge_version}. The words and figures are those of pysurge compare.</footer>
    </>
  );
}

function Result({ page }: { page: ComparePage }) {
  const missing: [string, string[]][] = [
    ["Only in the base", page.only_in_base],
    ["Only in the new", page.only_in_new],
  ];
  return (
    <section class="card" id="result" aria-labelledby="result-head">
      <h2 id="result-head">Result</h2>
      <p class="sentence">{page.sentence}</p>
      {page.notes.length > 0 ? (
        <ul class="causes">
          {page.notes.map((note) => (
            <li key={note.text}>
              <span class={`badge ${note.warning ? "degraded" : "over"}`}>{note.warning ? "warning" : "note"}</span> {note.text}
            </li>
          ))}
        </ul>
      ) : null}
      {page.conditions.length > 0 ? (
        <Table
          caption="Conditions"
          rows={page.conditions}
          mark={(one) => (one.state === "failed" ? "bad" : "")}
          columns={[
            { head: "fails if", cell: (one) => <code>{one.expression}</code> },
            { head: "state", words: true, cell: (one) => <span class={STATES[one.state][0]}>{STATES[one.state][1]}</span> },
            { head: "where", words: true, cell: (one) => one.said },
          ]}
        />
      ) : null}
      <h3>Sides</h3>
      <Table
        caption="Sides"
        rows={[...page.base.map((run) => side("base", run)), ...page.new.map((run) => side("new", run))]}
        columns={[
          { head: "side", cell: (row) => row.side },
          { head: "run", words: true, cell: (row) => <code>{row.run.path}</code> },
          { head: "name", words: true, cell: (row) => row.run.name },
          { head: "was", words: true, cell: (row) => row.run.facts },
        ]}
      />
      {missing.map(([words, names]) =>
        names.length > 0 ? (
          <p key={words}>
            {words}: {names.join(", ")}
          </p>
        ) : null,
      )}
      <p class="quiet">{page.method}.</p>
    </section>
  );
}

function side(name: string, run: RunFacts): { side: string; run: RunFacts } {
  return { side: name, run };
}

function Overview({ page, chosen, choose }: { page: ComparePage; chosen: number; choose: (test: number) => void }) {
  const seen = (at: number) => page.tests[at]?.rows.filter((row) => !["no_difference_seen", "not_enough_data"].includes(row.outcome)) ?? [];
  return (
    <section class="card" id="tests" aria-labelledby="tests-head">
      <h2 id="tests-head">Tests</h2>
      {page.tests.length === 0 ? <p class="quiet">The sides have no test in common.</p> : null}
      <Table
        caption="Tests"
        rows={page.tests.map((test, at) => ({ test, at }))}
        mark={({ at }) => (at === chosen && page.tests.length > 1 ? "chosen" : "")}
        columns={[
          {
            head: "test",
            cell: ({ test, at }) =>
              page.tests.length > 1 ? (
                <button type="button" class="link" aria-pressed={at === chosen} onClick={() => choose(at)}>
                  {test.title}
                </button>
              ) : (
                test.title
              ),
          },
          {
            head: "differs in",
            words: true,
            cell: ({ at }) =>
              seen(at).length === 0 ? (
                <span class="quiet">no difference seen</span>
              ) : (
                seen(at).map((row) => (
                  <span class={`difference ${MARKS[row.outcome][0]}`} key={row.measure}>
                    {MARKS[row.outcome][1]} {row.measure} {row.change}
                  </span>
                ))
              ),
          },
        ]}
      />
    </section>
  );
}
