// What ulvsd tells and takes: the types of control/api, as far as the page has use for them.

export interface Rates {
  connections: number;
  packets_in: number;
  packets_out: number;
  bytes_in: number;
  bytes_out: number;
}

export interface Reason {
  reason: string;
  description: string;
  count: number;
}

export interface Worker {
  id: number;
  core: number;
  generation: number;
  packets_in: number;
  forwarded: number;
  punted: number;
  dropped: number;
  connections: number;
  busy_ratio: number;
  pass_times: { longest_us: number; passes: { below_us: number | null; count: number }[] };
}

export interface Port {
  name: string;
  device: string;
  driver: string;
  mac: string;
  mtu: number;
  link_up: boolean;
  speed_mbps: number | null;
  tap: string | null;
  rx_packets: number;
  rx_missed: number;
  rx_no_mbuf: number;
  tx_packets: number;
  tx_dropped: number;
}

export interface Status {
  version: string;
  pid: number;
  uptime_seconds: number;
  generation: number;
  workers: Worker[];
  ports: Port[];
  connections: { capacity: number; live: number; templates: number };
  drops: Reason[];
  punts: Reason[];
}

export interface Sample {
  at: number;
  rates: Rates;
  connections: number;
  workers: { busy: number; packets_in: number; forwarded: number; dropped: number }[];
  drops: [string, number][];
  punted: number;
}

export interface Live {
  status: Status;
  samples: Sample[];
}

export interface RealServer {
  state: string;
  address: string;
  method: string;
  tun_type?: string;
  tun_port?: number;
  tun_checksum?: string;
  weight: number;
  configured_weight: number;
  forwarded: boolean;
  health: string;
  drain: "no" | "quiescent" | "removed";
  removal?: number;
  upper_threshold: number;
  lower_threshold: number;
  overloaded: boolean;
  active_connections: number;
  inactive_connections: number;
  persistent_clients: number;
  owner: string;
  edited: boolean;
  rates: Rates | null;
}

export interface Service {
  name: string;
  state: string;
  protocol: string;
  address: string;
  mark?: number;
  scheduler: string;
  flags: string[];
  owner: string;
  edited: boolean;
  persistence?: number;
  netmask?: string;
  one_packet: boolean;
  size: number;
  usable: number;
  active_connections: number;
  inactive_connections: number;
  rates: Rates | null;
  history: number[];
  live: RealServer[];
}

export interface Totals {
  services: number;
  degraded: number;
  down: number;
  empty: number;
  real_servers: number;
  usable: number;
}

export interface Services {
  at: number;
  totals: Totals;
  found: number;
  services: Service[];
}

export interface Connection {
  protocol: string;
  state: string;
  expires_seconds: number;
  client: string;
  virtual: string;
  real_server: string;
  method: string;
}

export interface ConnectionPage {
  connections: Connection[];
  next_cursor: number | null;
}

export interface Event {
  number: number;
  at: number;
  kind: string;
  severity: "info" | "warning" | "error";
  message: string;
}

export interface Check {
  check: string;
  type: string;
  address: string;
  services: string[];
  up: boolean;
  since: number;
  reason: string | null;
}

export interface Access {
  writable: boolean;
  allowed: boolean;
  token_file: string | null;
}

export type Edit =
  | { add_service: { service: string; scheduler?: string; persistence?: number } }
  | { edit_service: { service: string; scheduler?: string; persistence?: number } }
  | { remove_service: { service: string } }
  | {
      add_real_server: {
        service: string;
        real_server: string;
        method: string;
        tun_type?: string;
        tun_port?: number;
        tun_checksum?: string;
        weight?: number;
      };
    }
  | { edit_real_server: { service: string; real_server: string; weight?: number } }
  | { remove_real_server: { service: string; real_server: string } };

/** ulvsd refused, and this is its sentence. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly field?: string,
  ) {
    super(message);
  }
}

const PATIENCE_MS = 8000;

/** Asks ulvsd; throws [`Refused`], or what fetch throws if nobody answers. */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  return read(await fetch(path, { headers: authorization(), cache: "no-store", signal: patience(signal) }));
}

async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { ...authorization(), "Content-Type": "application/json" };
  return read(await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal: patience() }));
}

function patience(signal?: AbortSignal): AbortSignal {
  const limit = AbortSignal.timeout(PATIENCE_MS);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}

async function read<T>(response: Response): Promise<T> {
  if (response.ok) return (await response.json()) as T;
  let failure: { error?: string; field?: string } = {};
  try {
    failure = await response.json();
  } catch {
    // Not ulvsd's words.
  }
  throw new Refused(response.status, failure.error ?? `the answer is status ${response.status}`, failure.field);
}

// Kept here alone: not in a cookie, nor in the browser's storage.
let token = "";

function authorization(): Record<string, string> {
  return token === "" ? {} : { Authorization: `Bearer ${token}` };
}

export function setToken(value: string): void {
  token = value;
}

/** Makes edits, all or none; the lines that say what has changed, or would. */
export async function edit(edits: Edit[], dryRun: boolean): Promise<string[]> {
  const answer = await post<{ changes: string[] }>("/v1/services", { dry_run: dryRun, edits });
  return answer.changes;
}

export interface Wish {
  drain: "no" | "quiescent";
  remove_within?: number;
}

/** Drains a real server, or ends that; the lines that say what has changed, or would. */
export async function drain(service: Service, server: RealServer, wish: Wish, dryRun: boolean): Promise<string[]> {
  const { protocol, address, mark } = service;
  const named = { protocol, service: address, real_server: server.address, ...(mark == null ? {} : { mark }) };
  const answer = await post<{ changes: string[] }>("/v1/drain", { ...named, ...wish, dry_run: dryRun });
  return answer.changes;
}

/** The target of a GET; what is absent, empty or false is left out. */
export function target(path: string, query: Record<string, string | number | boolean | undefined>): string {
  const said = Object.entries(query).filter(([, value]) => value !== undefined && value !== "" && value !== false);
  if (said.length === 0) return path;
  return `${path}?${said.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&")}`;
}
