// A chart with its title, its figures as a table for whoever cannot see it, and keys for whoever has no mouse. It is drawn once it comes into
// view, and anew when its kind or the colours change; new data and new room it takes as it is.

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { useLook } from "../look";
import { join, shownRange, TOGETHER, zoom, zoomBy } from "./together";

/** Pixels of a chart's drawing, without title and legend. */
const HEIGHT = 220;

/** Rows of the table beside a chart, at most. */
const MOST_ROWS = 120;

export interface Figures {
  /** What stands above the columns; the first is that of the x axis. */
  head: string[];
  /** Cells of the row at an index. */
  row: (at: number) => string[];
  rows: number;
}

export interface ChartProps {
  title: string;
  /** What it says, in a sentence. */
  note?: string;
  /** Made anew for each drawing: colours may be others. Width and height are set here. */
  options: () => Omit<uPlot.Options, "width" | "height">;
  data: uPlot.AlignedData;
  /** Whether its x axis is the time of the run. */
  isOverTime: boolean;
  figures: Figures;
  /** What the options depend on; functions in them may look at newer data. */
  depends?: unknown[];
  wide?: boolean;
}

export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [isSeen, setSeen] = useState(false);
  const look = useLook();

  useEffect(() => {
    const element = place.current;
    if (!element) {
      return;
    }
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) {
          setSeen(true);
        }
      },
      { rootMargin: "400px" },
    );
    observer.observe(element);
    // Paper shows everything.
    const print = () => setSeen(true);
    window.addEventListener("beforeprint", print);
    return () => {
      observer.disconnect();
      window.removeEventListener("beforeprint", print);
    };
  }, []);

  useEffect(() => {
    const element = place.current;
    if (!element || !isSeen) {
      return;
    }
    const size = () => ({ width: Math.max(200, element.clientWidth), height: HEIGHT });
    const drawn = new uPlot({ ...props.options(), ...size() }, props.data, element);
    chart.current = drawn;
    let leave = () => {};
    if (props.isOverTime) {
      leave = join(drawn);
      const [min, max] = shownRange();
      drawn.setScale("x", { min, max });
    }
    const observer = new ResizeObserver(() => {
      if (element.clientWidth !== drawn.width) {
        drawn.setSize(size());
      }
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      leave();
      chart.current = null;
      drawn.destroy();
    };
  }, [isSeen, look, ...(props.depends ?? [])]);

  useEffect(() => {
    const drawn = chart.current;
    if (drawn && drawn.data !== props.data) {
      renew(drawn, props.data, props.isOverTime);
    }
  }, [props.data]);

  return (
    <figure class={props.wide ? "chart wide" : "chart"}>
      <figcaption>
        <h3>{props.title}</h3>
        {props.note ? <p>{props.note}</p> : null}
      </figcaption>
      <div
        class="drawing"
        ref={place}
        role="application"
        aria-label={`${props.title}. Left and right move the cursor, plus and minus zoom, 0 shows all.`}
        tabIndex={0}
        onKeyDown={(event) => press(event, chart.current, props.isOverTime)}
        onBlur={() => chart.current?.setCursor({ left: -10, top: -10 })}
      />
      <AsTable figures={props.figures} title={props.title} />
    </figure>
  );
}

/** Options of the x axis and the cursor of a chart over time. */
export function overTime(): Pick<uPlot.Options, "cursor"> {
  return { cursor: { sync: { key: TOGETHER, setSeries: false }, drag: { x: true, y: false, setScale: true } } };
}

/** Gives a chart newer data; what the reader chose to see stays. */
function renew(chart: uPlot, data: uPlot.AlignedData, isOverTime: boolean): void {
  const xs = chart.data[0];
  const { min, max } = chart.scales.x ?? {};
  const isWhole = min == null || max == null || (min <= (xs[0] ?? 0) && max >= (xs[xs.length - 1] ?? 0));
  // Together, so that nobody takes the scale in between for a zoom by hand.
  chart.batch(() => {
    chart.setData(data, !isOverTime && isWhole);
    if (isOverTime) {
      const [from, to] = shownRange();
      chart.setScale("x", { min: from, max: to });
    }
  });
}

function press(event: KeyboardEvent, chart: uPlot | null, isOverTime: boolean): void {
  if (!chart || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  const xs = chart.data[0];
  const at = chart.cursor.idx;
  const [first, last] = chart.series[0]?.idxs ?? [0, xs.length - 1];
  const go = (index: number) => {
    const bounded = Math.min(last, Math.max(first, index));
    chart.setCursor({ left: chart.valToPos(xs[bounded] ?? 0, "x"), top: chart.over.clientHeight / 2 });
  };
  const around = at == null ? undefined : xs[at];
  const [min, max] = shownRange();
  const acts: Record<string, () => void> = {
    ArrowLeft: () => go((at ?? last + 1) - 1),
    ArrowRight: () => go((at ?? first - 1) + 1),
    Home: () => go(first),
    End: () => go(last),
  };
  if (isOverTime) {
    const closer = () => zoomBy(0.5, around ?? (min + max) / 2);
    Object.assign(acts, {
      "+": closer,
      "=": closer,
      "-": () => zoomBy(2, around ?? (min + max) / 2),
      "0": () => zoom(null),
      Escape: () => zoom(null),
    });
  }
  const act = acts[event.key];
  if (act) {
    act();
    event.preventDefault();
  }
}

/** The figures of a chart as text, made when they are asked for. */
function AsTable({ figures, title }: { figures: Figures; title: string }) {
  const [isOpen, setOpen] = useState(false);
  const step = Math.max(1, Math.ceil(figures.rows / MOST_ROWS));
  const rows = Array.from({ length: Math.ceil(figures.rows / step) }, (_, n) => n * step);
  return (
    <details class="figures" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Figures{step > 1 ? `, every ${step}th` : ""}</summary>
      {isOpen ? (
        <div class="scroll" role="group" aria-label={`${title}, figures`} tabIndex={0}>
          <table>
            <thead>
              <tr>
                {figures.head.map((name) => (
                  <th scope="col" key={name}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((at) => (
                <tr key={at}>
                  {figures.row(at).map((cell, column) => (
                    <td key={column}>{cell}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </details>
  );
}
