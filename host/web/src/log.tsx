// The entries of meters, people and the node, one sentence each, newest first, as they arrive.

import { useContext, useEffect, useState } from "preact/hooks";
import { ask, type Community, type Log, type LogRow } from "./api";
import { clockText, moment, plural } from "./format";
import { LiveContext, replaceValue, useNow } from "./hooks";
import { LockIcon } from "./icons";
import { blockText, requiredText, witnessesText } from "./ledger";
import { MeterSelect } from "./meterselect";
import type { ScreenProps } from "./screen";
import { KINDS, ROUTINE, UNORDERED, type Filter, mergeRows, passes } from "./state";

const PAGE = 50;
const MOST_SHOWN = 2000;

/** Where the ledger has the entry; null where it binds nobody, or is void and has no place. */
function placeText(row: LogRow, community: Community, now_s: number): string | null {
  if (row.block) return blockText(row.block, community.ledger, moment(row.block.time_s, now_s, community.timezone));
  return UNORDERED.has(row.kind) || row.void_reason ? null : "in no block yet";
}

function Row({ row, community, now_s }: { row: LogRow; community: Community; now_s: number }) {
  const time = row.time_s === null ? "time unknown" : moment(row.time_s, now_s, community.timezone);
  const place = placeText(row, community, now_s);
  return (
    <li class={`row kind-${row.kind} ${row.void_reason ? "void" : ""}`}>
      <details>
        <summary>
          <time>{time}</time>
          <span class="author">{row.author_label}</span>
          <span class={`text ${row.sealed ? "unreadable" : ""}`}>
            {row.sealed && <LockIcon />}
            {row.text}
            {row.void_text && <em> Void: {row.void_text}</em>}
          </span>
        </summary>
        <dl class="pairs">
          <div><dt>Kind</dt><dd>{row.kind.replaceAll("_", " ")}</dd></div>
          <div><dt>Place in its log</dt><dd>generation {row.generation}, sequence {row.sequence}</dd></div>
          {place && <div><dt>Ledger</dt><dd>{place}</dd></div>}
          <div><dt>Author's clock</dt><dd>{clockText(row.clock_status)}</dd></div>
          <div><dt>Author</dt><dd><code>{row.author}</code></dd></div>
          <div><dt>Id</dt><dd><code>{row.id}</code></dd></div>
        </dl>
      </details>
    </li>
  );
}

export function LogList({ rows, community, now_s }: { rows: LogRow[]; community: Community; now_s: number }) {
  if (!rows.length) return <p class="quiet">No entries yet.</p>;
  return (
    <ol class="log">
      {rows.map((row) => <Row key={row.cursor} row={row} community={community} now_s={now_s} />)}
    </ol>
  );
}

interface Pages {
  rows: LogRow[];
  next: number | null;
  problem: string | null;
  busy: boolean;
}

function useRows(filter: Filter): Pages & { more: () => void } {
  const live = useContext(LiveContext);
  const { meter, routine } = filter;
  const [pages, setPages] = useState<Pages>({ rows: [], next: null, problem: null, busy: true });
  const kinds = routine ? [] : KINDS.filter((kind) => !ROUTINE.has(kind));
  const load = (before: number | null, signal?: AbortSignal) => {
    setPages((known) => ({ ...known, busy: true }));
    ask<Log>("log", { meter, kind: kinds, before, limit: PAGE }, signal).then(
      (log) => setPages((known) => ({ rows: mergeRows(known.rows, log.entries, MOST_SHOWN), next: log.next, problem: null, busy: false })),
      (error: Error) => signal?.aborted || setPages((known) => ({ ...known, problem: error.message, busy: false })),
    );
  };
  useEffect(() => {
    const gone = new AbortController();
    setPages({ rows: [], next: null, problem: null, busy: true });
    load(null, gone.signal);
    const stop = live.onRow((row) => {
      if (passes(row, { meter, routine })) setPages((known) => ({ ...known, rows: mergeRows(known.rows, [row], MOST_SHOWN) }));
    });
    return () => {
      gone.abort();
      stop();
    };
  }, [meter, routine]);
  return { ...pages, more: () => load(pages.next) };
}

/** How far the ledger is, and who saw how much of it. */
function LedgerLine({ community, now_s }: { community: Community; now_s: number }) {
  const { ledger, timezone } = community;
  if (!ledger) return null;
  const last = `Ledger: ${plural(ledger.blocks, "block")}, the last at ${moment(ledger.time_s, now_s, timezone)}.`;
  return <p class="small">{last} {witnessesText(ledger)}</p>;
}

export function LogScreen({ state, place }: ScreenProps) {
  const now_s = useNow(state.ahead_s);
  const meter = place.values.get("meter");
  const routine = place.values.get("routine") === "yes";
  const { rows, next, problem, busy, more } = useRows({ meter, routine });
  const { community } = state;
  if (!community) return null;
  const rejected = Object.entries(community.counts.rejected);
  const required = requiredText(community.ledger);
  return (
    <>
      <h2>Log</h2>
      <div class="tools">
        <MeterSelect meters={state.meters ?? []} value={meter} all="All authors" onChange={(kid) => replaceValue(place, "meter", kid)} />
        <label class="check">
          <input type="checkbox" checked={routine} onChange={(event) => replaceValue(place, "routine", event.currentTarget.checked ? "yes" : null)} />
          <span>Also show readings, usage and receipts</span>
        </label>
      </div>
      {community.ledger?.waits && <p class="problem" role="alert">Nothing is ordered now: {community.ledger.waits}.</p>}
      {required && <p class="small">{required}</p>}
      {problem && <p class="problem" role="alert">{problem}</p>}
      {rows.length || !busy ? <LogList rows={rows} community={community} now_s={now_s} /> : <p class="waiting">Loading…</p>}
      {next !== null && rows.length < MOST_SHOWN && (
        <button type="button" class="more" disabled={busy} onClick={more}>Show earlier</button>
      )}
      <LedgerLine community={community} now_s={now_s} />
      {rejected.length > 0 && (
        <details class="rejected">
          <summary>Rejected by this node</summary>
          <dl class="pairs">
            {rejected.map(([reason, count]) => (
              <div key={reason}><dt>{community.counts.rejected_text[reason]}</dt><dd>{count}</dd></div>
            ))}
          </dl>
        </details>
      )}
    </>
  );
}
