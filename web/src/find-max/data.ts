// What the page of a search is given: see docs/schema/find-max.schema.json. Rates are those of all tests together.

import type { Account, Durations, Threshold, Validity } from "../data";

export interface Signal {
  kind: "objective" | "rate" | "generator";
  objective: string | null;
  text: string;
}

export interface Level {
  number: number;
  rate_per_s: number;
  purpose: "start" | "up" | "down" | "between" | "again" | "confirm";
  confirmation: boolean;
  began_s: number;
  hold_s: number;
  ended_early: boolean;
  state: "held" | "failed" | "generator_limited";
  signal: Signal | null;
  account: Account;
  response_time: Durations;
  verdict: { validity: Validity };
  objectives: Threshold[];
  folder: string | null;
}

export interface FindMaxPage {
  search: {
    pysurge_version: string;
    name: string;
    started_at: string | null;
    elapsed_s: number;
    objectives: string[];
    terms: {
      start_rate_per_s: number;
      max_rate_per_s: number | null;
      precision: number;
      settle_s: number;
      hold_s: number;
      confirm_s: number;
      max_time_s: number;
      workers: number;
    };
    result: {
      held_rate_per_s: number | null;
      confirmed: boolean;
      failed_rate_per_s: number | null;
      at_least: boolean;
      limit: Signal | null;
      text: string;
      exit_code: number;
    } | null;
    levels: Level[];
  };
  limits_s: number[];
}
