import { describe, expect, test } from "vitest";
import type { Contract, Meter } from "./api";
import { GRID, layoutOf, leftWh, flowsOf, totalsOf } from "./flows";

const NOW_S = 1_795_000_000;

function meter(kid: string, power_w: number | null, more: Partial<Meter> = {}): Meter {
  return {
    kid, label: kid, supply_point: null, owner: null, owner_label: null, assurance: "virtual", rated_w: 9000, online: true,
    last_seen_s: NOW_S, clock_status: 0, import_wh: 0, export_wh: 0, power_w,
    relay: { closed: null, reason: null, text: "", since_s: null, wait_until_s: null },
    log: { generation: 0, next_sequence: 0 },
    ledger: { noted: null, waiting: 0, head: null, problem: null, problem_s: null }, register_time_s: NOW_S, sealed: null, ...more,
  };
}

function contract(id: string, supplier: string, consumer: string, more: Partial<Contract> = {}): Contract {
  return {
    id, supplier, supplier_label: supplier, consumer, consumer_label: consumer, state: "active", wh: 40, carried_wh: 0,
    short_wh: 0, unused_wh: 0, attributed_wh: 0, price_micro_per_kwh: 180_000, max_w: 8000, priority: 1, start_s: NOW_S - 60,
    end_s: NOW_S + 600, used_from_s: NOW_S - 60, ended_s: null, end_reason: null, due_nano: 0, flow_w: 0, block: null,
    sealed: null, ...more,
  };
}

const METERS = [meter("sun", -7850), meter("battery", 0), meter("wallbox", 7200)];
const FLOWING = contract("a", "sun", "wallbox", { flow_w: 7000, carried_wh: 10, attributed_wh: 13 });
const NEXT = contract("b", "battery", "wallbox", { state: "granted", priority: 2, used_from_s: null });

describe("the flows of the picture", () => {
  test("has producers and consumers on their sides, also when a producer is at rest", () => {
    const flows = flowsOf(METERS, [NEXT, FLOWING], NOW_S);
    expect(flows.producers.map((house) => house.kid)).toEqual(["sun", "battery"]);
    expect(flows.consumers.map((house) => house.kid)).toEqual(["wallbox"]);
    expect(flows.links.map((link) => [link.contract.id, link.status, link.left_wh])).toEqual([
      ["a", "flowing", 27],
      ["b", "next", 40],
    ]);
  });

  test("leaves to the grid what no contract carries", () => {
    const flows = flowsOf(METERS, [FLOWING], NOW_S);
    expect(flows.toGrid).toEqual([{ kid: "sun", power_w: 850 }]);
    expect(flows.fromGrid).toEqual([{ kid: "wallbox", power_w: 200 }]);
  });

  test("a contract whose turn has not come is next", () => {
    const begun = contract("b", "battery", "wallbox", { priority: 2 });
    expect(flowsOf(METERS, [FLOWING, begun], NOW_S).links.map((link) => link.status)).toEqual(["flowing", "next"]);
    expect(flowsOf(METERS, [begun], NOW_S).links.map((link) => link.status)).toEqual(["idle"]);
  });

  test("shows of others that a contract is in use, and no more", () => {
    const unreadable = { sealed: "viewer" as const, import_wh: null, export_wh: null, register_time_s: null, relay: null };
    const meters = [meter("sun", null, unreadable), meter("wallbox", null, unreadable)];
    const usage = { carried_wh: null, attributed_wh: null, flow_w: null, sealed: "viewer" as const };
    const flows = flowsOf(meters, [contract("a", "sun", "wallbox", usage), contract("b", "sun", "wallbox", { ...usage, state: "granted" })], NOW_S);
    expect(flows.links.map((link) => [link.status, link.left_wh])).toEqual([["sealed", null], ["next", null]]);
    expect([flows.producers[0]!.power_w, flows.consumers[0]!.power_w]).toEqual([null, null]);
    expect(layoutOf(flows, 900).wires.map((wire) => wire.power_w)).toEqual([0, 0, 0, 0]);
    expect(totalsOf(meters, [contract("a", "sun", "wallbox", usage)]).neighbours_w).toBe(0);
  });

  test("counts for a person what flows to and from their own meters", () => {
    const mine = (kid: string) => METERS.map((one) => (one.kid === kid ? one : meter(one.kid, null, { sealed: "viewer", relay: null })));
    expect(totalsOf(mine("sun"), [FLOWING])).toMatchObject({ produced_w: 7850, consumed_w: 0, neighbours_w: 0, sold_w: 7000, surplus_w: 850 });
    expect(totalsOf(mine("wallbox"), [FLOWING])).toMatchObject({ produced_w: 0, consumed_w: 7200, neighbours_w: 7000, sold_w: 0, grid_w: 200 });
  });

  test("drops a contract soon after its end", () => {
    const over = (ago_s: number) => contract("c", "sun", "wallbox", { state: "ended", ended_s: NOW_S - ago_s });
    expect(flowsOf(METERS, [over(2)], NOW_S).links.map((link) => link.status)).toEqual(["over"]);
    expect(flowsOf(METERS, [over(30)], NOW_S).links).toEqual([]);
  });

  test("of many homes shows those with contracts and those with most power", () => {
    const many = Array.from({ length: 30 }, (_, i) => meter(`home${i}`, 100 + i));
    const flows = flowsOf([...many, meter("sun", -500)], [contract("a", "sun", "home0")], NOW_S, 4);
    expect(flows.consumers.map((house) => house.kid)).toEqual(["home0", "home27", "home28", "home29"]);
  });

  test("bears meters of which nothing is known", () => {
    const flows = flowsOf([meter("new", null, { import_wh: null, export_wh: null })], [], NOW_S);
    expect(flows.consumers).toMatchObject([{ kid: "new", power_w: null }]);
    expect(flows.fromGrid).toEqual([]);
  });
});

test("what is left never falls below nothing", () => {
  expect(leftWh(contract("a", "x", "y", { attributed_wh: 50 }))).toBe(0);
});

test("totals keep neighbours and the grid apart", () => {
  expect(totalsOf(METERS, [FLOWING, NEXT])).toEqual({
    produced_w: 7850, consumed_w: 7200, neighbours_w: 7000, sold_w: 7000, grid_w: 200, surplus_w: 850,
  });
  expect(totalsOf([meter("x", null)], [])).toMatchObject({ produced_w: 0, consumed_w: 0, grid_w: 0 });
});

describe.each([360, 1100])("the layout at %i px", (width) => {
  const flows = flowsOf(METERS, [NEXT, FLOWING], NOW_S);
  const layout = layoutOf(flows, width);
  const boxes = [...layout.houses.values(), ...layout.links.values(), layout.grid!];

  test("keeps every box inside, and none over another", () => {
    for (const box of boxes) {
      expect(box.x).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width).toBeLessThanOrEqual(width);
      expect(box.y + box.height).toBeLessThanOrEqual(layout.height + 0.5);
    }
    boxes.forEach((a, i) => {
      for (const b of boxes.slice(i + 1)) {
        const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
        expect(apart).toBe(true);
      }
    });
  });

  test("wires every contract in and out, and the grid", () => {
    expect(layout.wires.map((wire) => wire.key).sort()).toEqual(
      ["a in", "a out", "b in", "b out", `${GRID} from wallbox`, `${GRID} to sun`].sort(),
    );
    for (const wire of layout.wires) expect(wire.path).toMatch(/^M[-\d. ]+[CH]/);
    for (const wire of layout.wires) expect(wire.path).not.toContain("NaN");
  });
});
