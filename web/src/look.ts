// How the page looks: light or dark, and whether axes of durations are logarithmic. Both are the reader's choice and hold for all charts.

import { useEffect, useState } from "preact/hooks";

export type Theme = "light" | "dark";

interface Look {
  theme: Theme;
  isLog: boolean;
}

const system = window.matchMedia("(prefers-color-scheme: dark)");
const paper = window.matchMedia("print");
const listeners = new Set<() => void>();
let chosen: Theme | null = null;
let isLog = false;

function current(): Look {
  const theme = paper.matches ? "light" : (chosen ?? (system.matches ? "dark" : "light"));
  return { theme, isLog };
}

let look = current();

function changed(): void {
  look = current();
  document.documentElement.dataset.theme = look.theme;
  for (const listener of listeners) {
    listener();
  }
}

system.addEventListener("change", changed);
paper.addEventListener("change", changed);
changed();

export function setTheme(theme: Theme): void {
  chosen = theme;
  changed();
}

export function setLog(log: boolean): void {
  isLog = log;
  changed();
}

/** The look as it is now; whoever uses it is drawn anew when it changes. */
export function useLook(): Look {
  const [now, set] = useState(look);
  useEffect(() => {
    const listener = () => set(look);
    listeners.add(listener);
    listener();
    return () => {
      listeners.delete(listener);
    };
  }, []);
  return now;
}
