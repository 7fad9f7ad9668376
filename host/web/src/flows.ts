// Who produces, who consumes, and what flows between them: the live picture, and the place of each part. Pure.

import type { Contract, Meter } from "./api";

export const GRID = "grid";
const GONE_AFTER_S = 6;

export interface House {
  kid: string;
  label: string;
  side: "producer" | "consumer";
  /** W, never negative; null where unknown */
  power_w: number | null;
  meter: Meter | null;
}

export interface Link {
  contract: Contract;
  /** null where it is not for the viewer */
  left_wh: number | null;
  /** what a person needs to know of its state; of others' contracts only that they are in use */
  status: "flowing" | "idle" | "next" | "over" | "sealed";
  /** the consumer's relay is open */
  isCut: boolean;
}

/** Power that no contract carries, between a house and the grid. */
export interface GridFlow {
  kid: string;
  power_w: number;
}

export interface Flows {
  producers: House[];
  consumers: House[];
  links: Link[];
  fromGrid: GridFlow[];
  toGrid: GridFlow[];
}

export interface Totals {
  produced_w: number;
  consumed_w: number;
  neighbours_w: number;
  sold_w: number;
  grid_w: number;
  surplus_w: number;
}

const LIVE = new Set(["matched", "granted", "active"]);

export function isLive(contract: Contract): boolean {
  return LIVE.has(contract.state);
}

/** What is left of it: settlement lags by a slot, the consumer's meter reports first. */
export function leftWh(contract: Contract): number | null {
  if (contract.carried_wh === null) return null;
  return Math.max(0, contract.wh - Math.max(contract.carried_wh, contract.attributed_wh ?? 0));
}

/** Ready to be used, while another of the same consumer comes first. */
function waits(contract: Contract, all: Contract[]): boolean {
  const untouched = contract.flow_w === 0 && contract.carried_wh === 0 && contract.attributed_wh === 0;
  return untouched && all.some((other) => other.consumer === contract.consumer && (other.flow_w ?? 0) > 0);
}

function statusOf(contract: Contract, all: Contract[]): Link["status"] {
  if (!isLive(contract)) return "over";
  if (waits(contract, all)) return "next";
  if (contract.flow_w === null) return contract.state === "active" ? "sealed" : "next";
  if (contract.flow_w > 0) return "flowing";
  return contract.state === "active" ? "idle" : "next";
}

function sideOf(meter: Meter, live: Contract[]): House["side"] {
  if (live.some((contract) => contract.consumer === meter.kid)) return "consumer";
  if (live.some((contract) => contract.supplier === meter.kid)) return "producer";
  if (meter.power_w !== null && meter.power_w !== 0) return meter.power_w < 0 ? "producer" : "consumer";
  return (meter.export_wh ?? 0) > (meter.import_wh ?? 0) ? "producer" : "consumer";
}

/** At most `most` houses a side: those with contracts first, then those with most power. */
export function flowsOf(meters: Meter[], contracts: Contract[], now_s: number, most = 6): Flows {
  const shown = contracts.filter((one) => isLive(one) || (one.ended_s ?? 0) > now_s - GONE_AFTER_S);
  const busy = new Set(shown.flatMap((one) => [one.supplier, one.consumer]));
  const houses = meters.map((meter): House => {
    const side = sideOf(meter, shown);
    const power_w = meter.power_w === null ? null : Math.max(0, side === "producer" ? -meter.power_w : meter.power_w);
    return { kid: meter.kid, label: meter.label, side, power_w, meter };
  });
  const chosen = (side: House["side"]) => {
    const all = houses.filter((house) => house.side === side);
    const weight = (house: House) => (busy.has(house.kid) ? 1e12 : 0) + (house.power_w ?? 0);
    const kept = new Set([...all].sort((a, b) => weight(b) - weight(a)).slice(0, most));
    return all.filter((house) => kept.has(house));
  };
  const producers = chosen("producer");
  const consumers = chosen("consumer");
  const known = new Set([...producers, ...consumers].map((house) => house.kid));
  const open = new Set(meters.filter((meter) => meter.relay?.closed === false).map((meter) => meter.kid));
  const links = shown
    .filter((one) => known.has(one.supplier) && known.has(one.consumer))
    .map((contract): Link => ({
      contract,
      left_wh: leftWh(contract),
      status: statusOf(contract, shown),
      isCut: open.has(contract.consumer),
    }));
  const at = (kid: string) => consumers.findIndex((house) => house.kid === kid);
  links.sort(
    (a, b) =>
      at(a.contract.consumer) - at(b.contract.consumer) ||
      a.contract.start_s - b.contract.start_s ||
      a.contract.priority - b.contract.priority ||
      (a.contract.id < b.contract.id ? -1 : 1),
  );
  const { fromGrid, toGrid } = gridFlows([...producers, ...consumers], contracts);
  return { producers, consumers, links: links.slice(-most), fromGrid, toGrid };
}

function gridFlows(houses: House[], contracts: Contract[]): { fromGrid: GridFlow[]; toGrid: GridFlow[] } {
  const fromGrid: GridFlow[] = [];
  const toGrid: GridFlow[] = [];
  for (const { kid, meter } of houses) {
    const watts = meter?.power_w ?? 0;
    const party = watts < 0 ? "supplier" : "consumer";
    const carried = contracts.reduce((sum, one) => sum + (one[party] === kid && isLive(one) ? (one.flow_w ?? 0) : 0), 0);
    const power_w = Math.abs(watts) - carried;
    if (power_w > 0) (watts < 0 ? toGrid : fromGrid).push({ kid, power_w });
  }
  return { fromGrid, toGrid };
}

/** Of the meters that are shown to the viewer: all to the operator, their own to a person. */
export function totalsOf(meters: Meter[], contracts: Contract[]): Totals {
  let produced_w = 0;
  let consumed_w = 0;
  for (const { power_w } of meters) {
    if (power_w !== null && power_w < 0) produced_w -= power_w;
    if (power_w !== null && power_w > 0) consumed_w += power_w;
  }
  const shown = new Set(meters.filter((meter) => meter.sealed === null).map((meter) => meter.kid));
  const carried = (side: "supplier" | "consumer") =>
    contracts.reduce((sum, one) => sum + (isLive(one) && shown.has(one[side]) ? (one.flow_w ?? 0) : 0), 0);
  const neighbours_w = Math.min(carried("consumer"), consumed_w);
  const sold_w = Math.min(carried("supplier"), produced_w);
  return {
    produced_w,
    consumed_w,
    neighbours_w,
    sold_w,
    grid_w: consumed_w - neighbours_w,
    surplus_w: produced_w - sold_w,
  };
}

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Wire {
  key: string;
  path: string;
  power_w: number;
  kind: "contract" | "grid";
  status: Link["status"];
}

export interface Layout {
  width: number;
  height: number;
  houses: Map<string, Box>;
  links: Map<string, Box>;
  grid: Box | null;
  wires: Wire[];
}

const HOUSE_HEIGHT = 76;
const LINK_HEIGHT = 78;
const GRID_HEIGHT = 48;
const GAP = 14;
const WIDE = 640;

export function layoutOf(flows: Flows, width: number): Layout {
  return width >= WIDE ? sideBySide(flows, width) : oneAboveOther(flows, width);
}

function stack(count: number, height: number, gap: number, x: number, width: number, top: number): Box[] {
  return Array.from({ length: count }, (_, i) => ({ x, y: top + i * (height + gap), width, height }));
}

function tall(count: number, height: number, gap = GAP): number {
  return count ? count * height + (count - 1) * gap : 0;
}

function usesGrid(flows: Flows): boolean {
  return flows.fromGrid.length + flows.toGrid.length > 0;
}

/** Producers on the left, consumers on the right, contracts and the grid between. */
function sideBySide(flows: Flows, width: number): Layout {
  const houseWidth = Math.min(230, Math.round(width * 0.26));
  const gutter = Math.max(48, Math.round(width * 0.08));
  const middleWidth = width - 2 * (houseWidth + gutter);
  const middleX = houseWidth + gutter;
  const grid = usesGrid(flows);
  const linksTall = tall(flows.links.length, LINK_HEIGHT);
  const middleTall = linksTall + (grid ? GRID_HEIGHT + (linksTall ? GAP * 1.5 : 0) : 0);
  const gap = GAP * 1.5;
  const height = Math.max(
    middleTall,
    tall(flows.producers.length, HOUSE_HEIGHT, gap),
    tall(flows.consumers.length, HOUSE_HEIGHT, gap),
    HOUSE_HEIGHT,
  );
  const centred = (count: number, x: number) =>
    stack(count, HOUSE_HEIGHT, gap, x, houseWidth, (height - tall(count, HOUSE_HEIGHT, gap)) / 2);
  const houses = new Map<string, Box>();
  centred(flows.producers.length, 0).forEach((box, i) => houses.set(flows.producers[i]!.kid, box));
  centred(flows.consumers.length, width - houseWidth).forEach((box, i) => houses.set(flows.consumers[i]!.kid, box));
  const top = (height - middleTall) / 2;
  const links = new Map<string, Box>();
  stack(flows.links.length, LINK_HEIGHT, GAP, middleX, middleWidth, top).forEach((box, i) =>
    links.set(flows.links[i]!.contract.id, box),
  );
  const gridBox = grid
    ? { x: middleX, y: top + middleTall - GRID_HEIGHT, width: middleWidth, height: GRID_HEIGHT }
    : null;
  const right = (box: Box) => box.x + box.width;
  const middle = (box: Box) => box.y + box.height / 2;
  const isProducer = (kid: string) => (houses.get(kid)?.x ?? 0) === 0;
  const wires = wiresOf(flows, houses, links, gridBox, {
    out: (house, box) => curve(right(house), middle(house), box.x, middle(box)),
    into: (box, house) => curve(right(box), middle(box), house.x, middle(house)),
    gridOut: (house, box, kid) =>
      isProducer(kid) ? curve(right(house), middle(house), box.x, middle(box)) : curve(house.x, middle(house), right(box), middle(box)),
    gridInto: (box, house, kid) =>
      isProducer(kid) ? curve(box.x, middle(box), right(house), middle(house)) : curve(right(box), middle(box), house.x, middle(house)),
  });
  return { width, height, houses, links, grid: gridBox, wires };
}

/** Producers above, consumers below; wires run down the left side to a contract and down the right side from it. */
function oneAboveOther(flows: Flows, width: number): Layout {
  const margin = 26;
  const inner = width - 2 * margin;
  const houses = new Map<string, Box>();
  const links = new Map<string, Box>();
  let y = 0;
  const place = (into: Map<string, Box>, key: string, height: number) => {
    into.set(key, { x: margin, y, width: inner, height });
    y += height + GAP;
  };
  for (const house of flows.producers) place(houses, house.kid, HOUSE_HEIGHT);
  for (const link of flows.links) place(links, link.contract.id, LINK_HEIGHT);
  const found = new Map<string, Box>();
  if (usesGrid(flows)) place(found, GRID, GRID_HEIGHT);
  for (const house of flows.consumers) place(houses, house.kid, HOUSE_HEIGHT);
  const grid = found.get(GRID) ?? null;
  const middle = (box: Box) => box.y + box.height / 2;
  const left = (inset: number) => (from: Box, to: Box) => around(margin, inset, middle(from), middle(to));
  const right = (inset: number) => (from: Box, to: Box) => around(width - margin, width - inset, middle(from), middle(to));
  const wires = wiresOf(flows, houses, links, grid, { out: left(14), into: right(14), gridOut: left(4), gridInto: right(4) });
  return { width, height: Math.max(0, y - GAP), houses, links, grid, wires };
}

interface Router {
  out: (house: Box, box: Box) => string;
  into: (box: Box, house: Box) => string;
  gridOut: (house: Box, box: Box, kid: string) => string;
  gridInto: (box: Box, house: Box, kid: string) => string;
}

function wiresOf(flows: Flows, houses: Map<string, Box>, links: Map<string, Box>, grid: Box | null, route: Router): Wire[] {
  const wires: Wire[] = [];
  for (const { contract, status } of flows.links) {
    const box = links.get(contract.id);
    const supplier = houses.get(contract.supplier);
    const consumer = houses.get(contract.consumer);
    if (!box || !supplier || !consumer) continue;
    const shared = { power_w: contract.flow_w ?? 0, kind: "contract" as const, status };
    wires.push({ key: `${contract.id} out`, path: route.out(supplier, box), ...shared });
    wires.push({ key: `${contract.id} in`, path: route.into(box, consumer), ...shared });
  }
  const gridWire = (flow: GridFlow, way: string, draw: (house: Box, box: Box) => string) => {
    const house = houses.get(flow.kid);
    if (house && grid) {
      const shared = { power_w: flow.power_w, kind: "grid" as const, status: "flowing" as const };
      wires.push({ key: `${GRID} ${way} ${flow.kid}`, path: draw(house, grid), ...shared });
    }
  };
  for (const flow of flows.toGrid) gridWire(flow, "to", (house, box) => route.gridOut(house, box, flow.kid));
  for (const flow of flows.fromGrid) gridWire(flow, "from", (house, box) => route.gridInto(box, house, flow.kid));
  return wires;
}

function n(value: number): number {
  return Math.round(value * 10) / 10;
}

function curve(x1: number, y1: number, x2: number, y2: number): string {
  const bend = (x2 - x1) / 2;
  return `M${n(x1)} ${n(y1)}C${n(x1 + bend)} ${n(y1)} ${n(x2 - bend)} ${n(y2)} ${n(x2)} ${n(y2)}`;
}

/** Out of one edge, along the margin, and back in. */
function around(edge: number, margin: number, y1: number, y2: number): string {
  const r = Math.min(14, Math.abs(edge - margin), Math.abs(y2 - y1) / 2);
  const out = margin < edge ? -1 : 1;
  const down = y2 > y1 ? 1 : -1;
  return (
    `M${n(edge)} ${n(y1)}H${n(margin - out * r)}Q${n(margin)} ${n(y1)} ${n(margin)} ${n(y1 + down * r)}` +
    `V${n(y2 - down * r)}Q${n(margin)} ${n(y2)} ${n(margin - out * r)} ${n(y2)}H${n(edge)}`
  );
}
