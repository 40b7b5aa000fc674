// What the reader may do to the run. The run decides: what it refuses is told in its words.

import { useEffect, useState } from "preact/hooks";
import type { Feed } from "./feed";

/** How long a click that ends something waits for the second one, milliseconds. */
const SURE_MS = 4000;

/** As the keys of the terminal have it: tenths up to 2, halves above. */
function step(factor: number, up: boolean): number {
  const size = factor < 2 || (factor === 2 && !up) ? 0.1 : 0.5;
  const steps = factor / size;
  const next = up ? Math.floor(steps + 1e-9) + 1 : Math.ceil(steps - 1e-9) - 1;
  return Number(Math.min(10, Math.max(0.1, next * size)).toFixed(3));
}

export function Controls({ feed }: { feed: Feed }) {
  const { stage, paused, factor } = feed.standing;
  const [refusal, setRefusal] = useState<string | null>(null);
  const [isSure, setSure] = useState(false);
  const [typed, setTyped] = useState<string | null>(null);
  useEffect(() => {
    if (!isSure) {
      return;
    }
    const timer = window.setTimeout(() => setSure(false), SURE_MS);
    return () => window.clearTimeout(timer);
  }, [isSure]);
  if (stage === "finished" || stage === "over" || stage === "aborted" || feed.connection === "ended") {
    return null;
  }
  const ask = async (command: string, by?: number) => setRefusal(await feed.ask(command, by));
  const stop = () => {
    if (isSure) {
      void ask(stage === "stopping" ? "stop_now" : "stop");
    }
    setSure(!isSure);
  };
  const isOn = stage === "running";
  return (
    <div class="controls" role="group" aria-label="Controls">
      <button type="button" disabled={!isOn} onClick={() => void ask(paused ? "resume" : "pause")}>
        {paused ? "Resume" : "Pause"}
      </button>
      <button type="button" disabled={!isOn} onClick={() => void ask("scale", step(factor, false))}>
        Slower
      </button>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (typed !== null && typed.trim() !== "") {
            void ask("scale", Number(typed));
          }
          setTyped(null);
        }}
      >
        <label>
          rates ×{" "}
          <input
            type="number"
            min="0.001"
            max="1000"
            step="any"
            disabled={!isOn}
            value={typed ?? String(factor)}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <button type="submit" disabled={!isOn || typed === null}>
          Set
        </button>
      </form>
      <button type="button" disabled={!isOn} onClick={() => void ask("scale", step(factor, true))}>
        Faster
      </button>
      <button type="button" disabled={!isOn || factor === 1} onClick={() => void ask("scale", 1)}>
        As planned
      </button>
      <button type="button" class="stop" onClick={stop}>
        {stage === "stopping" ? (isSure ? "Really? Running iterations are abandoned" : "Stop at once") : isSure ? "Really stop?" : "Stop"}
      </button>
      <span class="refusal" role="status">
        {refusal}
      </span>
    </div>
  );
}
