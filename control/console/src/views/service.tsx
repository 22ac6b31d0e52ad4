// One service with its real servers.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { target, type Check, type RealServer, type Service, type Services } from "../api";
import { useAccess } from "../access";
import { bits, count, rate, scaled, span } from "../format";
import { useAsked } from "../live";
import type { Wanted } from "../parts/changes";
import { Chart } from "../parts/chart";
import { Card, Empty, Fact, Sparkline, State } from "../parts/small";
import { way, weight } from "./overview";

/** Seconds that are drawn. */
const KEPT = 300;

interface Point {
  at: number;
  rates: Service["rates"];
  servers: Map<string, number>;
}

export function ServiceView({ name, change }: { name: string; change: (wanted: Wanted) => void }) {
  const answer = useAsked<Services>(target("/v1/live/services", { name, real_servers: true, count: 1 }));
  const service = answer?.services[0];
  const points = usePoints(answer);
  const checks = useAsked<Check[]>(service?.live.some((server) => server.state === "down") ? "/v1/checks" : null, 5000);
  const { allowed } = useAccess();
  if (!answer) return <p class="dim pad">Asking ulvsd…</p>;
  if (!service) {
    return (
      <Empty title={`There is no service ${name}`}>
        It may have been removed. <a href="#/services">All services</a>
      </Empty>
    );
  }
  return (
    <>
      <div class="title">
        <a class="back" href="#/services" aria-label="All services">
          ‹
        </a>
        <h1>{service.name}</h1>
        <State of={service.state} />
        {allowed && (
          <div class="actions">
            <button type="button" onClick={() => change({ kind: "add-server", service })}>
              Add real server
            </button>
            <button type="button" onClick={() => change({ kind: "scheduler", service })}>
              Scheduler
            </button>
            <button type="button" class="danger" onClick={() => change({ kind: "remove-service", service })}>
              Remove
            </button>
          </div>
        )}
      </div>
      <dl class="facts">
        <Fact name="Scheduler">{[service.scheduler, ...service.flags].join(", ")}</Fact>
        <Fact name="Persistence">{service.persistence ? span(service.persistence) : "none"}</Fact>
        <Fact name="Set by">{service.owner + (service.edited ? ", edited since" : "")}</Fact>
        <Fact name="New connections">{rate(service.rates?.connections)}</Fact>
        <Fact name="Packets">
          in {rate(service.rates?.packets_in, "pps")}, out {rate(service.rates?.packets_out, "pps")}
        </Fact>
        <Fact name="Traffic">
          in {bits(service.rates?.bytes_in)}, out {bits(service.rates?.bytes_out)}
        </Fact>
        <Fact name="Connections">
          {count(service.active_connections)} active, {count(service.inactive_connections)} inactive
        </Fact>
      </dl>
      <Rates points={points} />
      <Card
        title="Real servers"
        wide
        aside={
          <span class="dim num">
            {service.usable} of {service.size} get new connections
          </span>
        }
      >
        {service.live.length === 0 ? (
          <Empty title="It has no real servers">Its packets are refused.</Empty>
        ) : (
          <div class="scroll" tabIndex={0} role="region" aria-label="Real servers">
            <table>
              <thead>
                <tr>
                  <th>State</th>
                  <th>Real server</th>
                  <th>Method</th>
                  <th class="num">Weight</th>
                  <th class="num">Active</th>
                  <th class="num">Inactive</th>
                  <th class="num">New conns</th>
                  <th class="num">Packets</th>
                  <th class="num">Traffic</th>
                  <th>While you watch</th>
                  <th>Set by</th>
                  {allowed && <th>Change</th>}
                </tr>
              </thead>
              <tbody>
                {service.live.map((server) => (
                  <Server
                    key={server.address}
                    service={service}
                    server={server}
                    history={points.map((point) => point.servers.get(server.address) ?? 0)}
                    why={why(checks, service, server)}
                    change={allowed ? change : undefined}
                  />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Card>
    </>
  );
}

interface ServerProps {
  service: Service;
  server: RealServer;
  history: number[];
  why: string | undefined;
  change: ((wanted: Wanted) => void) | undefined;
}

function Server({ service, server, history, why: reason, change }: ServerProps) {
  const { rates } = server;
  const drained = server.drain !== "no";
  const left = server.removal === undefined ? undefined : server.removal - Date.now() / 1000;
  return (
    <tr>
      <td>
        <State of={server.state} />
        {server.drain === "quiescent" && left !== undefined && <div class="dim">out within {span(left)}</div>}
        {reason && <div class="why">{reason}</div>}
      </td>
      <td class="name">
        {server.address}
        {server.edited && <span title="not as the file says">*</span>}
      </td>
      <td>{way(server)}</td>
      <td class="num">{weight(server)}</td>
      <td class="num">{count(server.active_connections)}</td>
      <td class="num">{count(server.inactive_connections)}</td>
      <td class="num">{rate(rates?.connections)}</td>
      <td class="num">{rate(rates && rates.packets_in + rates.packets_out, "pps")}</td>
      <td class="num">{bits(rates && rates.bytes_in + rates.bytes_out)}</td>
      <td>
        <Sparkline
          values={history.slice(-60)}
          points={Math.min(60, Math.max(15, history.length))}
          label={`packets per second of ${server.address}`}
        />
      </td>
      <td>{server.owner}</td>
      {change && (
        <td class="changes">
          <button
            type="button"
            aria-label={`Weight of ${server.address}`}
            onClick={() => change({ kind: "weight", service, server })}
          >
            Weight
          </button>
          <button
            type="button"
            aria-label={`${drained ? "End draining" : "Drain"} ${server.address}`}
            onClick={() => change({ kind: drained ? "undrain" : "drain", service, server })}
          >
            {drained ? "End drain" : "Drain"}
          </button>
          <button
            type="button"
            class="danger"
            aria-label={`Remove ${server.address}`}
            onClick={() => change({ kind: "remove-server", service, server })}
          >
            Remove
          </button>
        </td>
      )}
    </tr>
  );
}

function why(checks: Check[] | undefined, service: Service, server: RealServer): string | undefined {
  if (server.state !== "down") return undefined;
  const host = (address: string) => address.slice(0, address.lastIndexOf(":"));
  const failed = checks?.find(
    (check) => !check.up && check.services.includes(service.name) && host(check.address) === host(server.address),
  );
  return failed ? `${failed.check}: ${failed.reason ?? "failed"}` : undefined;
}

function Rates({ points }: { points: Point[] }) {
  const times = useMemo(() => points.map((point) => point.at / 1000), [points]);
  const packets = useMemo(
    () => [
      { label: "from clients", values: points.map((point) => point.rates?.packets_in ?? null) },
      { label: "to clients", values: points.map((point) => point.rates?.packets_out ?? null) },
    ],
    [points],
  );
  const connections = useMemo(
    () => [{ label: "new connections", values: points.map((point) => point.rates?.connections ?? null) }],
    [points],
  );
  return (
    <div class="columns even">
      <Card title="Packets">
        <Chart
          times={times}
          lines={packets}
          show={(value) => scaled(value, "pps")}
          label="Packets while you watch"
          height={150}
          filled
        />
      </Card>
      <Card title="New connections">
        <Chart
          times={times}
          lines={connections}
          show={(value) => scaled(value, "/s")}
          label="New connections while you watch"
          height={150}
          filled
        />
      </Card>
    </div>
  );
}

/** What was seen of the service while it is looked at. */
function usePoints(answer: Services | undefined): Point[] {
  const [points, setPoints] = useState<Point[]>([]);
  const name = useRef<string | undefined>(undefined);
  useEffect(() => {
    const service = answer?.services[0];
    if (!answer || !service) return;
    const packets = (server: RealServer) => (server.rates ? server.rates.packets_in + server.rates.packets_out : 0);
    const point = {
      at: answer.at,
      rates: service.rates,
      servers: new Map(service.live.map((server) => [server.address, packets(server)])),
    };
    const isOther = name.current !== service.name;
    name.current = service.name;
    setPoints((before) => {
      if (isOther) return [point];
      return before.at(-1)?.at === point.at ? before : [...before, point].slice(-KEPT);
    });
  }, [answer]);
  return points;
}
