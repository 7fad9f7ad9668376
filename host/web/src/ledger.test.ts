import { expect, test } from "vitest";
import type { Ledger } from "./api";
import { blockText, requiredText, seenBy, seenText, witnessesText } from "./ledger";

const block = { height: 812, time_s: 1_795_221_865, seen_by: ["a"] };
const ledger = (...blocks: number[]): Ledger => ({
  blocks: 815,
  time_s: 1_795_221_900,
  required: null,
  waits: null,
  witnesses: blocks.map((count, at) => ({ name: "abc".charAt(at), blocks: count })),
});

test("a witness saw the blocks that its last head covers, and no later ones", () => {
  expect(seenBy(block, ledger(813, 812, 815))).toEqual(["a", "c"]);
  expect(seenBy(block, ledger())).toEqual([]);
  expect(seenBy(block, null)).toEqual(["a"]);
});

test("who saw a block, as a text", () => {
  expect(seenText(block, ledger(813, 0, 815))).toBe("seen by 2 of 3 witnesses");
  expect(seenText(block, ledger(813))).toBe("seen by 1 of 1 witness");
  expect(seenText(block, ledger(812, 0))).toBe("no witness yet");
  expect(seenText(block, ledger())).toBe("no witness yet");
  expect(blockText(block, ledger(815, 815))).toBe("block 812 \u00b7 seen by 2 of 2 witnesses");
  expect(blockText(block, ledger(815), "14:02:05")).toBe("block 812 at 14:02:05 \u00b7 seen by 1 of 1 witness");
});

test("what each witness saw, as a text", () => {
  expect(witnessesText(ledger(815, 813, 0))).toBe("a has seen every block; b has seen the blocks up to 812; c has seen nothing yet.");
  expect(witnessesText(ledger())).toBeNull();
  expect(witnessesText(null)).toBeNull();
});

test("what the community requires, as a text", () => {
  const required = (have_cosigned: number, ...witnesses: string[]): Ledger => ({
    ...ledger(),
    required: { cosigned: 2, witnesses, have_cosigned },
  });
  expect(requiredText(required(3, "a", "b", "c"))).toBe("2 of 3 witnesses must have cosigned; 3 have signed the newest head.");
  expect(requiredText(required(1, "a", "b"))).toBe("2 of 2 witnesses must have cosigned; 1 has signed the newest head.");
  expect(requiredText(required(0, "a", "b"))).toContain("none have signed");
  expect(requiredText(ledger(815))).toBeNull();
  expect(requiredText(null)).toBeNull();
});
