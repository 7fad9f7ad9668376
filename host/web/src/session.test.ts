import { expect, test } from "vitest";
import type { Meter } from "./api";
import { carriesCode, codeIn, nameOf, NOBODY, viewerOf } from "./session";
import { ownFirst } from "./state";

const CODE = "abcdefghijklmnopqrstuvwx27";

test("a code is found in a fragment, in a pasted link, and by itself", () => {
  for (const text of [`#code=${CODE}`, `http://pi.local:8080/#code=${CODE}`, CODE, `  ${CODE.toUpperCase()}\n`]) {
    expect(codeIn(text)).toBe(CODE);
  }
  for (const text of ["", "#code=", "#/now", `${CODE}x`, CODE.slice(1), "abcdefghijklmnopqrstuvwx01"]) {
    expect(codeIn(text)).toBe(null);
  }
});

test("a fragment that was meant as a code is taken away even when it is none", () => {
  expect(carriesCode("#code=x")).toBe(true);
  expect(carriesCode("#/now?code=x")).toBe(false);
});

test("each viewer has a name and a key", () => {
  const person = { role: "person" as const, kid: "ab", label: "House 1", expires_s: 1 };
  const operator = { role: "operator" as const, kid: null, label: null, expires_s: 1 };
  expect([NOBODY, person, operator].map(nameOf)).toEqual(["Not signed in", "House 1", "Operator"]);
  expect(new Set([NOBODY, person, operator].map(viewerOf)).size).toBe(3);
});

test("own meters come first, otherwise in their order", () => {
  const meter = (kid: string, sealed: Meter["sealed"]) => ({ kid, sealed }) as Meter;
  const street = [meter("a", "viewer"), meter("b", null), meter("c", "viewer"), meter("d", "host")];
  expect(ownFirst(street).map((one) => one.kid)).toEqual(["b", "d", "a", "c"]);
});
