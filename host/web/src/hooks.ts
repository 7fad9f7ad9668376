// What components share: the live state, the node's clock, the address, and choices that are remembered.

import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import { Live } from "./live";
import type { State } from "./state";

export const LiveContext = createContext(new Live());

export function useLive(): State {
  const live = useContext(LiveContext);
  const [state, setState] = useState(live.state);
  useEffect(() => live.listen(setState), [live]);
  return state;
}

/** The node's time, s; ticks once a second. */
export function useNow(ahead_s: number): number {
  const [now_ms, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now_ms / 1000 + ahead_s;
}

export interface Place {
  screen: string;
  values: URLSearchParams;
}

export function placeOf(hash: string): Place {
  const [screen = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  return { screen: screen || "now", values: new URLSearchParams(query) };
}

export function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location.hash));
  useEffect(() => {
    const follow = () => setPlace(placeOf(location.hash));
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  return place;
}

/** Change a value of the address without a new step in the browser's history. */
export function replaceValue(place: Place, name: string, value: string | null): void {
  const values = new URLSearchParams(place.values);
  if (value === null) values.delete(name);
  else values.set(name, value);
  const query = values.size ? `?${values}` : "";
  history.replaceState(null, "", `#/${place.screen}${query}`);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

export function remembered(name: string): string | null {
  try {
    return localStorage.getItem(`wattpact-${name}`);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`wattpact-${name}`);
    else localStorage.setItem(`wattpact-${name}`, value);
  } catch {
    // Storage is off: the choice holds until the page is closed.
  }
}

export function useRemembered(name: string): [string | null, (value: string | null) => void] {
  const [value, setValue] = useState(() => remembered(name));
  return [
    value,
    (next) => {
      remember(name, next);
      setValue(next);
    },
  ];
}

/** The width of an element, px, kept true. */
export function useWidth(): [(element: HTMLElement | null) => void, number] {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    observer.observe(element);
    setWidth(Math.floor(element.clientWidth));
    return () => observer.disconnect();
  }, [element]);
  return [setElement, width];
}
