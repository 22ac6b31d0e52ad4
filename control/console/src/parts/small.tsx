// Small things that every view has.

import type { ComponentChildren } from "preact";

const WORDS: Record<string, { tone: Tone; word: string; meaning: string }> = {
  up: { tone: "good", word: "up", meaning: "gets new connections" },
  degraded: { tone: "warn", word: "degraded", meaning: "some of its real servers get no new connections" },
  down: { tone: "bad", word: "down", meaning: "no new connections can be served" },
  empty: { tone: "idle", word: "empty", meaning: "has no real servers" },
  quiescent: {
    tone: "idle",
    word: "quiescent",
    meaning: "its weight is 0: it keeps its connections and gets no new ones",
  },
  draining: {
    tone: "info",
    word: "draining",
    meaning: "is being emptied: it keeps its connections and gets no new ones",
  },
  removed: { tone: "idle", word: "taken out", meaning: "gets no packets any more" },
  overloaded: { tone: "warn", word: "overloaded", meaning: "has reached its upper threshold of connections" },
  unreachable: { tone: "bad", word: "unreachable", meaning: "no way leads there: no route, or no answer to ARP or ND" },
  info: { tone: "info", word: "info", meaning: "" },
  warning: { tone: "warn", word: "warning", meaning: "" },
  error: { tone: "bad", word: "error", meaning: "" },
};

export type Tone = "good" | "warn" | "bad" | "idle" | "info";

export function tone(state: string): Tone {
  return WORDS[state]?.tone ?? "idle";
}

/** A state by colour and word. */
export function State({ of }: { of: string }) {
  const known = WORDS[of];
  return (
    <span class={`state tone-${tone(of)}`} title={known?.meaning ?? ""}>
      <span class="dot" aria-hidden="true" />
      {known?.word ?? of}
    </span>
  );
}

/** A bar that is filled so far, 0 to 1. */
export function Bar({ share, label }: { share: number; label: string }) {
  const filled = Math.min(1, Math.max(0, share));
  const heat = filled > 0.9 ? "bad" : filled > 0.7 ? "warn" : "good";
  return (
    <svg class={`bar tone-${heat}`} viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label={label}>
      <rect class="bar-room" width="100" height="8" rx="1" />
      <rect class="bar-full" width={Math.max(filled * 100, filled > 0 ? 0.8 : 0)} height="8" rx="1" />
    </svg>
  );
}

/** How a number was in the last seconds, without axes. */
export function Sparkline({ values, points = 60, label }: { values: number[]; points?: number; label: string }) {
  const top = Math.max(...values, 1e-9);
  const at = (index: number) => 100 - ((values.length - 1 - index) * 100) / (points - 1);
  const line = values.map((value, index) => `${at(index).toFixed(1)},${(22 - (value / top) * 20).toFixed(1)}`);
  const flat = values.length < 2;
  return (
    <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={label}>
      {!flat && <polygon class="spark-area" points={`${at(0).toFixed(1)},24 ${line.join(" ")} 100,24`} />}
      {!flat && <polyline class="spark-line" points={line.join(" ")} />}
    </svg>
  );
}

/** What is said where there is nothing to show. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <p>{children}</p>}
    </div>
  );
}

export function Card({
  title,
  aside,
  children,
  wide,
}: {
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
  wide?: boolean;
}) {
  return (
    <section class={wide ? "card wide" : "card"} aria-label={title}>
      <header class="card-head">
        <h2>{title}</h2>
        {aside && <div class="card-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** A label and its value, in a list of such. */
export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
