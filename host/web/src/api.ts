// The node's answers, as /openapi.json describes them, and the requests. Integers: Wh, W, Unix seconds; prices in
// millionths of the currency per kWh, amounts in thousand-millionths.

/** Why measured values are not shown: not for this viewer, or this host has no key. */
export type Sealed = "viewer" | "host" | null;

export interface Session {
  role: "operator" | "person" | "nobody";
  kid: string | null;
  label: string | null;
  expires_s: number | null;
}

/** A block of the ledger, which gave an entry its place and time; `seen_by`: names of witnesses. */
export interface Block {
  height: number;
  time_s: number;
  seen_by: string[];
}

/** How far the ledger is; of each witness, how many blocks the last head had that it cosigned. */
export interface Ledger {
  blocks: number;
  time_s: number;
  witnesses: { name: string; blocks: number }[];
  /** what the community's entry requires; how many of its witnesses cosigned the newest head */
  required: { cosigned: number; witnesses: string[]; have_cosigned: number } | null;
  /** why nothing is ordered now */
  waits: string | null;
}

export interface Community {
  name: string;
  community_id: string;
  currency: string;
  timezone: string;
  slot_s: number;
  now_s: number;
  tariff: { import_micro_per_kwh: number; export_micro_per_kwh: number };
  counts: { entries: number; rejected: Record<string, number>; rejected_text: Record<string, string>; pending: number; sealed: number };
  ledger: Ledger | null;
}

export interface Relay {
  closed: boolean | null;
  reason: string | null;
  text: string;
  since_s: number | null;
  wait_until_s: number | null;
}

export interface MeterInLedger {
  noted: { generation: number; next_sequence: number; time_s: number } | null;
  waiting: number;
  head: { blocks: number; root: string; reported_s: number | null } | null;
  problem: string | null;
  problem_s: number | null;
}

export interface Meter {
  kid: string;
  label: string;
  supply_point: string | null;
  owner: string | null;
  owner_label: string | null;
  assurance: string;
  rated_w: number | null;
  online: boolean;
  last_seen_s: number | null;
  clock_status: number | null;
  import_wh: number | null;
  export_wh: number | null;
  power_w: number | null;
  relay: Relay | null;
  log: { generation: number; next_sequence: number };
  ledger: MeterInLedger;
  register_time_s: number | null;
  sealed: Sealed;
}

export interface Point {
  t_s: number;
  import_wh: number | null;
  export_wh: number | null;
  estimated: boolean;
}

export interface Readings {
  meter: string;
  step_s: number;
  from_s: number;
  to_s: number;
  points: Point[];
}

export interface Contract {
  id: string;
  supplier: string;
  supplier_label: string;
  consumer: string;
  consumer_label: string;
  state: "matched" | "granted" | "active" | "ended" | "void" | "settled";
  wh: number;
  carried_wh: number | null;
  short_wh: number | null;
  unused_wh: number | null;
  attributed_wh: number | null;
  price_micro_per_kwh: number;
  max_w: number;
  priority: number;
  start_s: number;
  end_s: number;
  used_from_s: number | null;
  ended_s: number | null;
  end_reason: string | null;
  due_nano: number | null;
  flow_w: number | null;
  block: Block | null;
  sealed: Sealed;
}

export interface Step {
  step: "offered" | "accepted" | "agreed" | "granted" | "started" | "ended" | "terminated";
  author: string;
  author_label: string;
  block: Block;
}

export interface ContractLife extends Contract {
  life: Step[];
}

export interface LogRow {
  cursor: number;
  id: string;
  author: string;
  author_label: string;
  kind: string;
  generation: number;
  sequence: number;
  time_s: number | null;
  clock_status: number;
  text: string;
  void_reason: string | null;
  void_text: string | null;
  block: Block | null;
  sealed: Sealed;
}

export interface Log {
  entries: LogRow[];
  next: number | null;
}

export interface BillLine {
  contract: string;
  role: "bought" | "sold";
  with: string;
  with_label: string;
  carried_wh: number;
  price_micro_per_kwh: number;
  nano: number;
  unused_wh: number;
  unused_nano: number;
}

export interface Bill {
  owner: string;
  label: string;
  /** YYYY-MM */
  month: string;
  from_s: number;
  to_s: number;
  bought_wh: number;
  bought_nano: number;
  sold_wh: number;
  sold_nano: number;
  grid_import_wh: number;
  grid_import_nano: number;
  grid_export_wh: number;
  grid_export_nano: number;
  unused_nano: number;
  unused_earned_nano: number;
  net_nano: number;
  saved_nano: number;
  estimated_wh: number;
  settled_to_s: number;
  /** From then on late readings make corrections. */
  closes_s: number;
  stated_s: number | null;
  stated_nano: number | null;
  closed_nano: number | null;
  corrections: number;
  closed: boolean;
  lines: BillLine[];
}

/** Why the node did not answer a request, in its own sentence. */
export class RequestError extends Error {}

type Value = string | number | readonly string[] | null;

export async function ask<T>(path: string, values: Record<string, Value> = {}, signal?: AbortSignal): Promise<T> {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (Array.isArray(value)) for (const item of value) search.append(name, item);
    else if (value !== null) search.append(name, String(value));
  }
  const query = search.size ? `?${search}` : "";
  return answered<T>(await fetch(`/api/${path}${query}`, signal ? { signal } : {}));
}

async function answered<T>(answer: Response): Promise<T> {
  const content: unknown = await answer.json();
  if (answer.ok) return content as T;
  const detail = (content as { detail?: unknown }).detail;
  throw new RequestError(typeof detail === "string" ? detail : "The node did not answer the request.");
}

/** Exchange the code of a link for a cookie. */
export async function signIn(code: string): Promise<Session> {
  const body = JSON.stringify({ code });
  return answered(await fetch("/api/session", { method: "POST", body, headers: { "content-type": "application/json" } }));
}

export async function signOut(): Promise<Session> {
  return answered(await fetch("/api/session", { method: "DELETE" }));
}
