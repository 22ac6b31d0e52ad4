// Connections: searched by ulvsd, a page at a time.

import { useEffect, useState } from "preact/hooks";
import { ask, target, type Connection, type ConnectionPage } from "../api";
import { count, span } from "../format";
import { sentence } from "../live";
import { Empty } from "../parts/small";

const PAGE = 100;
/** Pages without a hit that are asked for in a row: a search looks at a part of the table with each. */
const TRIES = 50;

const FIELDS = [
  { key: "client", label: "Client", placeholder: "Client: 10.0.0.0/8  ( / )" },
  { key: "service", label: "Virtual address", placeholder: "Virtual address: 192.0.2.100:80" },
  { key: "real", label: "Real server", placeholder: "Real server: 10.0.0.11" },
  { key: "state", label: "State", placeholder: "State: SYN_RECV" },
] as const;

type Filter = Partial<Record<(typeof FIELDS)[number]["key"], string>>;

/** The connections that fit from a place in the table on, until a page is full or the table's end is reached. */
async function search(
  filter: Filter,
  cursor: number | undefined,
  signal: AbortSignal,
): Promise<ConnectionPage> {
  const connections: Connection[] = [];
  let from = cursor;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const query = { ...filter, limit: PAGE - connections.length, cursor: from };
    const page = await ask<ConnectionPage>(target("/v1/conns", query), signal);
    connections.push(...page.connections);
    if (page.next_cursor === null || connections.length >= PAGE) return { connections, next_cursor: page.next_cursor };
    from = page.next_cursor;
  }
  return { connections, next_cursor: from ?? null };
}

export function Connections() {
  const [filter, setFilter] = useState<Filter>({});
  const [cursors, setCursors] = useState<number[]>([]);
  const [page, setPage] = useState<ConnectionPage>();
  const [trouble, setTrouble] = useState("");
  const [asked, setAsked] = useState(0);
  const cursor = cursors.at(-1);
  useEffect(() => {
    const abort = new AbortController();
    // Typing is not finished at each letter.
    const timer = setTimeout(() => {
      search(filter, cursor, abort.signal).then(
        (answer) => {
          setTrouble("");
          setPage(answer);
        },
        (error: unknown) => !abort.signal.aborted && setTrouble(sentence(error)),
      );
    }, 250);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [filter, cursor, asked]);
  const next = page?.next_cursor ?? null;
  const isFiltered = Object.values(filter).some((value) => value !== "");
  return (
    <section class="card fill" aria-label="Connections">
      <div class="toolbar">
        {FIELDS.map(({ key, label, placeholder }, index) => (
          <input
            key={key}
            type="search"
            id={index === 0 ? "search" : undefined}
            class="filter"
            aria-label={label}
            placeholder={placeholder}
            spellcheck={false}
            value={filter[key] ?? ""}
            onInput={(event) => {
              const value = event.currentTarget.value.trim();
              setFilter({ ...filter, [key]: key === "state" ? value.toUpperCase() : value });
              setCursors([]);
            }}
          />
        ))}
        <button type="button" onClick={() => (cursors.length > 0 ? setCursors([]) : setAsked(asked + 1))}>
          {cursors.length > 0 ? "From the beginning" : "Again"}
        </button>
        <nav class="pager" aria-label="Pages">
          <button
            type="button"
            disabled={cursors.length === 0}
            aria-label="Page before"
            onClick={() => setCursors(cursors.slice(0, -1))}
          >
            ‹
          </button>
          <span class="num">page {count(cursors.length + 1)}</span>
          <button
            type="button"
            disabled={next === null}
            aria-label="Next page"
            onClick={() => next !== null && setCursors([...cursors, next])}
          >
            ›
          </button>
        </nav>
        <span class="dim num" role="status">
          {page && `${count(page.connections.length)} shown`}
        </span>
      </div>
      {trouble && <p class="wrong pad">{trouble}</p>}
      {!trouble && page?.connections.length === 0 && (
        <Empty title={isFiltered ? "No connection fits" : "There are no connections"} />
      )}
      {page && page.connections.length > 0 && (
        <div class="scroll tall" tabIndex={0} role="region" aria-label="Connections">
          <table>
            <thead>
              <tr>
                <th>Protocol</th>
                <th>State</th>
                <th>Client</th>
                <th>Virtual address</th>
                <th>Real server</th>
                <th>Method</th>
                <th class="num">Expires</th>
              </tr>
            </thead>
            <tbody>
              {page.connections.map((one) => (
                <tr key={`${one.protocol} ${one.client} ${one.virtual}`}>
                  <td>{one.protocol}</td>
                  <td>{one.state}</td>
                  <td class="name">{one.client}</td>
                  <td class="name">{one.virtual}</td>
                  <td class="name">{one.real_server}</td>
                  <td>{one.method}</td>
                  <td class="num">{span(one.expires_seconds)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
