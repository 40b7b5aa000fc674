// The dashboard: how the run stands, what to do about it, and the charts of the report as they grow.

import { useEffect, useState } from "preact/hooks";
import { setWhole } from "../charts/together";
import { nameOf } from "../data";
import { Bar } from "../parts/bar";
import { Generator } from "../parts/generator";
import { TestInFull } from "../parts/test";
import { Tests } from "../parts/tests";
import { Verdict } from "../parts/verdict";
import { STOPS } from "../report";
import { clock, localTime, plural, span } from "../units";
import { Controls } from "./controls";
import { address, type Feed, type Standing, useFeed } from "./feed";
import { Log } from "./log";

const LINKS: [string, string][] = [
  ["verdict", "Verdict"],
  ["tests", "Tests"],
  ["test", "Charts"],
  ["generator", "Workers"],
  ["log", "Log"],
  ["config", "Configuration"],
];

export function Dashboard({ feed, name }: { feed: Feed; name: string }) {
  return (
    <>
      <a class="skip" href="#verdict">
        To the verdict
      </a>
      <Head feed={feed} name={name} />
      <Data feed={feed} />
    </>
  );
}

/** How the run stands, in a word. */
function word({ stage, paused }: Standing): string {
  if (stage === "running") {
    return paused ? "paused" : "running";
  }
  return stage === "finished" ? "writing results" : stage;
}

function Head({ feed, name }: { feed: Feed; name: string }) {
  useFeed(feed, "state");
  useFeed(feed, "data");
  const { standing, connection, page } = feed;
  const summary = page?.summary;
  const isLost = connection === "lost";
  const state = isLost ? "connection lost" : word(standing);
  useEffect(() => {
    document.title = `${state} · ${name} · pysurge`;
  }, [state, name]);
  const facts = summary
    ? [
        localTime(summary.started_at),
        plural(new Set(summary.workers.map((worker) => worker.worker)).size, "worker"),
        summary.status === "running" ? null : summary.stop_cause && STOPS[summary.stop_cause],
        summary.exit_code === null ? null : `exit code ${summary.exit_code}`,
        ...summary.tags,
      ]
    : [standing.stage === "starting" ? "workers load the tests" : null];
  return (
    <header>
      <p class="kind">pysurge dashboard</p>
      <h1>
        {name} <span class={`badge stage ${isLost ? "lost" : standing.paused ? "paused" : standing.stage}`}>{state}</span>
      </h1>
      <p>{facts.filter(Boolean).join(" · ")}</p>
      {summary ? <Progress elapsed={summary.elapsed_s} planned={summary.planned_duration_s} isOver={summary.status !== "running"} /> : null}
      {isLost ? <p class="bad">The connection to pysurge is lost; it is tried again. The figures are the last that were known.</p> : null}
      <After feed={feed} />
      <Controls feed={feed} />
    </header>
  );
}

function Progress({ elapsed, planned, isOver }: { elapsed: number; planned: number | null; isOver: boolean }) {
  if (isOver) {
    return <p>It took {span(elapsed)}.</p>;
  }
  if (planned === null) {
    return <p>{clock(Math.floor(elapsed))} so far, until it is stopped.</p>;
  }
  const left = Math.max(0, planned - elapsed);
  return (
    <p class="progress">
      <progress max={planned} value={Math.min(elapsed, planned)} aria-label="Progress of the run" />
      <span>
        {clock(Math.floor(elapsed))} of {clock(planned)}, {clock(Math.ceil(left))} left
      </span>
    </p>
  );
}

/** Where the results are, once the run is over. */
function After({ feed }: { feed: Feed }) {
  const { standing, connection } = feed;
  if (standing.stage === "aborted") {
    return <p class="bad">Nothing was fired: the log says why, and so does pysurge where it was started.</p>;
  }
  if (standing.stage !== "over") {
    return connection === "ended" ? <p>pysurge has ended.</p> : null;
  }
  if (standing.folder === null) {
    return <p>The run is over. No results were kept: --no-results was given.</p>;
  }
  return (
    <p>
      The run is over.{" "}
      {connection === "ended" ? (
        "pysurge has ended; the report is "
      ) : (
        <>
          <a href={address("report.html")} target="_blank" rel="noreferrer">
            Open the saved report
          </a>
          , which is{" "}
        </>
      )}
      <code>{standing.folder}/report.html</code>.
    </p>
  );
}

function Data({ feed }: { feed: Feed }) {
  useFeed(feed, "data");
  const [chosen, choose] = useState(0);
  useEffect(() => feed.look(chosen), [feed, chosen]);
  const { page } = feed;
  if (!page) {
    return (
      <main>
        <Log feed={feed} />
      </main>
    );
  }
  const { summary, rows } = page;
  setWhole([rows.from_s[0] ?? 0, rows.to_s[rows.to_s.length - 1] ?? 1]);
  return (
    <>
      <Bar label="The dashboard" links={LINKS} tests={summary.tests.map(nameOf)} chosen={chosen} choose={choose} />
      <main>
        <Verdict summary={summary} />
        <Tests summary={summary} chosen={chosen} choose={choose} />
        <TestInFull page={page} at={chosen} key={chosen} />
        <Generator page={page} />
        <Log feed={feed} />
        <section class="card" id="config" aria-labelledby="config-head">
          <h2 id="config-head">Configuration</h2>
          <pre tabIndex={0}>{page.config}</pre>
        </section>
      </main>
      <footer>pysurge {summary.pysurge_version}. Charts are drawn with five digits.</footer>
    </>
  );
}
