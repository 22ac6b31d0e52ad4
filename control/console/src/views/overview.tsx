// The director at a glance: totals, rates over time, and which services lead to which real servers.

import { useMemo, useState } from "preact/hooks";
import { target, type RealServer, type Service, type Services, type Totals } from "../api";
import { bits, count, counted, percent, rate, scaled } from "../format";
import type { Watched } from "../joined";
import { useAsked } from "../live";
import { Chart } from "../parts/chart";
import { Bar, Card, Empty, Sparkline, State, tone } from "../parts/small";
import { hashOf } from "../place";

/** Services in the drawing. */
const SHOWN = 8;
/** Real servers of each. */
const EACH = 6;

export function Overview({ live }: { live: Watched }) {
  const [page, setPage] = useState(0);
  const path = target("/v1/live/services", {
    sort: "packets",
    descending: true,
    real_servers: true,
    count: SHOWN,
    from: page * SHOWN,
  });
  const services = useAsked<Services>(path);
  return (
    <>
      <Tiles live={live} totals={services?.totals} />
      <div class="columns">
        <Traffic live={live} />
        <WorkerLoad live={live} />
      </div>
      <Card
        wide
        title="Topology"
        aside={
          services &&
          services.found > SHOWN && (
            <nav class="pager" aria-label="Services in the drawing">
              <button
                type="button"
                disabled={page === 0}
                onClick={() => setPage(page - 1)}
                aria-label="Busier services"
              >
                ‹
              </button>
              <span class="num">
                {count(page * SHOWN + 1)}–{count(Math.min((page + 1) * SHOWN, services.found))} of{" "}
                {count(services.found)}, busiest first
              </span>
              <button
                type="button"
                disabled={(page + 1) * SHOWN >= services.found}
                onClick={() => setPage(page + 1)}
                aria-label="Quieter services"
              >
                ›
              </button>
            </nav>
          )
        }
      >
        {services ? <Topology services={services.services} /> : <p class="dim pad">Asking ulvsd…</p>}
      </Card>
    </>
  );
}

function Tiles({ live, totals }: { live: Watched; totals: Totals | undefined }) {
  const { samples, status } = live;
  const last = samples.at(-1);
  const recent = samples.slice(-60);
  const dropped = last?.drops.reduce((sum, [, value]) => sum + value, 0);
  const problems = totals ? totals.down + totals.degraded + totals.empty : 0;
  const share = status.connections.capacity > 0 ? status.connections.live / status.connections.capacity : 0;
  return (
    <div class="tiles">
      <Tile
        name="Packets"
        value={rate(last && last.rates.packets_in + last.rates.packets_out, "pps")}
        values={recent.map((one) => one.rates.packets_in + one.rates.packets_out)}
      >
        in {rate(last?.rates.packets_in, "pps")}, out {rate(last?.rates.packets_out, "pps")}
      </Tile>
      <Tile
        name="Traffic"
        value={bits(last && last.rates.bytes_in + last.rates.bytes_out)}
        values={recent.map((one) => one.rates.bytes_in + one.rates.bytes_out)}
      >
        in {bits(last?.rates.bytes_in)}, out {bits(last?.rates.bytes_out)}
      </Tile>
      <Tile
        name="New connections"
        value={rate(last?.rates.connections)}
        values={recent.map((one) => one.rates.connections)}
      >
        since the start {scaled(status.workers.reduce((sum, one) => sum + one.connections, 0))}
      </Tile>
      <Tile name="Connections" value={scaled(status.connections.live)} values={recent.map((one) => one.connections)}>
        {percent(share)} of {scaled(status.connections.capacity)}
      </Tile>
      <Tile
        name="Dropped"
        value={rate(dropped, "pps")}
        values={recent.map((one) => one.drops.reduce((sum, [, value]) => sum + value, 0))}
      >
        to the kernel {rate(last?.punted, "pps")}
      </Tile>
      <Tile
        name="Services"
        value={totals ? count(totals.services) : "–"}
        tone={!totals ? "idle" : totals.down > 0 ? "bad" : problems > 0 ? "warn" : "good"}
      >
        {!totals
          ? ""
          : problems === 0
            ? `all up, ${counted(totals.real_servers, "real server")}`
            : `${count(totals.down)} down, ${count(totals.degraded)} degraded, ${count(totals.empty)} empty`}
      </Tile>
    </div>
  );
}

interface TileProps {
  name: string;
  value: string;
  values?: number[];
  tone?: string;
  children: preact.ComponentChildren;
}

function Tile({ name, value, values, tone: heat, children }: TileProps) {
  return (
    <section class={heat ? `tile tone-${heat}` : "tile"} aria-label={name}>
      <h2>{name}</h2>
      <p class="tile-value num">{value}</p>
      <p class="tile-more num">{children}</p>
      {values && <Sparkline values={values} label={`${name} in the last minute`} />}
    </section>
  );
}

function Traffic({ live }: { live: Watched }) {
  const { samples } = live;
  const times = useMemo(() => samples.map((one) => one.at / 1000), [samples]);
  const lines = useMemo(
    () => [
      { label: "from clients", values: samples.map((one) => one.rates.packets_in) },
      { label: "to clients", values: samples.map((one) => one.rates.packets_out) },
      { label: "new connections", values: samples.map((one) => one.rates.connections) },
    ],
    [samples],
  );
  return (
    <Card title="Packets and new connections">
      <Chart
        times={times}
        lines={lines}
        show={(value) => scaled(value, "/s")}
        label="Rates of the last five minutes"
        height={190}
        filled
      />
    </Card>
  );
}

function WorkerLoad({ live }: { live: Watched }) {
  const last = live.samples.at(-1);
  return (
    <Card title="Workers" aside={<a href="#/workers">more</a>}>
      <ul class="loads">
        {live.status.workers.map((worker) => {
          const load = last?.workers[worker.id];
          return (
            <li key={worker.id}>
              <span>
                worker {worker.id} <span class="dim">core {worker.core}</span>
              </span>
              <Bar share={load?.busy ?? 0} label={`worker ${worker.id} is busy ${percent(load?.busy ?? 0)}`} />
              <span class="num">{percent(load?.busy ?? 0)}</span>
              <span class="num dim">{rate(load?.packets_in, "pps")}</span>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

function Topology({ services }: { services: Service[] }) {
  if (services.length === 0) {
    return (
      <Empty title="There are no services yet">
        Set them in <code>ulvs.toml</code>, by <code>ipvsadm</code>, keepalived or <code>ulvsctl service add</code>.
      </Empty>
    );
  }
  const top = Math.max(...services.flatMap((service) => service.live.map(packets)), 1);
  return (
    <div class="topology">
      {services.map((service) => (
        <Tree key={service.name} service={service} top={top} />
      ))}
    </div>
  );
}

const ROW = 46;

function Tree({ service, top }: { service: Service; top: number }) {
  const shown = service.live.slice(0, service.live.length > EACH ? EACH - 1 : EACH);
  const more = service.live.length - shown.length;
  const rows = Math.max(shown.length + (more > 0 ? 1 : 0), 1);
  return (
    <div class="tree">
      <a
        class={`node node-service tone-${tone(service.state)}`}
        href={hashOf({ view: "services", service: service.name })}
      >
        <span class="node-name">{service.name}</span>
        <span class="node-more num">
          <State of={service.state} /> {service.scheduler} ·{" "}
          {rate(service.rates && service.rates.packets_in + service.rates.packets_out, "pps")}
        </span>
      </a>
      <svg
        class="links"
        viewBox={`0 0 100 ${rows * ROW}`}
        preserveAspectRatio="none"
        height={rows * ROW}
        aria-hidden="true"
      >
        {shown.map((server, index) => (
          <Link
            key={server.address}
            from={(rows * ROW) / 2}
            to={index * ROW + ROW / 2}
            share={packets(server) / top}
            state={server.state}
          />
        ))}
      </svg>
      <ul class="node-servers">
        {shown.map((server) => (
          <li key={server.address} class={`node tone-${tone(server.state)}`}>
            <span class="node-name">{server.address}</span>
            <span class="node-more num">
              <State of={server.state} /> {way(server)} · weight {weight(server)} ·{" "}
              {rate(server.rates && packets(server), "pps")}
            </span>
          </li>
        ))}
        {more > 0 && (
          <li class="node">
            <a href={hashOf({ view: "services", service: service.name })}>and {counted(more, "real server")} more</a>
          </li>
        )}
        {service.live.length === 0 && <li class="node dim">no real servers</li>}
      </ul>
    </div>
  );
}

function Link({ from, to, share, state }: { from: number; to: number; share: number; state: string }) {
  const width = share > 0 ? 1.5 + 9 * Math.sqrt(share) : 1.2;
  const used = state === "up" || state === "overloaded" || share > 0;
  return (
    <path
      class={`link tone-${tone(state)}${used ? "" : " unused"}`}
      d={`M0 ${from} C50 ${from} 50 ${to} 100 ${to}`}
      stroke-width={width}
      vector-effect="non-scaling-stroke"
    />
  );
}

function packets(server: RealServer): number {
  return server.rates ? server.rates.packets_in + server.rates.packets_out : 0;
}

/** How packets get there, in ipvsadm's words: `nat`, `tun`, `tun gue 6080 csum`. */
export function way(server: RealServer): string {
  if (server.tun_type === undefined || server.tun_type === "ipip") return server.method;
  const checksum = server.tun_checksum === "nocsum" ? undefined : server.tun_checksum;
  return [server.method, server.tun_type, server.tun_port, checksum].filter((word) => word !== undefined).join(" ");
}

/** `4`, or `0 of 4` while something keeps it from what was set. */
export function weight(server: RealServer): string {
  return server.weight === server.configured_weight
    ? `${server.weight}`
    : `${server.weight} of ${server.configured_weight}`;
}
