// What the page of a comparison is given: see crates/pysurge-report/src/page/compare.rs. Figures in words are as the terminal has them.

import type { Column, Distribution } from "../data";

export type Outcome = "no_difference_seen" | "slower" | "faster" | "higher" | "lower" | "not_enough_data";

export interface RunFacts {
  path: string;
  name: string;
  facts: string;
}

export interface Condition {
  expression: string;
  state: "passed" | "failed" | "not_enough_data";
  said: string;
}

export interface Measure {
  measure: string;
  base: string;
  new: string;
  change: string;
  interval: string;
  outcome: Outcome;
  words: string;
  why: string | null;
}

/** A run's test over time. */
export interface Course {
  from_s: number[];
  to_s: number[];
  p50: Column;
  p95: Column;
  p99: Column;
  rate: Column;
  failed: Column;
}

export interface Side {
  response_time: Distribution;
  runs: Course[];
}

export interface ComparedTest {
  title: string;
  rows: Measure[];
  base: Side;
  new: Side;
}

export interface ComparePage {
  title: string;
  sentence: string;
  method: string;
  pysurge_version: string;
  base: RunFacts[];
  new: RunFacts[];
  notes: { warning: boolean; text: string }[];
  conditions: Condition[];
  tests: ComparedTest[];
  only_in_base: string[];
  only_in_new: string[];
}
