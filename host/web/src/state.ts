// What the page knows, and how it changes with the node's events. Pure.

import type { Bill, Community, Contract, LogRow, Meter, Session } from "./api";

export type Line = "connecting" | "live" | "lost";

export interface State {
  line: Line;
  /** last contact with the node, by this machine's clock, ms */
  contact_ms: number | null;
  /** the node's clock less this machine's, s */
  ahead_s: number;
  /** the viewer; null until the node has answered */
  session: Session | null;
  /** why a link did not work */
  problem: string | null;
  community: Community | null;
  meters: Meter[] | null;
  contracts: Contract[] | null;
  bills: Bill[] | null;
  /** the newest rows of the log, newest first */
  rows: LogRow[];
}

export const EMPTY: State = {
  line: "connecting",
  contact_ms: null,
  ahead_s: 0,
  session: null,
  problem: null,
  community: null,
  meters: null,
  contracts: null,
  bills: null,
  rows: [],
};

const ROWS_KEPT = 300;

/** Both lists newest first, each row once. */
export function mergeRows(known: LogRow[], more: LogRow[], kept = ROWS_KEPT): LogRow[] {
  if (!more.length) return known;
  const byCursor = new Map<number, LogRow>();
  for (const row of known) byCursor.set(row.cursor, row);
  for (const row of more) byCursor.set(row.cursor, row);
  return [...byCursor.values()].sort((a, b) => b.cursor - a.cursor).slice(0, kept);
}

/** Kinds that come every few seconds and matter little by themselves. */
export const ROUTINE: ReadonlySet<string> = new Set(["reading", "receipt", "usage", "key_epoch", "key_open"]);

export const KINDS: readonly string[] = [
  "certificate", "reading", "event", "community", "tariff", "policy", "mandate", "offer", "demand", "acceptance",
  "contract", "grant", "usage_start", "usage", "usage_end", "terminate", "receipt", "statement",
  "key_epoch", "key_open",
];

/** Kinds that bind nobody else, and so have no place in the ledger's order. */
export const UNORDERED: ReadonlySet<string> = new Set(["reading", "event", "usage", "receipt"]);

export interface Filter {
  meter: string | null;
  routine: boolean;
}

export function passes(row: LogRow, filter: Filter): boolean {
  return (filter.meter === null || row.author === filter.meter) && (filter.routine || !ROUTINE.has(row.kind));
}

/** What is shown to the viewer before what is not. */
export function ownFirst(meters: Meter[]): Meter[] {
  const shown = (meter: Meter) => meter.sealed !== "viewer";
  return [...meters.filter(shown), ...meters.filter((meter) => !shown(meter))];
}

/** The household a person looks at first: one that buys, else the first. */
export function firstOwner(bills: Bill[]): string | null {
  return (bills.find((bill) => bill.bought_wh > 0) ?? bills[0])?.owner ?? null;
}

export function sum(bills: Bill[], of: (bill: Bill) => number): number {
  return bills.reduce((total, bill) => total + of(bill), 0);
}
