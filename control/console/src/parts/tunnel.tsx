// The tunnel of a real server of method TUN, in a form.

import type { RealServer } from "../api";
import { Field } from "./dialog";

const TYPES = [
  ["ipip", "IPIP: IP in IP"],
  ["gue", "GUE: in UDP, to a port of the real server"],
  ["gre", "GRE"],
] as const;
const CHECKSUMS: Record<string, readonly (readonly [string, string])[]> = {
  ipip: [],
  gue: [
    ["nocsum", "none"],
    ["csum", "of UDP"],
    ["remcsum", "remote checksum offload"],
  ],
  gre: [
    ["nocsum", "none"],
    ["csum", "of GRE"],
  ],
};

export interface Tunnel {
  type: string;
  port: string;
  checksum: string;
}

/** That of a real server beside it, or IPIP. */
export function tunnelOf(server: RealServer | undefined): Tunnel {
  return {
    type: server?.tun_type ?? "ipip",
    port: String(server?.tun_port ?? 6080),
    checksum: server?.tun_checksum ?? "nocsum",
  };
}

/** As an edit says it; `null`: the port is none. */
export function tunnelSaid({ type, port, checksum }: Tunnel) {
  if (type === "ipip") return { tun_type: type };
  const tun_checksum = CHECKSUMS[type]?.some(([name]) => name === checksum) ? checksum : "nocsum";
  if (type !== "gue") return { tun_type: type, tun_checksum };
  const number = /^\d{1,5}$/.test(port.trim()) ? Number(port) : 0;
  return number > 0 && number < 65536 ? { tun_type: type, tun_port: number, tun_checksum } : null;
}

export function TunnelFields({ tunnel, set }: { tunnel: Tunnel; set: (tunnel: Tunnel) => void }) {
  const checksums = CHECKSUMS[tunnel.type] ?? [];
  return (
    <>
      <Field label="Type of tunnel">
        <select value={tunnel.type} onChange={(event) => set({ ...tunnel, type: event.currentTarget.value })}>
          {TYPES.map(([name, meaning]) => (
            <option key={name} value={name}>
              {meaning}
            </option>
          ))}
        </select>
      </Field>
      {tunnel.type === "gue" && (
        <Field label="UDP port of the tunnel" hint="The one that the real server takes GUE at.">
          <input
            type="number"
            min="1"
            max="65535"
            value={tunnel.port}
            onInput={(event) => set({ ...tunnel, port: event.currentTarget.value })}
          />
        </Field>
      )}
      {checksums.length > 0 && (
        <Field label="Checksum of the tunnel">
          <select value={tunnel.checksum} onChange={(event) => set({ ...tunnel, checksum: event.currentTarget.value })}>
            {checksums.map(([name, meaning]) => (
              <option key={name} value={name}>
                {meaning}
              </option>
            ))}
          </select>
        </Field>
      )}
    </>
  );
}
