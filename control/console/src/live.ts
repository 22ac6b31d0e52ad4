// What is asked for again and again, and whether ulvsd still answers.

import { useEffect, useRef, useState } from "preact/hooks";
import { ask, Refused, target, type Live } from "./api";
import { joined, type Watched } from "./joined";

/** Between two questions, in milliseconds. */
const PERIOD = 1000;
/** What is older counts as stale, in milliseconds. */
export const STALE = 3500;

export interface Health {
  /** When ulvsd answered last, in milliseconds since 1970; 0: never. */
  answered: number;
  /** Why it did not, if the last question failed. */
  trouble: string | null;
}

let health: Health = { answered: 0, trouble: null };
const watchers = new Set<(health: Health) => void>();

function note(next: Health): void {
  health = next;
  for (const watcher of watchers) watcher(next);
}

export function useHealth(): Health {
  const [seen, setSeen] = useState(health);
  useEffect(() => {
    watchers.add(setSeen);
    return () => void watchers.delete(setSeen);
  }, []);
  return seen;
}

export function sentence(error: unknown): string {
  if (error instanceof Refused) return error.message;
  if (error instanceof DOMException && error.name === "TimeoutError") return "no answer in time";
  return "no answer";
}

/** Calls `work` once a second while the page is seen; never twice at a time. */
export function usePoll(work: (signal: AbortSignal) => Promise<void>, when: unknown[], period = PERIOD): void {
  const latest = useRef(work);
  latest.current = work;
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const turn = async () => {
      timer = undefined;
      const began = Date.now();
      if (!document.hidden) {
        try {
          await latest.current(abort.signal);
          if (!abort.signal.aborted) note({ answered: Date.now(), trouble: null });
        } catch (error) {
          if (!abort.signal.aborted) note({ ...health, trouble: sentence(error) });
        }
      }
      if (!abort.signal.aborted) timer = setTimeout(turn, Math.max(100, period - (Date.now() - began)));
    };
    const seen = () => {
      if (document.hidden || timer === undefined) return;
      clearTimeout(timer);
      void turn();
    };
    document.addEventListener("visibilitychange", seen);
    void turn();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, when);
}

/** The answer to a GET, asked for once a second; absent: not yet, or nothing is asked. */
export function useAsked<T>(path: string | null, period = PERIOD): T | undefined {
  const [answer, setAnswer] = useState<{ path: string; value: T }>();
  usePoll(
    async (signal) => {
      if (path === null) return;
      const value = await ask<T>(path, signal);
      if (!signal.aborted) setAnswer({ path, value });
    },
    [path],
    period,
  );
  return answer?.value;
}

/** The director as a whole, once a second. */
export function useLive(): Watched | undefined {
  const [watched, setWatched] = useState<Watched>();
  const known = useRef<Watched | undefined>(undefined);
  usePoll(async (signal) => {
    const since = known.current?.samples.at(-1)?.at;
    const came = await ask<Live>(target("/v1/live", { since }), signal);
    // Of a director that was started again all samples are newer.
    known.current = joined(known.current, came);
    if (!signal.aborted) setWatched(known.current);
  }, []);
  return watched;
}
