// What is not forwarded, and why.

import { useMemo } from "preact/hooks";
import type { Reason } from "../api";
import { rate, scaled } from "../format";
import { worst, type Watched } from "../joined";
import { Chart, COLOURS } from "../parts/chart";
import { Card, Empty } from "../parts/small";

export function Drops({ live }: { live: Watched }) {
  const { samples, status } = live;
  const times = useMemo(() => samples.map((one) => one.at / 1000), [samples]);
  const reasons = worst(samples, COLOURS);
  const lines = useMemo(() => {
    return reasons.map((reason) => ({
      label: reason,
      values: samples.map((one) => one.drops.find(([name]) => name === reason)?.[1] ?? 0),
    }));
  }, [samples]);
  const now = new Map(samples.at(-1)?.drops ?? []);
  return (
    <>
      <Card title="Dropped packets by reason" wide>
        {lines.length === 0 ? (
          <Empty title="Nothing was dropped in the last five minutes" />
        ) : (
          <Chart
            times={times}
            lines={lines}
            show={(value) => scaled(value, "pps")}
            label="Dropped packets by reason"
            height={220}
          />
        )}
      </Card>
      <Reasons
        title="Dropped since the start"
        of={status.drops}
        now={now}
        none="Nothing was dropped since ulvsd was started"
      />
      <Reasons
        title="Given to the kernel since the start"
        of={status.punts}
        none="Nothing was given to the kernel since ulvsd was started"
      />
    </>
  );
}

function Reasons({ title, of, now, none }: { title: string; of: Reason[]; now?: Map<string, number>; none: string }) {
  const happened = of.filter((one) => one.count > 0).sort((one, other) => other.count - one.count);
  return (
    <Card title={title} wide>
      {happened.length === 0 ? (
        <Empty title={none} />
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label={title}>
          <table>
            <thead>
              <tr>
                <th>Reason</th>
                {now && <th class="num">Now</th>}
                <th class="num">Packets</th>
                <th>Meaning</th>
              </tr>
            </thead>
            <tbody>
              {happened.map((one) => (
                <tr key={one.reason}>
                  <td class="name">{one.reason}</td>
                  {now && <td class="num">{rate(now.get(one.reason) ?? 0, "pps")}</td>}
                  <td class="num">{scaled(one.count)}</td>
                  <td class="long">{one.description}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}
