import { describe, expect, test } from "vitest";
import { bits, count, counted, micros, moment, percent, rate, scaled, span } from "../src/format";

const plain = (text: string) => text.replaceAll("\u202f", " ");

describe("numbers", () => {
  test("have three digits and a unit, and are never rounded up to the next one", () => {
    const cases: [number, string][] = [
      [0, "0"],
      [0.004, "0"],
      [0.5, "0.5"],
      [7, "7"],
      [7.256, "7.3"],
      [5.99, "6"],
      [19.9, "20"],
      [999, "999"],
      [999.99, "999"],
      [1000, "1.00 k"],
      [45_678, "45.6 k"],
      [999_999, "999 k"],
      [1_000_000, "1.00 M"],
      [12_345_678_901, "12.3 G"],
      [1e18, "1000 P"],
      [-1500, "−1.50 k"],
      [Number.NaN, "–"],
      [Number.POSITIVE_INFINITY, "–"],
    ];
    for (const [value, text] of cases) expect(plain(scaled(value)), String(value)).toBe(text);
  });
  test("that are not known yet are a dash", () => {
    expect(rate(null)).toBe("–");
    expect(bits(undefined)).toBe("–");
  });
  test("have their unit behind them", () => {
    expect(plain(rate(1234, "pps"))).toBe("1.23 kpps");
    expect(plain(bits(125_000))).toBe("1.00 Mbit/s");
    expect(plain(percent(0.054))).toBe("5.4 %");
    expect(plain(percent(0.0001))).toBe("<0.1 %");
    expect(plain(percent(0.999))).toBe("100 %");
    expect(plain(percent(0))).toBe("0 %");
    expect(plain(count(1234567))).toBe("1 234 567");
    expect([0, 1, 2].map((n) => plain(counted(n, "service")))).toEqual(["0 services", "1 service", "2 services"]);
  });
});

describe("times", () => {
  test("are in the two greatest units", () => {
    const cases: [number, string][] = [
      [0, "0 s"],
      [-5, "0 s"],
      [45.9, "45 s"],
      [60, "1 min"],
      [125, "2 min 5 s"],
      [3600, "1 h"],
      [3661, "1 h 1 min"],
      [90_061, "1 d 1 h"],
    ];
    for (const [seconds, text] of cases) expect(plain(span(seconds)), String(seconds)).toBe(text);
  });
  test("of rounds are in microseconds and up", () => {
    expect([0.4, 12.55, 1234.5, 2e6].map((us) => plain(micros(us)))).toEqual([
      "0.4 µs",
      "12.6 µs",
      "1.23 ms",
      "2.00 s",
    ]);
    expect(micros(null)).toBe("–");
  });
  test("of another day say which", () => {
    const noon = new Date(2026, 10, 20, 12, 0, 0).getTime();
    expect(moment(noon, noon + 1000)).toBe("12:00:00");
    expect(moment(noon, noon + 86_400_000)).toBe("20 Nov 12:00:00");
  });
});
