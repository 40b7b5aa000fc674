// What charts over time have together: the cursor and the time that is shown. Whoever zooms one zooms all, also those that are drawn later.

import uPlot from "uplot";

/** The key by which uPlot joins cursors. */
export const TOGETHER = "time";

type Range = [number, number];

const charts = new Set<uPlot>();
const listeners = new Set<() => void>();
let whole: Range = [0, 1];
let shown: Range | null = null;
let isFollowing = false;

/** Sets the time of the whole run. */
export function setWhole(range: Range): void {
  whole = range;
}

/** The time that is shown now. */
export function shownRange(): Range {
  return shown ?? whole;
}

/** Whether less than the whole run is shown. */
export function isZoomed(): boolean {
  return shown !== null;
}

/** Calls a function whenever the time that is shown is another; gives one that ends it. */
export function onZoom(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Takes a chart in; gives a function that lets it go. */
export function join(chart: uPlot): () => void {
  charts.add(chart);
  return () => charts.delete(chart);
}

/** Shows so much in all charts; the whole run where nothing is given. */
export function zoom(range: Range | null): void {
  const isWhole = range === null || (range[0] <= whole[0] && range[1] >= whole[1]);
  shown = isWhole ? null : range;
  const [min, max] = shownRange();
  isFollowing = true;
  for (const chart of charts) {
    chart.setScale("x", { min, max });
  }
  isFollowing = false;
  for (const listener of listeners) {
    listener();
  }
}

/** Zooms by a factor around a time. */
export function zoomBy(factor: number, around: number): void {
  const [min, max] = shownRange();
  const least = (whole[1] - whole[0]) / 10_000;
  const span = Math.max(least, (max - min) * factor);
  const at = (around - min) / (max - min);
  const from = Math.max(whole[0], around - span * at);
  zoom([from, Math.min(whole[1], from + span)]);
}

/** A chart was zoomed by hand: the others follow. */
export function follow(chart: uPlot): void {
  const { min, max } = chart.scales.x ?? {};
  if (!isFollowing && min != null && max != null && (min !== shownRange()[0] || max !== shownRange()[1])) {
    zoom([min, max]);
  }
}
