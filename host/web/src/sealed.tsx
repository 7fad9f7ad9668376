// In place of a value that is not for the viewer: a lock and the reason.

import type { Sealed } from "./api";
import { LockIcon } from "./icons";

const TEXTS: Record<Exclude<Sealed, null>, string> = {
  viewer: "Sealed: only its owner and the operator can see this.",
  host: "This host has no key to the readings.",
};

export function SealedNote({ sealed, text }: { sealed: Sealed; text?: string }) {
  if (sealed === null) return null;
  return (
    <p class="sealed">
      <LockIcon />
      <span>{sealed === "viewer" && text ? text : TEXTS[sealed]}</span>
    </p>
  );
}
