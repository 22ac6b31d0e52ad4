import { describe, expect, test } from "vitest";
import { target, type Event, type Live, type Sample } from "../src/api";
import { seconds, sign } from "../src/diff";
import { hashOf, placeOf } from "../src/place";
import { joined, merged, quantile, worst } from "../src/joined";
import { tunnelOf, tunnelSaid } from "../src/parts/tunnel";

const sample = (at: number, drops: [string, number][] = []): Sample => ({
  at,
  rates: { connections: 0, packets_in: 0, packets_out: 0, bytes_in: 0, bytes_out: 0 },
  connections: 0,
  workers: [],
  drops,
  punted: 0,
});
const live = (pid: number, uptime_seconds: number, ...at: number[]): Live => ({
  status: {
    version: "1",
    pid,
    uptime_seconds,
    generation: 1,
    workers: [],
    ports: [],
    connections: { capacity: 1, live: 0, templates: 0 },
    drops: [],
    punts: [],
  },
  samples: at.map((one) => sample(one)),
});

describe("samples", () => {
  test("are joined, each once", () => {
    const first = joined(undefined, live(7, 10, 1000, 2000));
    const second = joined(first, live(7, 11, 2000, 3000));
    expect(second.samples.map((one) => one.at)).toEqual([1000, 2000, 3000]);
  });
  test("of a director that was started again begin anew", () => {
    const first = joined(undefined, live(7, 10, 1000, 2000));
    expect(joined(first, live(8, 0, 9000)).samples.map((one) => one.at)).toEqual([9000]);
    // The same process number by chance.
    expect(joined(first, live(7, 0, 9000)).samples.map((one) => one.at)).toEqual([9000]);
  });
  test("are forgotten after five minutes", () => {
    let watched = joined(undefined, live(7, 0));
    for (let second = 1; second <= 1000; second += 1) watched = joined(watched, live(7, second, second * 1000));
    expect([watched.samples.length, watched.samples[0]?.at]).toEqual([300, 701_000]);
  });
  test("tell the reasons with the most drops", () => {
    const samples = [
      sample(1, [["no_route", 5]]),
      sample(2, [
        ["no_route", 1],
        ["checksum", 10],
      ]),
      sample(3, [["ttl", 1]]),
    ];
    expect(worst(samples, 2)).toEqual(["checksum", "no_route"]);
  });
});

describe("events", () => {
  const event = (number: number): Event => ({ number, at: 0, kind: "port", severity: "info", message: "" });
  test("are joined, and begin anew with the director", () => {
    expect(merged([event(1)], [event(2)], 2).map((one) => one.number)).toEqual([1, 2]);
    expect(merged([event(80)], [event(1)], 1).map((one) => one.number)).toEqual([1]);
  });
});

test("a quantile is the end of its step, as ulvsctl has it", () => {
  const passes = [
    { below_us: 1, count: 990 },
    { below_us: 4, count: 9 },
    { below_us: 40, count: 1 },
  ];
  expect([0, 0.99, 0.999, 1].map((share) => quantile(passes, share, 33))).toEqual([1, 1, 4, 33]);
  expect(quantile([], 0.5, 0)).toBeNull();
  expect(quantile([{ below_us: null, count: 1 }], 0.5, 2e6)).toBe(2e6);
});

describe("places", () => {
  test("are in the address and come back from it", () => {
    for (const place of [
      { view: "services" as const, service: "tcp [2001:db8::1]:80" },
      { view: "services" as const, service: "mark 7 (IPv6)" },
      { view: "drops" as const },
    ]) {
      expect(placeOf(hashOf(place))).toEqual(place);
    }
  });
  test("that are none are the overview", () => {
    expect(placeOf("")).toEqual({ view: "overview" });
    expect(placeOf("#/nowhere")).toEqual({ view: "overview" });
    expect(placeOf("#/services/%")).toEqual({ view: "services" });
  });
});

test("targets have what is asked for, encoded", () => {
  expect(target("/v1/conns", { cursor: undefined, search: "", real_servers: false })).toBe("/v1/conns");
  expect(target("/x", { name: "tcp 1.2.3.4:80&a=b", from: 0, real_servers: true })).toBe(
    "/x?name=tcp%201.2.3.4%3A80%26a%3Db&from=0&real_servers=true",
  );
});

test("lines of a change have a sign", () => {
  expect(["+ tcp a", "- tcp a", "~ tcp a"].map(sign)).toEqual(["added", "removed", "edited"]);
});

test("a time has a unit or is seconds", () => {
  expect(["60s", "90", " 5m ", "1h", "2 min"].map(seconds)).toEqual([60, 90, 300, 3600, 120]);
  expect(["", "s", "1d", "-1s", "1.5s", "12345678"].map(seconds)).toEqual(Array(6).fill(undefined));
});

describe("a tunnel", () => {
  test("says what its type has, and nothing else", () => {
    const said = (type: string, port: string, checksum: string) => tunnelSaid({ type, port, checksum });
    expect(said("ipip", "6080", "csum")).toEqual({ tun_type: "ipip" });
    expect(said("gre", "6080", "csum")).toEqual({ tun_type: "gre", tun_checksum: "csum" });
    expect(said("gre", "6080", "remcsum")).toEqual({ tun_type: "gre", tun_checksum: "nocsum" });
    expect(said("gue", " 6081 ", "remcsum")).toEqual({ tun_type: "gue", tun_port: 6081, tun_checksum: "remcsum" });
  });
  test("of GUE has a port", () => {
    for (const port of ["", "0", "65536", "1.5", "-1", "x"])
      expect(tunnelSaid({ type: "gue", port, checksum: "csum" })).toBeNull();
  });
  test("begins as IPIP", () => {
    expect(tunnelSaid(tunnelOf(undefined))).toEqual({ tun_type: "ipip" });
  });
});
