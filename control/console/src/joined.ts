// What came, joined with what was known; and what is read out of it.

import type { Event, Live, Sample, Status } from "./api";

/** So many samples are kept: five minutes. */
const KEPT = 300;
/** So many events. */
const EVENTS = 1000;

export interface Watched {
  status: Status;
  samples: Sample[];
}

/** What was known with what came; if ulvsd was started again, what came alone. */
export function joined(before: Watched | undefined, came: Live): Watched {
  const same =
    before !== undefined &&
    before.status.pid === came.status.pid &&
    came.status.uptime_seconds >= before.status.uptime_seconds;
  const known = same ? before.samples : [];
  const last = known.at(-1)?.at ?? 0;
  const samples = [...known, ...came.samples.filter((sample) => sample.at > last)].slice(-KEPT);
  return { status: came.status, samples };
}

/** What is known with what came; fewer in all than are known: ulvsd was started again. */
export function merged(known: Event[], came: Event[], total: number): Event[] {
  const before = (known.at(-1)?.number ?? 0) > total ? [] : known;
  return [...before, ...came].slice(-EVENTS);
}

/** The reasons with the most packets in these samples. */
export function worst(samples: Sample[], most: number): string[] {
  const sums = new Map<string, number>();
  for (const sample of samples)
    for (const [reason, value] of sample.drops) sums.set(reason, (sums.get(reason) ?? 0) + value);
  return [...sums]
    .sort((one, other) => other[1] - one[1])
    .slice(0, most)
    .map(([reason]) => reason);
}

/** The share of passes that took at most so long, in microseconds. */
export function quantile(
  passes: { below_us: number | null; count: number }[],
  share: number,
  longest: number,
): number | null {
  const total = passes.reduce((sum, one) => sum + one.count, 0);
  if (total === 0) return null;
  const rank = Math.min(Math.max(Math.ceil(total * share), 1), total);
  let seen = 0;
  for (const one of passes) {
    seen += one.count;
    if (seen >= rank) return Math.min(one.below_us ?? Infinity, longest);
  }
  return longest;
}
