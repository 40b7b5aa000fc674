// What the page is given: see docs/schema/summary.schema.json for the summary, crates/pysurge-report/src/page for the rest. Times are seconds
// since the start of the run.

export interface Account {
  planned: number;
  passed: number;
  failed: number;
  dropped: number;
  interrupted: number;
  lost: number;
}

export interface Durations {
  count: number;
  mean_s: number | null;
  min_s: number | null;
  p50_s: number | null;
  p90_s: number | null;
  p95_s: number | null;
  p99_s: number | null;
  p99_9_s: number | null;
  max_s: number | null;
}

export interface Failure {
  phase: string;
  exception: string;
  message: string;
  frame: string;
  count: number;
  first_s: number;
  last_s: number;
  traceback: string;
  fails: boolean;
}

export interface Exhibit {
  planned_s: number;
  started_s: number;
  response_time_s: number;
  service_time_s: number | null;
  worker: number;
  thread: string;
  number: number | null;
  kwargs: string;
  error: string | null;
}

export interface MetricFigures {
  count: number;
  mean: number;
  min: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

export interface Test {
  label: string;
  summary: string;
  test_class: string;
  coroutine: boolean;
  name: string | null;
  tags: string[];
  model: "open" | "closed";
  load: string;
  warmup: { duration_s: number; account: Account; response_time: Durations; service_time: Durations } | null;
  not_run: string | null;
  workers: number;
  account: Account;
  in_flight: number;
  asked_rate_per_s: number | null;
  achieved_rate_per_s: number;
  response_time: Durations;
  service_time: Durations;
  lateness: Durations;
  lateness_parts: { woke_late: Durations; no_free_thread: Durations; waited_for_gil: Durations };
  thread_time: { busy_s: number; cpu_s: number; blocked_s: number; cpu_share: number | null };
  setup: Durations;
  teardown: Durations;
  metrics: Record<string, MetricFigures>;
  metrics_refused: number;
  checks: Record<string, { passed: number; failed: number }>;
  timers: Record<string, { passed: Durations; failed: Durations }>;
  counts: Record<string, number>;
  steps_refused: number;
  failures: Failure[];
  failures_overflow: number;
  overran: number;
  slowest: Exhibit[];
  first_failed: Exhibit[];
}

export interface Threshold {
  expression: string;
  test: string | null;
  state: "pending" | "passed" | "failed" | "no_data";
  actual_text: string;
  abort_on_fail: boolean;
  aborted: boolean;
}

export interface Worker {
  worker: number;
  life: number;
  pid: number;
  end: "running" | "done" | "killed" | "lost";
  death: string | null;
  cpu_s: number;
  cpu_share: number | null;
  gil_wait_share: number | null;
  stood_still_s: number;
  rss_bytes: number;
}

export type Validity = "valid" | "degraded" | "invalid";

export interface Cause {
  validity: Validity;
  kind: string;
  test: string | null;
  text: string;
  advice: string | null;
}

export interface Summary {
  pysurge_version: string;
  name: string;
  tags: string[];
  status: "running" | "finished" | "killed";
  stop_cause: "duration" | "iterations" | "threshold" | "signal" | "second_signal" | "workers_lost" | null;
  exit_code: number | null;
  started_at: string;
  planned_duration_s: number | null;
  duration_s: number;
  paused_s: number;
  factor: number;
  changes: { at_s: number; paused: boolean; factor: number }[];
  elapsed_s: number;
  verdict: { validity: Validity; causes: Cause[] };
  thresholds: Threshold[];
  account: Account;
  tests: Test[];
  workers: Worker[];
  incidents: { at_s: number; worker: number; pid: number | null; kind: string; text: string }[];
  machine: {
    cpus: number;
    cpu_share: number | null;
    swapped_bytes: number | null;
    suspended_s: number;
    clock_set_s: number;
  };
  samples_dropped: number;
  output_dropped: number;
}

/** A figure of every row; null where there is none. */
export type Column = (number | null)[];

/** By measure, then by figure. */
export type Measures = Record<string, Record<string, Column>>;

export interface Rows {
  from_s: number[];
  to_s: number[];
  run: Measures;
  tests: Measures[];
}

export interface Distribution {
  shares: number[];
  values: number[];
}

export interface HeatMap {
  edges: number[];
  times: number[];
  columns: number[][];
}

export interface Curves {
  response_time: Distribution;
  service_time: Distribution;
  heat: HeatMap | null;
}

export interface Page {
  summary: Summary;
  config: string;
  rows: Rows;
  curves: Curves[];
}

/** The data in the page itself. */
export function dataInPage<Data>(): Data {
  return JSON.parse(document.getElementById("data")?.textContent ?? "") as Data;
}

/** What a test is called: its name in the config, else its label. */
export function nameOf(test: Test): string {
  return test.name ?? test.label;
}

/** Iterations that were started and told of. */
export function firedOf(account: Account): number {
  return account.passed + account.failed + account.interrupted;
}
