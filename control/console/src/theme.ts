// Dark or light: as the system has it, or as the viewer has chosen.

import { useEffect, useState } from "preact/hooks";

export type Choice = "system" | "dark" | "light";
const KEY = "ulvs-theme";
const system = matchMedia("(prefers-color-scheme: light)");
const watchers = new Set<() => void>();

export function chosen(): Choice {
  const kept = localStorage.getItem(KEY);
  return kept === "dark" || kept === "light" ? kept : "system";
}

function current(): "dark" | "light" {
  const choice = chosen();
  return choice === "system" ? (system.matches ? "light" : "dark") : choice;
}

export function choose(choice: Choice): void {
  if (choice === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, choice);
  apply();
}

function apply(): void {
  document.documentElement.dataset.theme = current();
  for (const watcher of watchers) watcher();
}

system.addEventListener("change", apply);
apply();

/** What is shown now. */
export function useTheme(): "dark" | "light" {
  const [theme, setTheme] = useState(current);
  useEffect(() => {
    const watcher = () => setTheme(current());
    watchers.add(watcher);
    return () => void watchers.delete(watcher);
  }, []);
  return theme;
}

/** The other one. */
export function toggle(): void {
  choose(current() === "dark" ? "light" : "dark");
}
