// Whether the viewer may change something.

import { useEffect, useState } from "preact/hooks";
import { ask, setToken, type Access } from "./api";

let access: Access = { writable: false, allowed: false, token_file: null };
const watchers = new Set<() => void>();

/** Asks ulvsd again, with another token if one is given. */
export async function refresh(token?: string): Promise<Access> {
  if (token !== undefined) setToken(token);
  access = await ask<Access>("/v1/console");
  for (const watcher of watchers) watcher();
  return access;
}

export function useAccess(): Access {
  const [seen, setSeen] = useState(access);
  useEffect(() => {
    const watcher = () => setSeen(access);
    watchers.add(watcher);
    watcher();
    return () => void watchers.delete(watcher);
  }, []);
  return seen;
}
