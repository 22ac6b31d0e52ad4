// Connections, a page at a time.

import { useEffect, useState } from "preact/hooks";
import { ask, target, type ConnectionPage } from "../api";
import { count, span } from "../format";
import { sentence } from "../live";
import { Empty } from "../parts/small";

const PAGE = 100;

export function Connections() {
  const [cursors, setCursors] = useState<number[]>([]);
  const [page, setPage] = useState<ConnectionPage>();
  const [trouble, setTrouble] = useState("");
  const [asked, setAsked] = useState(0);
  const cursor = cursors.at(-1);
  useEffect(() => {
    const abort = new AbortController();
    ask<ConnectionPage>(target("/v1/conns", { limit: PAGE, cursor }), abort.signal).then(
      (answer) => {
        setTrouble("");
        setPage(answer);
      },
      (error: unknown) => !abort.signal.aborted && setTrouble(sentence(error)),
    );
    return () => abort.abort();
  }, [cursor, asked]);
  const next = page?.next_cursor ?? null;
  return (
    <section class="card fill" aria-label="Connections">
      <div class="toolbar">
        <button type="button" onClick={() => (cursors.length > 0 ? setCursors([]) : setAsked(asked + 1))}>
          From the beginning
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
      {page?.connections.length === 0 && <Empty title="There are no connections" />}
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
