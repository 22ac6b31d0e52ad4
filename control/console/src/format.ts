// Numbers and times for people.

const STEPS = ["", "k", "M", "G", "T", "P"] as const;

/** Up to three digits and a unit: `0`, `7.3`, `999`, `1.23 k`, `45.6 M`. Cut, not rounded up, so that 999,999 is never 1000 k. */
export function scaled(value: number, unit = ""): string {
  if (!Number.isFinite(value)) return "–";
  let step = 0;
  let rest = Math.abs(value);
  while (rest >= 1000 && step < STEPS.length - 1) {
    rest /= 1000;
    step += 1;
  }
  const digits = rest >= 100 ? 0 : rest >= 10 ? 1 : 2;
  const factor = 10 ** digits;
  // A rate that is hardly measured has no digits behind the point.
  const cut = step === 0 ? few(rest) : Math.floor(rest * factor + 1e-9) / factor;
  const sign = value < 0 && cut > 0 ? "−" : "";
  const name = `${STEPS[step]}${unit}`;
  const text = step === 0 ? `${cut}` : cut.toFixed(digits);
  return name === "" ? `${sign}${text}` : `${sign}${text}\u202f${name}`;
}

function few(value: number): number {
  return value < 9.95 ? Math.round(value * 10) / 10 : Math.min(999, Math.round(value));
}

/** A rate; absent: not known yet. */
export function rate(value: number | null | undefined, unit = "/s"): string {
  return value == null ? "–" : scaled(value, unit);
}

/** Bits of a rate in bytes. */
export function bits(bytes: number | null | undefined): string {
  return bytes == null ? "–" : scaled(bytes * 8, "bit/s");
}

/** A whole number with its thousands apart. */
export function count(value: number): string {
  return value.toLocaleString("en-US").replaceAll(",", "\u202f");
}

export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return "<0.1\u202f%";
  return `${value > 0 && value < 10 ? value.toFixed(1) : value.toFixed(0)}\u202f%`;
}

/** Microseconds: `0.4 µs`, `12.5 µs`, `1.23 ms`, `2.00 s`. */
export function micros(value: number | null): string {
  if (value == null || !Number.isFinite(value)) return "–";
  if (value < 1000) return `${value.toFixed(1)}\u202fµs`;
  if (value < 1_000_000) return `${(value / 1000).toFixed(2)}\u202fms`;
  return `${(value / 1_000_000).toFixed(2)}\u202fs`;
}

/** A time span of whole seconds: `45 s`, `2 min 5 s`, `3 h 4 min`, `2 d 3 h`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return "0\u202fs";
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value}\u202f${unit}`)
    .join(" ");
}

/** The time of day of milliseconds since 1970. */
export function clock(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB");
}

/** The day and time of milliseconds since 1970; of today the time alone. */
export function moment(ms: number, now = Date.now()): string {
  const day = (at: number) => new Date(at).toDateString();
  if (day(ms) === day(now)) return clock(ms);
  return `${new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock(ms)}`;
}

/** `1 service`, `2 services`. */
export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}
