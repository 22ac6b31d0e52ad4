// All services: a table of which only what is seen is asked for and drawn.

import { useEffect, useRef, useState } from "preact/hooks";
import { ask, target, type Service, type Services } from "../api";
import { useAccess } from "../access";
import { bits, count, rate, scaled } from "../format";
import { usePoll } from "../live";
import type { Wanted } from "../parts/changes";
import { Empty, Sparkline, State } from "../parts/small";
import { hashOf } from "../place";
import { go } from "../router";
import { rowsIn, scrollTo } from "../virtual";

const ROW = 40;
const STATES = [
  ["", "all states"],
  ["problem", "not up"],
  ["down", "down"],
  ["degraded", "degraded"],
  ["empty", "empty"],
  ["up", "up"],
] as const;

interface Column {
  key: string;
  name: string;
  /** The greatest first at the first click. */
  falling: boolean;
  number?: boolean;
}

const COLUMNS: Column[] = [
  { key: "state", name: "State", falling: true },
  { key: "name", name: "Service", falling: false },
  { key: "scheduler", name: "Scheduler", falling: false },
  { key: "real_servers", name: "Real servers", falling: true, number: true },
  { key: "active", name: "Active", falling: true, number: true },
  { key: "connections", name: "New conns", falling: true, number: true },
  { key: "packets", name: "Packets", falling: true, number: true },
  { key: "bytes", name: "Traffic", falling: true, number: true },
];

export function ServicesView({ change }: { change: (wanted: Wanted) => void }) {
  const [search, setSearch] = useState("");
  const [state, setState] = useState("");
  const [sort, setSort] = useState<{ key: string; descending: boolean }>();
  const [answer, setAnswer] = useState<{ from: number; value: Services }>();
  const [top, setTop] = useState(0);
  const [view, setView] = useState(600);
  const [picked, setPicked] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const { allowed } = useAccess();
  const found = answer?.value.found ?? 0;
  const rows = rowsIn(found, ROW, top, view, 10);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const resize = new ResizeObserver(() => setView(element.clientHeight));
    resize.observe(element);
    return () => resize.disconnect();
  }, []);

  // Asked for in steps, so that scrolling by a row asks for nothing new.
  const from = Math.max(0, Math.floor((rows.first - 20) / 20) * 20);
  const size = Math.min(200, Math.ceil(view / ROW) + 80);
  const query = { search, state, sort: sort?.key, descending: sort?.descending ?? false, count: size };
  usePoll(
    async (signal) => {
      const value = await ask<Services>(target("/v1/live/services", { ...query, from }), signal);
      if (!signal.aborted) setAnswer({ from, value });
    },
    [search, state, sort, from, size],
  );

  const rewind = () => {
    setPicked(0);
    if (box.current) box.current.scrollTop = 0;
  };
  const order = (column: Column) => {
    const again = sort?.key === column.key;
    setSort({ key: column.key, descending: again ? !sort.descending : column.falling });
    rewind();
  };
  const at = (index: number) => (answer ? answer.value.services[index - answer.from] : undefined);
  const keys = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(view / ROW) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[
      event.key
    ];
    if (step !== undefined) {
      event.preventDefault();
      const next = Math.max(0, Math.min(found - 1, picked + step));
      setPicked(next);
      const to = scrollTo(next, ROW, top, view - ROW);
      if (to !== undefined && box.current) box.current.scrollTop = to;
    } else if (event.key === "Enter") {
      const service = at(picked);
      if (service) go({ view: "services", service: service.name });
    }
  };
  const drawn = Array.from({ length: rows.count }, (_, index) => rows.first + index);
  return (
    <section class="card fill" aria-label="Services">
      <div class="toolbar">
        <input
          type="search"
          id="search"
          placeholder="Search: address, port, scheduler  ( / )"
          aria-label="Search services"
          value={search}
          onInput={(event) => {
            setSearch(event.currentTarget.value);
            rewind();
          }}
        />
        <select
          aria-label="State"
          value={state}
          onChange={(event) => {
            setState(event.currentTarget.value);
            rewind();
          }}
        >
          {STATES.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
        <span class="dim num" role="status">
          {answer &&
            (found === answer.value.totals.services
              ? `${count(found)} services`
              : `${count(found)} of ${count(answer.value.totals.services)}`)}
        </span>
        {allowed && (
          <button type="button" class="primary" onClick={() => change({ kind: "add-service" })}>
            Add service
          </button>
        )}
      </div>
      <div
        class="grid services"
        role="grid"
        aria-label="Services"
        aria-rowcount={found + 1}
        tabIndex={0}
        ref={box}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        onKeyDown={keys}
      >
        <div class="row head" role="row" aria-rowindex={1}>
          {COLUMNS.map((column) => (
            <div
              key={column.key}
              role="columnheader"
              class={`cell c-${column.key}${column.number ? " num" : ""}`}
              aria-sort={sort?.key !== column.key ? "none" : sort.descending ? "descending" : "ascending"}
            >
              <button type="button" onClick={() => order(column)}>
                {column.name}
                <span aria-hidden="true">{sort?.key !== column.key ? "" : sort.descending ? " ↓" : " ↑"}</span>
              </button>
            </div>
          ))}
          <div role="columnheader" class="cell c-history">
            Last minute
          </div>
        </div>
        {answer && found === 0 && (
          <Empty title={search || state ? "No service fits" : "There are no services yet"}>
            {search || state ? "Search for less." : "Set them in ulvs.toml, by ipvsadm, keepalived or ulvsctl."}
          </Empty>
        )}
        <svg class="strut" width="1" height={Math.max(0, rows.height)} aria-hidden="true" />
        <div class="rows" ref={(element) => void (element && (element.style.top = `${rows.above + ROW}px`))}>
          {drawn.map((index) => (
            <Row key={index} index={index} service={at(index)} picked={index === picked} />
          ))}
        </div>
      </div>
    </section>
  );
}

function Row({ index, service, picked }: { index: number; service: Service | undefined; picked: boolean }) {
  if (!service) return <div class="row waiting" role="row" aria-rowindex={index + 2} aria-busy="true" />;
  const { rates } = service;
  return (
    <div
      class={picked ? "row picked" : "row"}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={picked}
      onClick={() => go({ view: "services", service: service.name })}
    >
      <span role="gridcell" class="cell c-state">
        <State of={service.state} />
      </span>
      <span role="gridcell" class="cell c-name">
        <a tabIndex={-1} href={hashOf({ view: "services", service: service.name })}>
          {service.name}
        </a>
        {service.edited && <span title="not as the file says">*</span>}
      </span>
      <span role="gridcell" class="cell c-scheduler">
        {service.scheduler}
      </span>
      <span role="gridcell" class="cell c-real_servers num">
        {service.usable === service.size ? service.size : `${service.usable} of ${service.size}`}
      </span>
      <span role="gridcell" class="cell c-active num">
        {scaled(service.active_connections)}
      </span>
      <span role="gridcell" class="cell c-connections num">
        {rate(rates?.connections)}
      </span>
      <span role="gridcell" class="cell c-packets num">
        {rate(rates && rates.packets_in + rates.packets_out, "pps")}
      </span>
      <span role="gridcell" class="cell c-bytes num">
        {bits(rates && rates.bytes_in + rates.bytes_out)}
      </span>
      <span role="gridcell" class="cell c-history">
        <Sparkline
          values={service.history}
          points={Math.min(60, Math.max(15, service.history.length))}
          label="packets per second in the last minute"
        />
      </span>
    </div>
  );
}
