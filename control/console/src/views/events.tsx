// What has changed, the newest first.

import { useRef, useState } from "preact/hooks";
import { ask, target, type Event } from "../api";
import { count, moment } from "../format";
import { merged } from "../joined";
import { usePoll } from "../live";
import { Empty, State } from "../parts/small";

export function Events() {
  const [events, setEvents] = useState<Event[]>();
  const [kind, setKind] = useState("");
  const [search, setSearch] = useState("");
  const known = useRef<Event[]>([]);
  usePoll(async (signal) => {
    const ask_after = (after: number) =>
      ask<{ events: Event[]; total: number }>(target("/v1/events", { after }), signal);
    const last = known.current.at(-1)?.number ?? 0;
    let page = await ask_after(last);
    if (page.total < last) {
      known.current = [];
      page = await ask_after(0);
    }
    if (signal.aborted) return;
    known.current = merged(known.current, page.events, page.total);
    setEvents(known.current);
  }, []);
  const wanted = search.toLowerCase();
  const shown = events
    ?.filter((event) => (kind === "" || event.kind === kind) && event.message.toLowerCase().includes(wanted))
    .reverse();
  return (
    <section class="card fill" aria-label="Events">
      <div class="toolbar">
        <input
          type="search"
          id="search"
          placeholder="Search  ( / )"
          aria-label="Search events"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <select aria-label="Kind" value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          <option value="">all kinds</option>
          <option value="services">services</option>
          <option value="health">health</option>
          <option value="port">ports</option>
          <option value="director">director</option>
        </select>
        <span class="dim num" role="status">
          {shown && `${count(shown.length)} shown`}
        </span>
      </div>
      {shown?.length === 0 && <Empty title={events?.length ? "No event fits" : "Nothing has changed yet"} />}
      {shown && shown.length > 0 && (
        <ol class="events" tabIndex={0} aria-label="Events, the newest first">
          {shown.slice(0, 300).map((event) => (
            <li key={event.number}>
              <time class="num" dateTime={new Date(event.at).toISOString()}>
                {moment(event.at)}
              </time>
              <State of={event.severity} />
              <span class="dim">{event.kind}</span>
              <span class="message">{event.message}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
