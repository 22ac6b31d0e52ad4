// The workers' load, and the ports.

import { useMemo } from "preact/hooks";
import { count, micros, percent, rate, scaled } from "../format";
import { quantile, type Watched } from "../joined";
import { Chart } from "../parts/chart";
import { Bar, Card } from "../parts/small";

export function Workers({ live }: { live: Watched }) {
  const { status, samples } = live;
  const last = samples.at(-1);
  const times = useMemo(() => samples.map((one) => one.at / 1000), [samples]);
  const busy = useMemo(
    () =>
      status.workers.map((worker) => ({
        label: `worker ${worker.id}`,
        values: samples.map((one) => (one.workers[worker.id]?.busy ?? 0) * 100),
      })),
    [samples],
  );
  const packets = useMemo(
    () =>
      status.workers.map((worker) => ({
        label: `worker ${worker.id}`,
        values: samples.map((one) => one.workers[worker.id]?.packets_in ?? 0),
      })),
    [samples],
  );
  return (
    <>
      <div class="columns even">
        <Card title="Busy">
          <Chart
            times={times}
            lines={busy}
            show={(value) => `${value.toFixed(0)}\u202f%`}
            label="Share of time in rounds that found packets"
            height={180}
            most={100}
          />
        </Card>
        <Card title="Packets received">
          <Chart
            times={times}
            lines={packets}
            show={(value) => scaled(value, "pps")}
            label="Packets received by each worker"
            height={180}
          />
        </Card>
      </div>
      <Card title="Workers" wide aside={<span class="dim">busy: the share of time in rounds that found packets</span>}>
        <div class="scroll" tabIndex={0} role="region" aria-label="Workers">
          <table>
            <thead>
              <tr>
                <th class="num">Worker</th>
                <th class="num">Core</th>
                <th>Busy</th>
                <th class="num" />
                <th class="num">Received</th>
                <th class="num">Forwarded</th>
                <th class="num">Dropped</th>
                <th class="num">To the kernel</th>
                <th class="num">Round 99.9 %</th>
                <th class="num">Longest</th>
                <th class="num">Snapshot</th>
              </tr>
            </thead>
            <tbody>
              {status.workers.map((worker) => {
                const load = last?.workers[worker.id];
                const { passes, longest_us } = worker.pass_times;
                return (
                  <tr key={worker.id}>
                    <td class="num">{worker.id}</td>
                    <td class="num">{worker.core}</td>
                    <td class="bar-cell">
                      <Bar share={load?.busy ?? 0} label={`busy ${percent(load?.busy ?? 0)}`} />
                    </td>
                    <td class="num">{percent(load?.busy ?? 0)}</td>
                    <td class="num">{rate(load?.packets_in, "pps")}</td>
                    <td class="num">{rate(load?.forwarded, "pps")}</td>
                    <td class="num">{rate(load?.dropped, "pps")}</td>
                    <td class="num">{scaled(worker.punted)}</td>
                    <td class="num">{micros(quantile(passes, 0.999, longest_us))}</td>
                    <td class="num">{micros(longest_us)}</td>
                    <td class="num">{count(worker.generation)}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      </Card>
      <Card title="Ports" wide>
        <div class="scroll" tabIndex={0} role="region" aria-label="Ports">
          <table>
            <thead>
              <tr>
                <th>Port</th>
                <th>Link</th>
                <th>Twin</th>
                <th>MAC</th>
                <th class="num">MTU</th>
                <th class="num">Received</th>
                <th class="num">Missed</th>
                <th class="num">No buffer</th>
                <th class="num">Sent</th>
                <th class="num">Not sent</th>
                <th>Driver</th>
              </tr>
            </thead>
            <tbody>
              {status.ports.map((port) => (
                <tr key={port.name}>
                  <td>{port.name}</td>
                  <td>
                    <span class={`state tone-${port.link_up ? "good" : "bad"}`}>
                      <span class="dot" aria-hidden="true" />
                      {!port.link_up
                        ? "down"
                        : port.speed_mbps
                          ? `up, ${scaled(port.speed_mbps * 1e6, "bit/s")}`
                          : "up"}
                    </span>
                  </td>
                  <td>{port.tap ?? "–"}</td>
                  <td class="name">{port.mac}</td>
                  <td class="num">{port.mtu}</td>
                  <td class="num">{scaled(port.rx_packets)}</td>
                  <td class="num">{scaled(port.rx_missed)}</td>
                  <td class="num">{scaled(port.rx_no_mbuf)}</td>
                  <td class="num">{scaled(port.tx_packets)}</td>
                  <td class="num">{scaled(port.tx_dropped)}</td>
                  <td title={port.device}>{port.driver}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Card>
    </>
  );
}
