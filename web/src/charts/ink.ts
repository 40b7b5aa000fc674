// Colours of charts. They are custom properties of the style sheet, one set for light and one for dark; a canvas must ask for them.

/** Colours by what they stand for; `a` to `f` are told apart by whoever sees no red or no green (Okabe and Ito). */
export type Ink = "a" | "b" | "c" | "d" | "e" | "f" | "good" | "bad" | "quiet" | "grid" | "text";

/** The colour as it is now. */
export function ink(name: Ink): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--ink-${name}`).trim();
}

/** The same, see-through. */
export function faint(name: Ink, alpha: number): string {
  const hex = ink(name);
  const part = (at: number) => Number.parseInt(hex.slice(at, at + 2), 16);
  return `rgba(${part(1)}, ${part(3)}, ${part(5)}, ${alpha})`;
}
