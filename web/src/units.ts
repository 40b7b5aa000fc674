// Numbers as people read them. Each function takes null for what is not there.

const NONE = "–";

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `1,234,567`. */
export function count(n: number | null | undefined): string {
  return n == null ? NONE : grouped.format(n);
}

/** Three or four significant digits, without zeros behind the point. */
export function figure(value: number | null | undefined): string {
  if (value == null) {
    return NONE;
  }
  const magnitude = Math.abs(value);
  if (value === 0) {
    return "0";
  }
  if (magnitude < 1e-4 || magnitude >= 1e7) {
    return value.toExponential(2);
  }
  return magnitude >= 1000 ? grouped.format(value) : String(Number(value.toPrecision(4)));
}

/** A rate, per second. */
export function rate(perSecond: number | null | undefined): string {
  return perSecond == null ? NONE : `${figure(perSecond)}/s`;
}

/** A share of a whole, which is neither nothing nor all where it is not. */
export function percent(part: number, whole: number): string {
  if (whole === 0) {
    return NONE;
  }
  const hundredths = Math.floor((part * 10_000) / whole);
  if (part >= whole) {
    return "100 %";
  }
  if (hundredths === 0) {
    return part > 0 ? "0.01 %" : "0 %";
  }
  const isNearAnEnd = hundredths < 100 || hundredths >= 9_900;
  return isNearAnEnd ? `${(hundredths / 100).toFixed(2)} %` : `${(Math.floor(hundredths / 10) / 10).toFixed(1)} %`;
}

/** A share between 0 and 1. */
export function share(value: number | null | undefined): string {
  return value == null ? NONE : `${Number((value * 100).toPrecision(3))} %`;
}

interface Unit {
  name: string;
  seconds: number;
}

const NANOSECONDS: Unit = { name: "ns", seconds: 1e-9 };
const UNITS: Unit[] = [
  { name: "h", seconds: 3600 },
  { name: "min", seconds: 60 },
  { name: "s", seconds: 1 },
  { name: "ms", seconds: 1e-3 },
  { name: "µs", seconds: 1e-6 },
  NANOSECONDS,
];

/** The greatest unit of which a duration is at least one. Hours and minutes are for times, and for no response time. */
function unitOf(seconds: number, upTo = 2): Unit {
  return UNITS.slice(upTo).find((unit) => Math.abs(seconds) >= unit.seconds * 0.9995) ?? NANOSECONDS;
}

/** A duration in its own unit: `312 ms`, `1.53 s`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null) {
    return NONE;
  }
  if (seconds === 0) {
    return "0 s";
  }
  const unit = unitOf(seconds);
  const value = seconds / unit.seconds;
  return `${value >= 1000 ? grouped.format(value) : Number(value.toPrecision(3))} ${unit.name}`;
}

/** A time of the run as a clock has it: `0:07`, `1:02:03`. */
export function clock(seconds: number | null | undefined): string {
  if (seconds == null) {
    return NONE;
  }
  const whole = Math.max(0, Math.floor(seconds + 1e-9));
  const parts = [Math.floor(whole / 60) % 60, whole % 60];
  const hours = Math.floor(whole / 3600);
  const padded = parts.map((part) => String(part).padStart(2, "0"));
  const text = hours > 0 ? `${hours}:${padded.join(":")}` : `${parts[0]}:${padded[1]}`;
  const rest = seconds - whole;
  return rest > 0.005 && rest < 0.995 ? `${text}.${String(Math.round(rest * 100)).padStart(2, "0")}` : text;
}

/** A length of time in words: `1 min 30 s`. */
export function span(seconds: number): string {
  if (seconds < 60) {
    return duration(seconds);
  }
  let rest = Math.round(seconds);
  const parts: string[] = [];
  for (const unit of UNITS.slice(0, 3)) {
    const whole = Math.floor(rest / unit.seconds);
    rest -= whole * unit.seconds;
    if (whole > 0) {
      parts.push(`${whole} ${unit.name}`);
    }
  }
  return parts.join(" ");
}

/** Bytes: `12.3 MiB`. */
export function bytes(n: number | null | undefined): string {
  if (n == null) {
    return NONE;
  }
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const at = n < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(n) / 10));
  return `${Number((n / 1024 ** at).toPrecision(3))} ${units[at]}`;
}

/** An instant as ISO 8601 has it, in the reader's own time. */
export function localTime(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** `1 worker`, `2 workers`. */
export function plural(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}
