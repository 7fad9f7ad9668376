// Who looks: signing in by a link, what is open without one, and signing out.

import { useContext, useState } from "preact/hooks";
import type { Session } from "./api";
import type { ScreenProps } from "./app";
import { date } from "./format";
import { LiveContext } from "./hooks";
import { LockIcon } from "./icons";
import { codeIn, nameOf } from "./session";

function SignInForm() {
  const live = useContext(LiveContext);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const code = codeIn(text);
    setProblem(code ? await live.signIn(code) : "That is no link of this page: its code has 26 letters and digits.");
  };
  return (
    <form class="signin" onSubmit={(event) => void submit(event)}>
      <label class="field">
        <span>Link or code</span>
        <input type="text" value={text} autocomplete="off" autocapitalize="none" spellcheck={false}
          onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <button type="submit" class="main">Open</button>
      {problem && <p class="problem" role="alert">{problem}</p>}
    </form>
  );
}

/** What nobody in particular sees, and how to see more. `problem` is what became of a link that was opened. */
export function SignInCard({ problem }: { problem: string | null }) {
  return (
    <section class="card you" aria-label="Sign in">
      <h2><LockIcon /> What is measured is sealed</h2>
      {problem && <p class="problem" role="alert">{problem}</p>}
      <p>
        Open to everyone: who takes part, the terms of contracts, prices, and that entries were made. What a meter measures,
        its relay and its bill are shown to its owner and to the operator.
      </p>
      <p>If you were given a link, open it, or paste it here.</p>
      <SignInForm />
      <details>
        <summary>How to get a link</summary>
        <p>The operator makes it on the node, and gives it to you as one gives a password:</p>
        <pre><code>wattpact access new --person NAME</code></pre>
        <p>The operator's own shows everything:</p>
        <pre><code>wattpact access new --operator</code></pre>
      </details>
    </section>
  );
}

function SignedIn({ session, state }: { session: Session; state: ScreenProps["state"] }) {
  const live = useContext(LiveContext);
  const sees = session.role === "operator"
    ? "As the operator you see what every meter measures, and every bill."
    : "You see what your meters measure, your bill, and what became of the contracts that you are a side of. Of others you see what is open.";
  return (
    <section class="card you" aria-label="Signed in">
      <h2>{session.role === "operator" ? "The operator" : nameOf(session)}</h2>
      <p>{sees}</p>
      {session.expires_s !== null && state.community && (
        <p class="quiet">Your link opens this page until {date(session.expires_s, state.community.timezone)}.</p>
      )}
      <button type="button" class="main" onClick={() => void live.signOut()}>Sign out</button>
      <p class="small">Signing out forgets the link on this device. Who has the link can still open the page with it; the operator can revoke it.</p>
    </section>
  );
}

export function YouScreen({ state }: ScreenProps) {
  if (!state.session) return null;
  return state.session.role === "nobody"
    ? <SignInCard problem={state.problem} />
    : <SignedIn session={state.session} state={state} />;
}
