// Follows the address.

import { useEffect, useState } from "preact/hooks";
import { hashOf, placeOf, type Place } from "./place";

export function go(place: Place): void {
  location.hash = hashOf(place);
}

export function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location.hash));
  useEffect(() => {
    const follow = () => setPlace(placeOf(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return place;
}
