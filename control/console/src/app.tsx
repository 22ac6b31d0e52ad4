// The frame around the views: where one is, whether ulvsd answers, and the dialogs.

import { useEffect, useState } from "preact/hooks";
import { refresh, useAccess } from "./access";
import { clock, span } from "./format";
import type { Watched } from "./joined";
import { sentence, STALE, useHealth, useLive } from "./live";
import { Changes, type Wanted } from "./parts/changes";
import { Field, Modal } from "./parts/dialog";
import { hashOf, VIEWS, type Place, type View } from "./place";
import { usePlace } from "./router";
import { toggle, useTheme } from "./theme";
import { Connections } from "./views/connections";
import { Drops } from "./views/drops";
import { Events } from "./views/events";
import { Overview } from "./views/overview";
import { ServiceView } from "./views/service";
import { ServicesView } from "./views/services";
import { Workers } from "./views/workers";

const NAMES: Record<View, string> = {
  overview: "Overview",
  services: "Services",
  workers: "Workers",
  drops: "Drops",
  connections: "Connections",
  events: "Events",
};

type Open = "help" | "token" | Wanted | undefined;

export function App() {
  const place = usePlace();
  const live = useLive();
  const [open, setOpen] = useState<Open>();
  const [said, setSaid] = useState<string[]>([]);
  useKeys(open, setOpen);
  const pid = live?.status.pid;
  useEffect(() => void refresh().catch(() => undefined), [pid]);
  useEffect(() => {
    document.title = place.service ? `${place.service} – ulvs` : `${NAMES[place.view]} – ulvs`;
  }, [place.view, place.service]);
  useEffect(() => {
    if (said.length === 0) return;
    const timer = setTimeout(() => setSaid([]), 6000);
    return () => clearTimeout(timer);
  }, [said]);
  const close = () => setOpen(undefined);
  return (
    <>
      <a
        class="skip"
        href="#content"
        onClick={(event) => (event.preventDefault(), document.getElementById("content")?.focus())}
      >
        To the content
      </a>
      <Bar place={place} live={live} setOpen={setOpen} />
      <main id="content" tabIndex={-1}>
        <Body place={place} live={live} change={setOpen} />
      </main>
      <div class="toast" role="status" aria-live="polite">
        {said.length > 0 && (
          <p>
            {said.slice(0, 3).map((line) => (
              <code key={line}>{line}</code>
            ))}
          </p>
        )}
      </div>
      {open === "help" && <Help close={close} />}
      {open === "token" && <TokenDialog close={close} />}
      {typeof open === "object" && <Changes wanted={open} close={close} done={setSaid} />}
    </>
  );
}

function Body({ place, live, change }: { place: Place; live: Watched | undefined; change: (wanted: Wanted) => void }) {
  const health = useHealth();
  if (!live) return <p class="dim pad">{health.trouble ? `${health.trouble}; trying again…` : "Asking ulvsd…"}</p>;
  switch (place.view) {
    case "overview":
      return <Overview live={live} />;
    case "services":
      return place.service === undefined ? (
        <ServicesView change={change} />
      ) : (
        <ServiceView key={place.service} name={place.service} change={change} />
      );
    case "workers":
      return <Workers live={live} />;
    case "drops":
      return <Drops live={live} />;
    case "connections":
      return <Connections />;
    case "events":
      return <Events />;
  }
}

function Bar({ place, live, setOpen }: { place: Place; live: Watched | undefined; setOpen: (open: Open) => void }) {
  const access = useAccess();
  const theme = useTheme();
  return (
    <header class="bar-top">
      <a class="brand" href="#/overview">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="7" />
          <path d="M8 16h4c5 0 5-8 10-8h2M12 16h12M12 16c5 0 5 8 10 8h2" />
          <circle cx="7.5" cy="16" r="3" />
        </svg>
        ulvs
      </a>
      <nav class="views" aria-label="Views">
        {VIEWS.map((view) => (
          <a key={view} href={hashOf({ view })} aria-current={place.view === view ? "page" : undefined}>
            {NAMES[view]}
          </a>
        ))}
      </nav>
      <div class="bar-end">
        <Pulse live={live} />
        <button
          type="button"
          class={access.allowed ? "lock open" : "lock"}
          onClick={() => setOpen("token")}
          title={access.allowed ? "You may change services" : "You may look, and change nothing"}
        >
          {access.allowed ? "Editing" : "Read-only"}
        </button>
        <button
          type="button"
          class="icon"
          aria-label={theme === "dark" ? "Light colours" : "Dark colours"}
          title="Dark or light (t)"
          onClick={toggle}
        >
          {theme === "dark" ? "☀" : "☾"}
        </button>
        <button type="button" class="icon" aria-label="Help" title="Keys (?)" onClick={() => setOpen("help")}>
          ?
        </button>
      </div>
    </header>
  );
}

/** Whether what is shown is true now. */
function Pulse({ live }: { live: Watched | undefined }) {
  const health = useHealth();
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const age = now - health.answered;
  const stale = health.answered === 0 ? health.trouble !== null : health.trouble !== null && age > STALE;
  useEffect(() => {
    document.documentElement.classList.toggle("stale", stale);
  }, [stale]);
  if (stale) {
    const since =
      health.answered === 0
        ? "ulvsd does not answer"
        : `${health.trouble} since ${clock(health.answered)} (${span(age / 1000)})`;
    return (
      <span class="pulse tone-bad" role="alert">
        <span class="dot" aria-hidden="true" />
        {since}
      </span>
    );
  }
  return (
    <span class="pulse tone-good" title={live ? `ulvsd ${live.status.version}, process ${live.status.pid}` : ""}>
      <span class="dot" aria-hidden="true" />
      {live ? `up ${span(live.status.uptime_seconds)}` : "connecting"}
    </span>
  );
}

function useKeys(open: Open, setOpen: (open: Open) => void): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const within = event.target as HTMLElement | null;
      const writes = within?.matches("input, select, textarea") ?? false;
      if (open !== undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Escape" && writes) within?.blur();
      if (writes) return;
      const view = VIEWS[Number(event.key) - 1];
      if (event.key === "/") {
        const field = document.getElementById("search");
        if (!field) location.hash = "#/services";
        setTimeout(() => document.getElementById("search")?.focus(), field ? 0 : 60);
      } else if (event.key === "?") setOpen("help");
      else if (event.key === "t") toggle();
      else if (view) location.hash = hashOf({ view });
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [open]);
}

const KEYS = [
  ["1 … 6", "the views, from left to right"],
  ["/", "search"],
  ["↑ ↓ Page Home End", "move in a table; Enter opens what is marked"],
  ["t", "dark or light"],
  ["?", "this"],
  ["Esc", "leave a dialog or a field"],
] as const;

function Help({ close }: { close: () => void }) {
  return (
    <Modal title="Keys" close={close}>
      <dl class="keys">
        {KEYS.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <p class="note dim">
        Packets and traffic count both ways. Replies of DR and TUN pass the director by and are not counted.{" "}
        <code>ulvsctl</code> and <code>ulvsctl top</code> show the same in a terminal.
      </p>
    </Modal>
  );
}

function TokenDialog({ close }: { close: () => void }) {
  const access = useAccess();
  const [token, setToken] = useState("");
  const [trouble, setTrouble] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    refresh(token.trim()).then(
      (now) => (now.allowed ? close() : setTrouble("That is not the token.")),
      (error: unknown) => setTrouble(sentence(error)),
    );
  };
  const leave = () => void refresh("").then(close, (error: unknown) => setTrouble(sentence(error)));
  return (
    <Modal title="Who may change something" close={close}>
      {!access.writable && (
        <p class="note">
          This console is read-only. To change services here, name a <code>token_file</code> in <code>[console]</code>{" "}
          of <code>ulvs.toml</code> and restart ulvsd. <code>ulvsctl</code> changes them in any case.
        </p>
      )}
      {access.writable && !access.allowed && (
        <form onSubmit={submit}>
          <div class="fields">
            <Field
              label="Token"
              hint={`It is in ${access.token_file ?? "the token file"} on the director. This page keeps it until it is closed or loaded again.`}
            >
              <input
                type="password"
                autocomplete="off"
                autofocus
                value={token}
                onInput={(event) => setToken(event.currentTarget.value)}
              />
            </Field>
            {trouble && (
              <p class="wrong" role="alert">
                {trouble}
              </p>
            )}
          </div>
          <footer class="dialog-foot">
            <button type="button" onClick={close}>
              Cancel
            </button>
            <button type="submit" class="primary" disabled={token.trim() === ""}>
              Edit
            </button>
          </footer>
        </form>
      )}
      {access.allowed && (
        <>
          <p class="note">You may change services and real servers. Each change shows first what it would do.</p>
          <footer class="dialog-foot">
            <button type="button" onClick={leave}>
              Look only
            </button>
          </footer>
        </>
      )}
    </Modal>
  );
}
