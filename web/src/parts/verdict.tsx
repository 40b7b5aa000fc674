// What is to be read first: whether the figures can be trusted, and whether they are good enough.

import type { Account, Cause, Summary, Threshold } from "../data";
import { clock, count, percent } from "../units";
import { Table } from "./table";

const SO_FAR = {
  valid: "The generator keeps its schedule: the figures are the target's.",
  degraded: "The generator almost keeps its schedule: read the causes before the figures.",
  invalid: "The generator does not keep its schedule: the figures are the generator's, not the target's.",
};

const VERDICTS = {
  valid: "The generator kept its schedule: the figures are the target's.",
  degraded: "The generator almost kept its schedule: read the causes before the figures.",
  invalid: "The generator did not keep its schedule: the figures are the generator's, not the target's.",
};

const STATES = {
  passed: "passed",
  failed: "FAILED",
  no_data: "NO DATA",
  pending: "not judged",
};

export function Verdict({ summary }: { summary: Summary }) {
  const { validity, causes } = summary.verdict;
  const isSoFar = summary.status === "running";
  return (
    <section class="card" id="verdict" aria-labelledby="verdict-head">
      <h2 id="verdict-head">
        <span class={`badge ${validity}`}>{validity}</span> Verdict{isSoFar ? " so far" : ""}
      </h2>
      <p>{(isSoFar ? SO_FAR : VERDICTS)[validity]}</p>
      {causes.length > 0 ? (
        <ul class="causes">
          {causes.map((cause) => (
            <CauseItem cause={cause} key={cause.text} />
          ))}
        </ul>
      ) : null}
      <Accounts account={summary.account} />
      <Thresholds thresholds={summary.thresholds} />
      <Events summary={summary} />
    </section>
  );
}

function CauseItem({ cause }: { cause: Cause }) {
  return (
    <li>
      <span class={`badge ${cause.validity}`}>{cause.validity}</span> {cause.test ? <b>{cause.test}: </b> : null}
      {cause.text}
      {cause.advice ? <span class="advice"> {cause.advice}</span> : null}
    </li>
  );
}

function Accounts({ account }: { account: Account }) {
  const parts: [string, number, string][] = [
    ["planned", account.planned, ""],
    ["passed", account.passed, "good"],
    ["failed", account.failed, account.failed > 0 ? "bad" : ""],
    ["dropped", account.dropped, account.dropped > 0 ? "doubtful" : ""],
    ["interrupted", account.interrupted, account.interrupted > 0 ? "doubtful" : ""],
    ["lost", account.lost, account.lost > 0 ? "bad" : ""],
  ];
  return (
    <dl class="tiles">
      {parts
        .filter(([name, n]) => n > 0 || name === "planned" || name === "passed" || name === "failed")
        .map(([name, n, mark]) => (
          <div key={name} class={`tile ${mark}`}>
            <dt>{name}</dt>
            <dd>
              {count(n)}
              {name !== "planned" ? <small>{percent(n, account.planned)}</small> : null}
            </dd>
          </div>
        ))}
    </dl>
  );
}

function Thresholds({ thresholds }: { thresholds: Threshold[] }) {
  if (thresholds.length === 0) {
    return <p class="quiet">No thresholds were asked for, so nothing says whether this is good enough.</p>;
  }
  return (
    <>
      <h3>Thresholds</h3>
      <Table
        caption="Thresholds"
        rows={thresholds}
        mark={(threshold) => (threshold.state === "failed" || threshold.state === "no_data" ? "bad" : "")}
        columns={[
          { head: "threshold", cell: (one) => <code>{one.expression}</code> },
          { head: "test", cell: (one) => one.test ?? "all", words: true },
          { head: "was", cell: (one) => one.actual_text },
          {
            head: "state",
            words: true,
            cell: (one) => (
              <span class={`state ${one.state}`}>
                {STATES[one.state]}
                {one.aborted ? ", stopped the run" : ""}
              </span>
            ),
          },
        ]}
      />
    </>
  );
}

/** What befell the run while it went on. */
function Events({ summary }: { summary: Summary }) {
  const changes = summary.changes.map((change, at) => ({
    at_s: change.at_s,
    text: wordsOf(change, summary.changes[at - 1] ?? { paused: false, factor: 1 }),
  }));
  const events = [...changes, ...summary.incidents].sort((a, b) => a.at_s - b.at_s);
  if (events.length === 0) {
    return null;
  }
  return (
    <>
      <h3>What happened</h3>
      <ul class="events">
        {events.map((event, at) => (
          <li key={at}>
            <time>{clock(event.at_s)}</time> {event.text}
          </li>
        ))}
      </ul>
    </>
  );
}

type Change = Pick<Summary["changes"][number], "paused" | "factor">;

function wordsOf(now: Change, before: Change): string {
  const rates = now.factor === 1 ? "all rates as planned" : `all rates × ${now.factor}`;
  const words = [
    ...(now.paused !== before.paused ? [now.paused ? "paused" : "resumed"] : []),
    ...(now.factor !== before.factor ? [rates] : []),
  ];
  return words.join(", ") || rates;
}
