// The viewer, and the code that a link carries in its fragment. Pure.

import type { Session } from "./api";

export const NOBODY: Session = { role: "nobody", kid: null, label: null, expires_s: null };

const CODE = /^[a-z2-7]{26}$/i;

/** The code in an address's fragment, in a whole link or by itself; null where there is none. */
export function codeIn(text: string): string | null {
  const code = text.trim().split(/[#?&]code=/).at(-1)!.trim();
  return CODE.test(code) ? code.toLowerCase() : null;
}

/** Whether a fragment carries a code, well-formed or not: it is taken from the address at once. */
export function carriesCode(hash: string): boolean {
  return hash.startsWith("#code=");
}

/** The viewer, as a key: different for each. */
export function viewerOf({ role, kid }: Session): string {
  return kid ?? role;
}

export function nameOf(session: Session): string {
  if (session.role === "nobody") return "Not signed in";
  return session.role === "operator" ? "Operator" : (session.label ?? "Signed in");
}
