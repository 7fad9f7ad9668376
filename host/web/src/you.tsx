// The viewer: signing in with a link, what is shown without one, and signing out.

import { useContext, useState } from "preact/hooks";
import type { Session } from "./api";
import { date } from "./format";
import { LiveContext } from "./hooks";
import { LockIcon } from "./icons";
import type { ScreenProps } from "./screen";
import { codeIn, nameOf } from "./session";

function SignInForm() {
  const live = useContext(LiveContext);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const code = codeIn(text);
    setProblem(code ? await live.signIn(code) : "This is not a link to this page: its code must have 26 letters and digits.");
  };
  return (
    <form class="signin" onSubmit={(event) => void submit(event)}>
      <label class="field">
        <span>Link or code</span>
        <input type="text" value={text} autocomplete="off" autocapitalize="none" spellcheck={false}
          onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <button type="submit" class="main">Sign in</button>
      {problem && <p class="problem" role="alert">{problem}</p>}
    </form>
  );
}

/** What a viewer who is not signed in sees, and how to sign in. `problem`: why a link did not work. */
export function SignInCard({ problem }: { problem: string | null }) {
  return (
    <section class="card you" aria-label="Sign in">
      <h2><LockIcon /> Measurements are sealed</h2>
      {problem && <p class="problem" role="alert">{problem}</p>}
      <p>
        Everybody can see who takes part, the terms of contracts, prices, and that entries exist. Only its owner and the operator
        can see what a meter measures, its relay and its bill.
      </p>
      <p>If you have a link, open it or paste it here.</p>
      <SignInForm />
      <details>
        <summary>How to get a link</summary>
        <p>The operator makes it on the node with this command, and sends it to you like a password:</p>
        <pre><code>wattpact access new --person NAME</code></pre>
        <p>The operator's own link shows everything:</p>
        <pre><code>wattpact access new --operator</code></pre>
      </details>
    </section>
  );
}

function SignedIn({ session, state }: { session: Session; state: ScreenProps["state"] }) {
  const live = useContext(LiveContext);
  const sees = session.role === "operator"
    ? "As the operator you see what every meter measures, and every bill."
    : "You see what your meters measure, your bill, and how much of your contracts is used. Of other meters you see what everybody sees.";
  return (
    <section class="card you" aria-label="Signed in">
      <h2>{session.role === "operator" ? "The operator" : nameOf(session)}</h2>
      <p>{sees}</p>
      {session.expires_s !== null && state.community && (
        <p class="quiet">Your link is valid until {date(session.expires_s, state.community.timezone)}.</p>
      )}
      <button type="button" class="main" onClick={() => void live.signOut()}>Sign out</button>
      <p class="small">Signing out removes the link from this browser. The link itself stays valid until the operator revokes it or it expires.</p>
    </section>
  );
}

export function YouScreen({ state }: ScreenProps) {
  if (!state.session) return null;
  return state.session.role === "nobody"
    ? <SignInCard problem={state.problem} />
    : <SignedIn session={state.session} state={state} />;
}
