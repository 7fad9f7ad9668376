// The connection to the node: the viewer, the whole picture, then what changes; when it breaks, it is made again.

import { ask, type Bill, type Community, type Contract, type Log, type LogRow, type Meter, type Session } from "./api";
import { signIn, signOut } from "./api";
import { carriesCode, codeIn, viewerOf } from "./session";
import { EMPTY, mergeRows, type State } from "./state";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 8000;
const HEARTBEAT_MS = 20_000;
const ANSWER_WITHIN_MS = 8000;

type Listener = (state: State) => void;

function withClock(community: Community): Pick<State, "community" | "ahead_s"> {
  return { community, ahead_s: community.now_s - Date.now() / 1000 };
}

export class Live {
  state: State = EMPTY;
  private readonly listeners = new Set<Listener>();
  private readonly rowListeners = new Set<(row: LogRow) => void>();
  private source: EventSource | null = null;
  private wait_ms = FIRST_WAIT_MS;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private turn = 0;
  private tabs: BroadcastChannel | null = null;

  start(): void {
    this.tabs = new BroadcastChannel("wattpact-session");
    this.tabs.onmessage = () => void this.connect(true); // another tab of this browser signed in or out
    if (carriesCode(location.hash)) void this.takeCode();
    else void this.connect();
    window.addEventListener("hashchange", () => carriesCode(location.hash) && void this.takeCode());
    setInterval(() => void this.beat(), HEARTBEAT_MS);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && this.state.line === "lost") void this.connect();
    });
    window.addEventListener("online", () => void this.connect());
    window.addEventListener("pagehide", () => this.source?.close());
    window.addEventListener("pageshow", (event) => event.persisted && void this.connect());
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onRow(listener: (row: LogRow) => void): () => void {
    this.rowListeners.add(listener);
    return () => this.rowListeners.delete(listener);
  }

  private set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener(this.state);
  }

  /** A link was opened: its code leaves the address before anything else happens. */
  private async takeCode(): Promise<void> {
    const code = codeIn(location.hash);
    history.replaceState(null, "", location.pathname);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    const problem = code ? await this.signIn(code) : "This link is damaged: part of it is missing.";
    if (!problem) return;
    await this.connect();
    this.set({ problem });
  }

  /** Why the code is not valid; null if it is. */
  async signIn(code: string): Promise<string | null> {
    try {
      await signIn(code);
    } catch (error) {
      return (error as Error).message;
    }
    this.tabs?.postMessage("in");
    await this.connect(true);
    return null;
  }

  async signOut(): Promise<void> {
    try {
      await signOut();
    } finally {
      this.tabs?.postMessage("out");
      await this.connect(true);
    }
  }

  /** What one viewer was shown is dropped before another one looks. `meant`: somebody signed in or out. */
  private look(session: Session, meant: boolean): void {
    const { session: known, community, ahead_s, line, contact_ms } = this.state;
    if (known !== null && viewerOf(known) === viewerOf(session)) return this.set({ session });
    const ended = !meant && known !== null && session.role === "nobody";
    const problem = ended ? "You are signed out: your link has expired or was revoked." : null;
    this.set({ ...EMPTY, community, ahead_s, line, contact_ms, session, problem });
  }

  private async connect(meant = false): Promise<void> {
    clearTimeout(this.retry);
    this.source?.close();
    const turn = ++this.turn;
    try {
      const session = await ask<Session>("session", {}, AbortSignal.timeout(ANSWER_WITHIN_MS));
      if (turn !== this.turn) return;
      this.look(session, meant);
    } catch {
      if (turn === this.turn) this.lost();
      return;
    }
    this.open();
  }

  private open(): void {
    const source = new EventSource("/api/events");
    this.source = source;
    source.addEventListener("open", () => void this.refresh());
    source.addEventListener("error", () => this.lost());
    const take = <T>(name: string, change: (data: T) => Partial<State>) =>
      source.addEventListener(name, (event) => {
        const data = JSON.parse((event as MessageEvent<string>).data) as T;
        this.set({ ...change(data), line: "live", contact_ms: Date.now() });
      });
    take<Meter[]>("meters", (meters) => ({ meters }));
    take<Contract[]>("contracts", (contracts) => ({ contracts }));
    take<Bill[]>("bills", (bills) => ({ bills }));
    take<Community>("community", withClock);
    take<LogRow>("entry", (row) => {
      for (const listener of this.rowListeners) listener(row);
      return { rows: mergeRows(this.state.rows, [row]) };
    });
  }

  /** What the stream does not carry, and rows that passed while it was down. A link may have ended before it opened. */
  private async refresh(): Promise<void> {
    try {
      const [session, community, log] = await Promise.all([
        ask<Session>("session", {}, AbortSignal.timeout(ANSWER_WITHIN_MS)),
        this.community(),
        ask<Log>("log", { limit: 100 }),
      ]);
      if (this.state.session === null || viewerOf(session) !== viewerOf(this.state.session)) return this.connect();
      this.wait_ms = FIRST_WAIT_MS;
      this.set({ ...community, rows: mergeRows(this.state.rows, log.entries), line: "live", contact_ms: Date.now() });
    } catch {
      this.lost();
    }
  }

  private async community(): Promise<Pick<State, "community" | "ahead_s">> {
    return withClock(await ask<Community>("community", {}, AbortSignal.timeout(ANSWER_WITHIN_MS)));
  }

  private async beat(): Promise<void> {
    if (document.visibilityState === "hidden" || this.state.line !== "live") return;
    try {
      this.set({ ...(await this.community()), contact_ms: Date.now() });
    } catch {
      this.lost();
    }
  }

  private lost(): void {
    this.source?.close();
    this.source = null;
    clearTimeout(this.retry);
    this.set({ line: "lost" });
    this.retry = setTimeout(() => void this.connect(), this.wait_ms);
    this.wait_ms = Math.min(this.wait_ms * 2, LONGEST_WAIT_MS);
  }
}
