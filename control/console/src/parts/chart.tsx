// Lines over time, by uPlot.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useTheme } from "../theme";

export interface Line {
  label: string;
  values: (number | null)[];
}

interface Props {
  /** Seconds since 1970. */
  times: number[];
  lines: Line[];
  /** A value with its unit. */
  show: (value: number) => string;
  label: string;
  height?: number;
  /** The least top of the scale. */
  least?: number;
  /** The top of the scale, whatever comes. */
  most?: number;
  filled?: boolean;
}

export const COLOURS = 8;
/** Between two times of the axis. */
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300];

export function Chart({ times, lines, show, label, height = 200, least = 1, most, filled = false }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const theme = useTheme();
  const latest = useRef({ times, lines, show });
  latest.current = { times, lines, show };
  const names = lines.map((line) => line.label).join("\n");

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const colour = (name: string) => getComputedStyle(element).getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--text-dim"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui",
    };
    const value = (v: number | null) => (v == null ? "–" : latest.current.show(v));
    const options: uPlot.Options = {
      width: Math.max(element.clientWidth, 120),
      height,
      cursor: { y: false, points: { size: 6 } },
      legend: { live: true },
      scales: { y: { range: (_, __, max) => [0, most ?? Math.max(max * 1.1, least)] } },
      axes: [
        {
          ...axis,
          size: 30,
          space: 70,
          incrs: SECONDS,
          values: (_, splits) => splits.map((at) => new Date(at * 1000).toLocaleTimeString("en-GB")),
        },
        { ...axis, size: 76, space: 34, values: (_, splits) => splits.map((v) => latest.current.show(v)) },
      ],
      series: [
        { label: "Time", value: (_, at) => (at == null ? "now" : new Date(at * 1000).toLocaleTimeString("en-GB")) },
        ...names.split("\n").map((name, index) => {
          const stroke = colour(`--series-${(index % COLOURS) + 1}`);
          return {
            label: name,
            stroke,
            width: 1.5,
            ...(filled ? { fill: `${stroke}22` } : {}),
            points: { show: false },
            value: (_: uPlot, v: number | null) => value(v),
          };
        }),
      ],
    };
    const made = new uPlot(options, data(latest.current.times, latest.current.lines), element);
    plot.current = made;
    // Where nobody points, the newest is told.
    const newest = () => made.cursor.idx == null && made.setLegend({ idx: latest.current.times.length - 1 }, false);
    newest();
    element.addEventListener("mouseleave", newest);
    const resize = new ResizeObserver(() => made.setSize({ width: Math.max(element.clientWidth, 120), height }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      element.removeEventListener("mouseleave", newest);
      made.destroy();
      plot.current = undefined;
    };
  }, [names, theme, height, filled]);

  useEffect(() => {
    const made = plot.current;
    made?.setData(data(times, lines));
    if (made?.cursor.idx == null) made?.setLegend({ idx: times.length - 1 }, false);
  }, [times, lines]);

  const last = lines.map(
    (line) => `${line.label} ${line.values.length > 0 ? show(line.values.at(-1) ?? 0) : "unknown"}`,
  );
  return <div class="chart" ref={box} role="img" aria-label={`${label}: ${last.join(", ")}`} />;
}

function data(times: number[], lines: Line[]): uPlot.AlignedData {
  return [times, ...lines.map((line) => line.values)];
}
