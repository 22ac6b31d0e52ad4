import { describe, expect, test } from "vitest";
import { rowsIn, scrollTo } from "../src/virtual";

describe("the rows that are drawn", () => {
  test("are those in sight and a few around them", () => {
    expect(rowsIn(10_000, 40, 0, 400, 5)).toEqual({ first: 0, count: 21, above: 0, height: 400_000 });
    expect(rowsIn(10_000, 40, 4000, 400, 5)).toEqual({ first: 95, count: 21, above: 3800, height: 400_000 });
  });
  test("end with the list", () => {
    const { first, count } = rowsIn(10_000, 40, 399_600, 400, 5);
    expect(first + count).toBe(10_000);
    expect(rowsIn(3, 40, 0, 400, 5)).toEqual({ first: 0, count: 3, above: 0, height: 120 });
    expect(rowsIn(0, 40, 0, 400, 5)).toEqual({ first: 0, count: 0, above: 0, height: 0 });
  });
  test("cover what is seen, wherever one scrolls to", () => {
    for (const total of [1, 10, 11, 999, 10_000, 150_000]) {
      for (let top = 0; top <= total * 40; top += 977 + total) {
        const { first, count, above } = rowsIn(total, 40, top, 413);
        const seen = Math.min(Math.max(0, top), Math.max(0, total * 40 - 413));
        expect(above).toBe(first * 40);
        expect(above).toBeLessThanOrEqual(seen);
        expect(above + count * 40).toBeGreaterThanOrEqual(Math.min(seen + 413, total * 40));
        expect(count).toBeLessThan(30);
      }
    }
  });
  test("of a list too high for a browser come to its very end", () => {
    const total = 10_000_000;
    const { height } = rowsIn(total, 40, 0, 400);
    expect(height).toBe(8_000_000);
    const last = rowsIn(total, 40, height - 400, 400);
    expect(last.first + last.count).toBe(total);
    expect(last.above + last.count * 40).toBeGreaterThanOrEqual(height);
    expect(rowsIn(total, 40, 0, 400).first).toBe(0);
  });
  test("survive scrolling beyond the ends", () => {
    expect(rowsIn(100, 40, -500, 400).first).toBe(0);
    const beyond = rowsIn(100, 40, 1e9, 400);
    expect(beyond.first + beyond.count).toBe(100);
  });
});

test("one scrolls as little as is needed", () => {
  expect(scrollTo(5, 40, 0, 400)).toBeUndefined();
  expect(scrollTo(12, 40, 0, 400)).toBe(120);
  expect(scrollTo(2, 40, 200, 400)).toBe(80);
});
