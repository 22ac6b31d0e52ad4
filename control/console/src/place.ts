// Where the viewer is: the part of the address after `#`.

export const VIEWS = ["overview", "services", "workers", "drops", "connections", "events"] as const;
export type View = (typeof VIEWS)[number];
export interface Place {
  view: View;
  /** The name of the service that is looked at. */
  service?: string;
}

export function placeOf(hash: string): Place {
  const [view = "", rest] = hash.replace(/^#\/?/, "").split("/", 2);
  if (view === "services" && rest) {
    try {
      return { view, service: decodeURIComponent(rest) };
    } catch {
      return { view };
    }
  }
  return { view: (VIEWS as readonly string[]).includes(view) ? (view as View) : "overview" };
}

export function hashOf(place: Place): string {
  return place.service === undefined ? `#/${place.view}` : `#/${place.view}/${encodeURIComponent(place.service)}`;
}
