// What the server tells of a run that goes on: kept here as the page of a report, for whoever shows it.

import { useEffect, useState } from "preact/hooks";
import type { Column, Curves, Measures, Page, Rows, Summary } from "../data";

export interface Standing {
  stage: "starting" | "running" | "stopping" | "finished" | "over" | "aborted";
  paused: boolean;
  factor: number;
  folder: string | null;
}

interface Run {
  id: string;
  name: string;
  config: string;
  pysurge_version: string;
}

/** What is new: see crates/pysurge-report/src/page/live.rs. */
interface News {
  run?: Run;
  standing?: Standing;
  summary?: Summary;
  rows?: Rows & { from: number };
  log?: { skipped: number; lines: string[] };
}

export type Connection = "opening" | "open" | "lost" | "ended";

/** What may change by itself. */
type Part = "state" | "data" | "log";

/** Lines of the log that are kept. */
const MOST_LINES = 500;

/** How long to wait before the next try where the browser does not try by itself, milliseconds. */
const RETRY_MS = 2000;

/** Curves are asked for no more often than this, milliseconds. */
const CURVES_MS = 2000;

const NO_CURVES: Curves = { response_time: { shares: [], values: [] }, service_time: { shares: [], values: [] }, heat: null };

const token = new URLSearchParams(window.location.search).get("token") ?? "";

/** An address of the server, with the token. */
export function address(path: string, parameters: Record<string, string> = {}): string {
  return `${path}?${new URLSearchParams({ ...parameters, token })}`;
}

export class Feed {
  connection: Connection = "opening";
  run: Run | null = null;
  standing: Standing = { stage: "starting", paused: false, factor: 1, folder: null };
  page: Page | null = null;
  /** Lines of the log, the oldest first. */
  lines: string[] = [];
  /** Lines that came too fast to be shown. */
  skipped = 0;
  private rows: Rows = { from_s: [], to_s: [], run: {}, tests: [] };
  private curves: Curves[] = [];
  private test = 0;
  private isAsking = false;
  private isOutdated = false;
  private readonly listeners: Record<Part, Set<() => void>> = { state: new Set(), data: new Set(), log: new Set() };

  /** Calls a function whenever a part has changed; gives one that ends it. */
  on(part: Part, listener: () => void): () => void {
    this.listeners[part].add(listener);
    return () => this.listeners[part].delete(listener);
  }

  private tell(part: Part): void {
    for (const listener of this.listeners[part]) {
      listener();
    }
  }

  /** Listens to the server, from now until the run is over and the server has gone. */
  open(): void {
    const source = new EventSource(address("news"));
    source.onopen = () => this.connected("open");
    source.onmessage = (event: MessageEvent<string>) => this.take(JSON.parse(event.data) as News);
    source.onerror = () => {
      if (this.standing.stage === "over" || this.standing.stage === "aborted") {
        source.close();
        this.connected("ended");
        return;
      }
      this.connected("lost");
      if (source.readyState === EventSource.CLOSED) {
        window.setTimeout(() => this.open(), RETRY_MS);
      }
    };
  }

  private connected(connection: Connection): void {
    this.connection = connection;
    this.tell("state");
  }

  private take(news: News): void {
    if (news.run) {
      // All of it follows anew.
      this.run = news.run;
      this.page = null;
      this.curves = [];
      [this.lines, this.skipped] = [[], 0];
    }
    if (news.standing) {
      this.standing = news.standing;
    }
    if (news.log) {
      this.lines = [...this.lines, ...news.log.lines].slice(-MOST_LINES);
      this.skipped += news.log.skipped;
      this.tell("log");
    }
    if (news.rows) {
      this.rows = news.rows.from === 0 ? news.rows : joined(this.rows, news.rows);
      void this.refresh();
    }
    const summary = news.summary ?? this.page?.summary;
    if (summary && (news.summary || news.rows)) {
      this.show(summary);
    }
    if (news.run || news.standing) {
      this.tell("state");
    }
  }

  private show(summary: Summary): void {
    const curves = summary.tests.map((_, at) => this.curves[at] ?? NO_CURVES);
    this.page = { summary, config: this.run?.config ?? "", rows: this.rows, curves };
    this.tell("data");
  }

  /** Says which test is looked at: its curves are kept fresh. */
  look(test: number): void {
    this.test = test;
    void this.refresh();
  }

  /** Gets the curves of the test that is looked at; again, where something new comes meanwhile. */
  private async refresh(): Promise<void> {
    this.isOutdated = true;
    if (this.isAsking) {
      return;
    }
    this.isAsking = true;
    while (this.isOutdated) {
      this.isOutdated = false;
      const test = this.test;
      try {
        const answer = await fetch(address("curves", { test: String(test) }));
        if (answer.ok) {
          this.curves[test] = (await answer.json()) as Curves;
          if (this.page) {
            this.show(this.page.summary);
          }
        }
      } catch {
        // The connection is lost, which the other one tells.
      }
      if (test === this.test) {
        await new Promise((go) => window.setTimeout(go, CURVES_MS));
      }
    }
    this.isAsking = false;
  }

  /** Asks the run for something; what it refuses comes back in words. */
  async ask(command: string, factor?: number): Promise<string | null> {
    try {
      const answer = await fetch("control", {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify(factor === undefined ? { command } : { command, factor }),
      });
      const said = (await answer.json()) as { ok: boolean; error?: string };
      return said.ok ? null : (said.error ?? "it was refused");
    } catch {
      return "pysurge cannot be reached";
    }
  }
}

/** Rows, and those that came right after them. */
function joined(rows: Rows, later: Rows): Rows {
  const length = rows.from_s.length;
  return {
    from_s: [...rows.from_s, ...later.from_s],
    to_s: [...rows.to_s, ...later.to_s],
    run: joinedMeasures(rows.run, later.run, length, later.from_s.length),
    tests: rows.tests.map((measures, at) => joinedMeasures(measures, later.tests[at] ?? {}, length, later.from_s.length)),
  };
}

function joinedMeasures(ours: Measures, theirs: Measures, length: number, more: number): Measures {
  const all: Measures = {};
  for (const measure of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const [first, then] = [ours[measure] ?? {}, theirs[measure] ?? {}];
    const figures: Record<string, Column> = {};
    for (const figure of new Set([...Object.keys(first), ...Object.keys(then)])) {
      figures[figure] = [...(first[figure] ?? none(length)), ...(then[figure] ?? none(more))];
    }
    all[measure] = figures;
  }
  return all;
}

function none(length: number): Column {
  return new Array<null>(length).fill(null);
}

/** Draws whoever uses it anew when a part of the feed has changed. */
export function useFeed(feed: Feed, part: Part): void {
  const [, set] = useState(0);
  useEffect(() => feed.on(part, () => set((n) => n + 1)), [feed, part]);
}
