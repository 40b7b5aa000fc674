// What stays in sight: where things are, the choice of the test, and how charts are shown.

import { useEffect, useState } from "preact/hooks";
import { isZoomed, onZoom, zoom } from "../charts/together";
import { setLog, setTheme, useLook } from "../look";

interface Props {
  label: string;
  /** Ids of sections, and what they are called. */
  links: [string, string][];
  /** What the tests are called. */
  tests: string[];
  /** Whether there are charts over time, which can be zoomed. */
  isOverTime?: boolean;
  chosen: number;
  choose: (test: number) => void;
}

export function Bar({ label, links, tests, isOverTime = true, chosen, choose }: Props) {
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
      {tests.length > 1 ? (
        <label>
          Test{" "}
          <select value={chosen} onChange={(event) => choose(Number(event.currentTarget.value))}>
            {tests.map((name, at) => (
              <option key={at} value={at}>
                {name}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      <label>
        <input type="checkbox" checked={look.isLog} onChange={(event) => setLog(event.currentTarget.checked)} /> logarithmic durations
      </label>
      {isOverTime ? (
        <button type="button" disabled={!zoomed} onClick={() => zoom(null)}>
          Whole run
        </button>
      ) : null}
      <button type="button" onClick={() => setTheme(look.theme === "dark" ? "light" : "dark")}>
        {look.theme === "dark" ? "Light" : "Dark"}
      </button>
    </nav>
  );
}
