// No meter is enrolled yet: what to do next.

import type { Community } from "./api";
import { plural } from "./format";

export function Empty({ community }: { community: Community }) {
  const { pending } = community.counts;
  return (
    <section class="card empty">
      <h2>No meter is enrolled yet</h2>
      {pending > 0 ? (
        <p>{plural(pending, "meter asks", "meters ask")} to join. Enrol {pending === 1 ? "it" : "them"} on this node with the code from the meter's sticker:</p>
      ) : (
        <p>Switch a meter on within reach of this node; it asks to join by itself. Then enrol it here with the code from its sticker:</p>
      )}
      <pre><code>wattpact meter enrol --code CODE</code></pre>
      <p class="quiet">It appears on this page as soon as its first reading arrives; nothing needs to be reloaded.</p>
    </section>
  );
}
