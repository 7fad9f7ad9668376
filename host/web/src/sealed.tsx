// Where a value is not for the viewer: a lock and a plain word in its place.

import type { Sealed } from "./api";
import { LockIcon } from "./icons";

const WORDS: Record<Exclude<Sealed, null>, string> = {
  viewer: "Sealed: for its owner and the operator.",
  host: "This host has no key to the readings.",
};

export function SealedNote({ sealed, words }: { sealed: Sealed; words?: string }) {
  if (sealed === null) return null;
  return (
    <p class="sealed">
      <LockIcon />
      <span>{sealed === "viewer" && words ? words : WORDS[sealed]}</span>
    </p>
  );
}
