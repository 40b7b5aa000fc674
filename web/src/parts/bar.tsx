// What stays in sight: where things are, the choice of the test, and how charts are shown.

import { useEffect, useState } from "preact/hooks";
import { isZoomed, onZoom, zoom } from "../charts/together";
import { nameOf, type Summary } from "../data";
import { setLog, setTheme, useLook } from "../look";

interface Props {
  label: string;
  /** Ids of sections, and what they are called. */
  links: [string, string][];
  summary: Summary;
  chosen: number;
  choose: (test: number) => void;
}

export function Bar({ label, links, summary, chosen, choose }: Props) {
  const look = useLook();
  const [zoomed, setZoomed] = useState(isZoomed());
  useEffect(() => onZoom(() => setZoomed(isZoomed())), []);
  return (
    <nav class="bar" aria-label={label}>
      <span class="links">
        {links.map(([id, name]) => (
          <a href={`#${id}`} key={id}>
            {name}
          </a>
        ))}
      </span>
      {summary.tests.length > 1 ? (
        <label>
          Test{" "}
          <select value={chosen} onChange={(event) => choose(Number(event.currentTarget.value))}>
            {summary.tests.map((test, at) => (
              <option key={at} value={at}>
                {nameOf(test)}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      <label>
        <input type="checkbox" checked={look.isLog} onChange={(event) => setLog(event.currentTarget.checked)} /> logarithmic durations
      </label>
      <button type="button" disabled={!zoomed} onClick={() => zoom(null)}>
        Whole run
      </button>
      <button type="button" onClick={() => setTheme(look.theme === "dark" ? "light" : "dark")}>
        {look.theme === "dark" ? "Light" : "Dark"}
      </button>
    </nav>
  );
}
