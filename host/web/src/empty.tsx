// No meter is enrolled yet: what to do next.

import type { Community } from "./api";
import { plural } from "./format";

export function Empty({ community }: { community: Community }) {
  const { pending } = community.counts;
  return (
    <section class="card empty">
      <h2>No meter is enrolled yet</h2>
      {pending > 0 ? (
        <p>{plural(pending, "meter waits", "meters wait")} to be enrolled. Enrol {pending === 1 ? "it" : "them"} on this node with the code on the meter's sticker:</p>
      ) : (
        <p>Switch on a meter that can reach this node. Then enrol it here with the code on its sticker:</p>
      )}
      <pre><code>wattpact meter enrol --code CODE</code></pre>
      <p class="quiet">It appears on this page by itself.</p>
    </section>
  );
}
