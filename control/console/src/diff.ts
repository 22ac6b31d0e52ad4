// Lines that say what is changed, as ulvsd writes them.

export type Sign = "added" | "removed" | "edited";

export function sign(line: string): Sign {
  if (line.startsWith("+")) return "added";
  if (line.startsWith("-")) return "removed";
  return "edited";
}

/** `10m`, `90s`, `1h`, `45` as seconds; absent: it is no time. */
export function seconds(text: string): number | undefined {
  const found = /^\s*(\d{1,7})\s*(s|m|min|h)?\s*$/.exec(text);
  if (!found) return undefined;
  const factor = { s: 1, m: 60, min: 60, h: 3600 }[found[2] ?? "s"] ?? 1;
  return Number(found[1]) * factor;
}
