// The tail of the log. It follows what comes, unless the reader has scrolled back.

import { useLayoutEffect, useRef } from "preact/hooks";
import { count } from "../units";
import { type Feed, useFeed } from "./feed";

/** So near to the end, in pixels, the reader is at the end. */
const NEAR = 24;

export function Log({ feed }: { feed: Feed }) {
  useFeed(feed, "log");
  const place = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  const { lines, skipped } = feed;
  useLayoutEffect(() => {
    const element = place.current;
    if (element && isAtEnd.current) {
      element.scrollTop = element.scrollHeight;
    }
  }, [lines]);
  return (
    <section class="card" id="log" aria-labelledby="log-head">
      <h2 id="log-head">Log</h2>
      {skipped > 0 ? <p class="quiet">{count(skipped)} lines are not shown; run.log has all.</p> : null}
      <pre
        class="log"
        ref={place}
        tabIndex={0}
        aria-labelledby="log-head"
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          isAtEnd.current = scrollHeight - scrollTop - clientHeight < NEAR;
        }}
      >
        {lines.length > 0 ? lines.join("\n") : "Nothing was logged or printed yet."}
      </pre>
    </section>
  );
}
