// The changes there are, a dialog each.

import { useState } from "preact/hooks";
import { drain, edit, type Edit, type RealServer, type Service } from "../api";
import { seconds } from "../diff";
import { counted, span } from "../format";
import { Change, Field } from "./dialog";
import { TunnelFields, tunnelOf, tunnelSaid } from "./tunnel";

export const SCHEDULERS = [
  "rr",
  "wrr",
  "lc",
  "wlc",
  "lblc",
  "lblcr",
  "dh",
  "sh",
  "sed",
  "nq",
  "fo",
  "ovf",
  "mh",
  "twos",
  "none",
];
const METHODS = [
  ["nat", "NAT: addresses are rewritten, replies come by the director"],
  ["dr", "DR: real servers answer by themselves, on the same link"],
  ["tun", "TUN: the same through a tunnel"],
] as const;

export type Wanted =
  | { kind: "weight"; service: Service; server: RealServer }
  | { kind: "drain"; service: Service; server: RealServer }
  | { kind: "undrain"; service: Service; server: RealServer }
  | { kind: "remove-server"; service: Service; server: RealServer }
  | { kind: "add-server"; service: Service }
  | { kind: "scheduler"; service: Service }
  | { kind: "remove-service"; service: Service }
  | { kind: "add-service" };

interface Props {
  wanted: Wanted;
  close: () => void;
  done: (lines: string[]) => void;
}

export function Changes({ wanted, ...rest }: Props) {
  switch (wanted.kind) {
    case "weight":
      return <Weight {...wanted} {...rest} />;
    case "drain":
      return <Drain {...wanted} {...rest} />;
    case "undrain":
      return (
        <Change
          title={`End draining ${wanted.server.address}`}
          action="End draining"
          wish="undrain"
          make={(dryRun) => drain(wanted.service, wanted.server, { drain: "no" }, dryRun)}
          {...rest}
        />
      );
    case "remove-server": {
      const edits = [{ remove_real_server: { service: wanted.service.name, real_server: wanted.server.address } }];
      return (
        <Plain title={`Remove ${wanted.server.address}`} action="Remove" edits={edits} {...rest}>
          {cut(wanted.server.active_connections)}
        </Plain>
      );
    }
    case "remove-service":
      return (
        <Plain
          title={`Remove ${wanted.service.name}`}
          action="Remove"
          edits={[{ remove_service: { service: wanted.service.name } }]}
          {...rest}
        >
          {cut(wanted.service.active_connections)}
        </Plain>
      );
    case "add-server":
      return <AddServer {...wanted} {...rest} />;
    case "scheduler":
      return <Scheduler {...wanted} {...rest} />;
    case "add-service":
      return <AddService {...rest} />;
  }
}

type Rest = Omit<Props, "wanted">;

function cut(active: number): string {
  return active === 0
    ? "It has no active connections."
    : `Packets of ${counted(active, "active connection")} are no longer forwarded. To let them end first, drain instead.`;
}

function Plain({
  title,
  action,
  edits,
  children,
  ...rest
}: Rest & { title: string; action: string; edits: Edit[]; children: string }) {
  return (
    <Change
      title={title}
      action={action}
      danger
      wish={JSON.stringify(edits)}
      make={(dryRun) => edit(edits, dryRun)}
      {...rest}
    >
      <p class="note">{children}</p>
    </Change>
  );
}

function Weight({ service, server, ...rest }: Rest & { service: Service; server: RealServer }) {
  const [weight, setWeight] = useState(String(server.configured_weight));
  const number = /^\d{1,9}$/.test(weight.trim()) ? Number(weight) : null;
  const edits = [{ edit_real_server: { service: service.name, real_server: server.address, weight: number ?? 0 } }];
  return (
    <Change
      title={`Weight of ${server.address}`}
      action="Set weight"
      wish={number === null ? null : `${number}`}
      make={(dryRun) => edit(edits, dryRun)}
      {...rest}
    >
      <Field label="Weight" hint="Its share of new connections, in proportion to the others'. 0: none.">
        <input
          type="number"
          min="0"
          max="2147483647"
          value={weight}
          autofocus
          onInput={(event) => setWeight(event.currentTarget.value)}
        />
      </Field>
    </Change>
  );
}

function Drain({ service, server, ...rest }: Rest & { service: Service; server: RealServer }) {
  const [remove, setRemove] = useState(false);
  const [time, setTime] = useState("5m");
  const limit = seconds(time);
  const wish = !remove ? "drain" : limit === undefined ? null : `drain within ${limit}`;
  const make = (dryRun: boolean) =>
    drain(
      service,
      server,
      { drain: "quiescent", ...(remove && limit !== undefined ? { remove_within: limit } : {}) },
      dryRun,
    );
  const clients =
    server.persistent_clients > 0 ? ` ${counted(server.persistent_clients, "client")} keep it by persistence.` : "";
  return (
    <Change title={`Drain ${server.address}`} action="Drain" wish={wish} make={make} {...rest}>
      <p class="note">
        It keeps its {counted(server.active_connections, "active connection")} and gets no new ones, until draining is
        ended.{clients}
      </p>
      <label class="check">
        <input type="checkbox" checked={remove} onChange={(event) => setRemove(event.currentTarget.checked)} />
        Take it out when it is empty
      </label>
      {remove && (
        <Field
          label="At the latest after"
          hint={
            limit === undefined
              ? "Write a time as 90s, 5m or 1h."
              : `${span(limit)}; connections that are left then are cut.`
          }
        >
          <input value={time} onInput={(event) => setTime(event.currentTarget.value)} />
        </Field>
      )}
    </Change>
  );
}

function AddServer({ service, ...rest }: Rest & { service: Service }) {
  const [address, setAddress] = useState("");
  const [method, setMethod] = useState<string>(service.live.at(-1)?.method ?? "nat");
  const [tunnel, setTunnel] = useState(tunnelOf(service.live.at(-1)));
  const [weight, setWeight] = useState("1");
  const number = /^\d{1,9}$/.test(weight.trim()) ? Number(weight) : null;
  const said = method === "tun" ? tunnelSaid(tunnel) : {};
  const edits = [
    { add_real_server: { service: service.name, real_server: address.trim(), method, ...said, weight: number ?? 0 } },
  ];
  const wish = address.trim() === "" || number === null || said === null ? null : JSON.stringify(edits);
  return (
    <Change
      title={`Add a real server to ${service.name}`}
      action="Add"
      wish={wish}
      make={(dryRun) => edit(edits, dryRun)}
      {...rest}
    >
      <Field label="Address" hint="With its port, or without if that is the service's.">
        <input
          value={address}
          placeholder="10.0.0.11:8080"
          autofocus
          spellcheck={false}
          onInput={(event) => setAddress(event.currentTarget.value)}
        />
      </Field>
      <Field label="Forwarding method">
        <select value={method} onChange={(event) => setMethod(event.currentTarget.value)}>
          {METHODS.map(([name, meaning]) => (
            <option key={name} value={name}>
              {meaning}
            </option>
          ))}
        </select>
      </Field>
      {method === "tun" && <TunnelFields tunnel={tunnel} set={setTunnel} />}
      <Field label="Weight">
        <input
          type="number"
          min="0"
          max="2147483647"
          value={weight}
          onInput={(event) => setWeight(event.currentTarget.value)}
        />
      </Field>
    </Change>
  );
}

function Scheduler({ service, ...rest }: Rest & { service: Service }) {
  const [scheduler, setScheduler] = useState(service.scheduler);
  const edits = [{ edit_service: { service: service.name, scheduler } }];
  return (
    <Change
      title={`Scheduler of ${service.name}`}
      action="Set scheduler"
      wish={scheduler}
      make={(dryRun) => edit(edits, dryRun)}
      {...rest}
    >
      <Field label="Scheduler" hint="Connections that exist keep their real servers.">
        <select value={scheduler} autofocus onChange={(event) => setScheduler(event.currentTarget.value)}>
          {SCHEDULERS.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </Field>
    </Change>
  );
}

function AddService(rest: Rest) {
  const [protocol, setProtocol] = useState("tcp");
  const [address, setAddress] = useState("");
  const [scheduler, setScheduler] = useState("wlc");
  const [persistence, setPersistence] = useState("");
  const number = persistence.trim() === "" ? 0 : seconds(persistence);
  const edits = [
    {
      add_service: { service: `${protocol} ${address.trim()}`, scheduler, ...(number ? { persistence: number } : {}) },
    },
  ];
  const wish = address.trim() === "" || number === undefined ? null : JSON.stringify(edits);
  return (
    <Change title="Add a service" action="Add" wish={wish} make={(dryRun) => edit(edits, dryRun)} {...rest}>
      <Field label="Packets of">
        <select value={protocol} onChange={(event) => setProtocol(event.currentTarget.value)}>
          <option value="tcp">TCP</option>
          <option value="udp">UDP</option>
          <option value="sctp">SCTP</option>
          <option value="mark">a firewall mark</option>
        </select>
      </Field>
      <Field label={protocol === "mark" ? "Mark" : "Virtual address and port"}>
        <input
          value={address}
          placeholder={protocol === "mark" ? "7" : "192.0.2.100:80"}
          autofocus
          spellcheck={false}
          onInput={(event) => setAddress(event.currentTarget.value)}
        />
      </Field>
      <Field label="Scheduler">
        <select value={scheduler} onChange={(event) => setScheduler(event.currentTarget.value)}>
          {SCHEDULERS.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </Field>
      <Field label="Persistence" hint="How long a client keeps its real server, as 5m. Empty: not.">
        <input value={persistence} onInput={(event) => setPersistence(event.currentTarget.value)} />
      </Field>
    </Change>
  );
}
