// In place of a value that is not for the viewer: a lock and the reason.

import type { Sealed } from "./api";
import { LockIcon } from "./icons";

const WORDS: Record<Exclude<Sealed, null>, string> = {
  viewer: "Sealed: only its owner and the operator can see this.",
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
