// Where an entry took its place in the ledger, and who saw it, as a person reads it. Pure.

import type { Block, Ledger } from "./api";

/** The witnesses that saw a block: by now, where the ledger of now is known. */
export function seenBy(block: Block, ledger: Ledger | null): string[] {
  if (!ledger) return block.seen_by;
  return ledger.witnesses.filter((one) => one.blocks > block.height).map((one) => one.name);
}

/** seen by 2 of 3 witnesses */
export function seenText(block: Block, ledger: Ledger | null): string {
  const seen = seenBy(block, ledger).length;
  if (!seen) return "no witness yet";
  const all = ledger?.witnesses.length ?? seen;
  return `seen by ${seen} of ${all} ${all === 1 ? "witness" : "witnesses"}`;
}

/** block 812 · seen by 2 of 3 witnesses; with `when`: block 812 at 14:02:05 · … */
export function blockText(block: Block, ledger: Ledger | null, when = ""): string {
  return `block ${block.height}${when && ` at ${when}`} \u00b7 ${seenText(block, ledger)}`;
}

/** 2 of 3 witnesses must have cosigned, 3 have signed the newest head; null where the community names none. */
export function requiredText(ledger: Ledger | null): string | null {
  if (!ledger?.required) return null;
  const { cosigned, witnesses, have_cosigned } = ledger.required;
  const named = `${cosigned} of ${witnesses.length} ${witnesses.length === 1 ? "witness" : "witnesses"}`;
  return `${named} must have cosigned; ${have_cosigned || "none"} ${have_cosigned === 1 ? "has" : "have"} signed the newest head.`;
}

/** What each witness saw, by name; null without any. */
export function witnessesText(ledger: Ledger | null): string | null {
  if (!ledger?.witnesses.length) return null;
  const saw = ledger.witnesses.map(({ name, blocks }) => {
    if (!blocks) return `${name} has seen nothing yet`;
    return `${name} has seen ${blocks >= ledger.blocks ? "every block" : `the blocks up to ${blocks - 1}`}`;
  });
  return `${saw.join("; ")}.`;
}
