// Which rows of a long list are drawn.

/** Browsers lose count of pixels in elements higher than some millions of them. */
const HIGHEST = 8_000_000;

export interface Rows {
  /** The first row that is drawn. */
  first: number;
  /** How many are drawn. */
  count: number;
  /** Pixels above the first row. */
  above: number;
  /** Height of the whole list in pixels. */
  height: number;
}

/** The rows of `total`, each `row` pixels high, to be seen in `view` pixels from `top` on, and a few around them. */
export function rowsIn(total: number, row: number, top: number, view: number, around = 6): Rows {
  const height = Math.min(total * row, HIGHEST);
  const full = Math.ceil(view / row);
  const last = Math.max(0, total - full);
  // In a list that is cut, a pixel of the scroll bar is several rows.
  const share = height > view ? Math.min(1, Math.max(0, top) / (height - view)) : 0;
  const seen = total * row <= HIGHEST ? Math.floor(Math.max(0, top) / row) : Math.round(share * last);
  const first = Math.max(0, Math.min(seen, last) - around);
  const count = Math.min(total - first, full + 2 * around + 1);
  const above =
    total * row <= HIGHEST ? first * row : Math.max(0, Math.min(top - (seen - first) * row, height - count * row));
  return { first, count, above, height };
}

/** Where to scroll so that a row is seen whole; absent: it is. */
export function scrollTo(index: number, row: number, top: number, view: number): number | undefined {
  const begin = index * row;
  if (begin < top) return begin;
  if (begin + row > top + view) return begin + row - view;
  return undefined;
}
