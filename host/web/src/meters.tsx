// A card for each meter: power, the relay and its reason, registers, clock, and the last contact.

import type { Meter } from "./api";
import { clockText, duration, moment, power, register } from "./format";
import { RelayIcon } from "./icons";
import { SealedNote } from "./sealed";
import { ownFirst } from "./state";

function RelayLine({ meter, now_s }: { meter: Meter; now_s: number }) {
  const { relay } = meter;
  if (relay === null) return null;
  const wait_s = relay.wait_until_s === null ? 0 : relay.wait_until_s - now_s;
  if (relay.closed === null) return <p class="small">{relay.text}</p>;
  return (
    <p class={`relayline ${relay.closed ? "closed" : "open"}`}>
      <RelayIcon closed={relay.closed} />
      <span>
        <strong>{relay.closed ? "Relay closed" : "Relay open"}</strong>
        {relay.since_s !== null && <span class="small"> for {duration(now_s - relay.since_s)}</span>}
        <br />
        {relay.text}
        {wait_s > 0 && <span class="countdown"> {duration(wait_s)} left.</span>}
      </span>
    </p>
  );
}

function powerText(meter: Meter): string {
  if (meter.power_w === null) return "power unknown";
  if (meter.power_w === 0) return "idle";
  return meter.power_w < 0 ? "exports" : "imports";
}

function Contact({ meter, now_s, timezone }: { meter: Meter; now_s: number; timezone: string }) {
  if (meter.last_seen_s === null) return <span class="contact never">no contact yet</span>;
  const ago_s = now_s - meter.last_seen_s;
  if (meter.online) return <span class="contact online">{ago_s < 6 ? "last contact just now" : `last contact ${duration(ago_s)} ago`}</span>;
  return <span class="contact offline">no contact since {moment(meter.last_seen_s, now_s, timezone)}</span>;
}

function notedText(meter: Meter, now_s: number, timezone: string): string {
  const { noted, waiting } = meter.ledger;
  if (noted === null) return `nothing of its log; ${waiting} entries wait`;
  const old = noted.generation === meter.log.generation ? "" : ` of generation ${noted.generation}`;
  const text = `the first ${noted.next_sequence} entries${old}, noted ${moment(noted.time_s, now_s, timezone)}`;
  return waiting ? `${text}; ${waiting} wait` : text;
}

function headText({ ledger: { head } }: Meter, now_s: number, timezone: string): string | null {
  if (head === null) return null;
  const when = head.reported_s === null ? "at an unknown time" : moment(head.reported_s, now_s, timezone);
  return `${head.blocks} blocks, root ${head.root.slice(0, 16)}\u2026, ${when}`;
}

function LedgerProblem({ meter, now_s, timezone }: { meter: Meter; now_s: number; timezone: string }) {
  const { problem, problem_s } = meter.ledger;
  if (problem === null) return null;
  return (
    <p class="small doubt">
      It reported: {problem}
      {problem_s !== null && ` (${moment(problem_s, now_s, timezone)})`}.
    </p>
  );
}

function Details({ meter, now_s, timezone }: { meter: Meter; now_s: number; timezone: string }) {
  const rows: [string, string | null][] = [
    ["Owner", meter.owner_label],
    ["Supply point", meter.supply_point],
    ["Rated power", meter.rated_w === null ? null : power(meter.rated_w)],
    ["Key storage", meter.assurance],
    ["Key id", meter.kid],
    ["Log", `generation ${meter.log.generation}, ${meter.log.next_sequence} entries`],
    ["In the ledger", notedText(meter, now_s, timezone)],
    ["Head it reported", headText(meter, now_s, timezone)],
  ];
  return (
    <details>
      <summary>Details</summary>
      <dl class="pairs">
        {rows.map(([name, value]) => value !== null && (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function MeterCard({ meter, now_s, timezone }: { meter: Meter; now_s: number; timezone: string }) {
  const side = (meter.power_w ?? 0) < 0 ? "sun" : "use";
  const read = meter.register_time_s === null ? "" : ` at ${moment(meter.register_time_s, now_s, timezone)}`;
  return (
    <li class={`card meter ${meter.online ? "" : "offline"} ${meter.sealed ? "unreadable" : ""}`}>
      <div class="meter-head">
        <h3>{meter.label}</h3>
        <Contact meter={meter} now_s={now_s} timezone={timezone} />
      </div>
      {meter.sealed === null && (
        <p class={`now ${meter.power_w ? side : ""}`}>
          <strong>{meter.power_w === null ? "\u2013" : power(Math.abs(meter.power_w))}</strong> <span>{powerText(meter)}</span>
        </p>
      )}
      <SealedNote sealed={meter.sealed} />
      <RelayLine meter={meter} now_s={now_s} />
      {meter.sealed === null && (
        <dl class="pairs">
          <div>
            <dt>Import register</dt>
            <dd>{meter.import_wh === null ? "\u2013" : register(meter.import_wh)}</dd>
          </div>
          <div>
            <dt>Export register</dt>
            <dd>{meter.export_wh === null ? "\u2013" : register(meter.export_wh)}</dd>
          </div>
        </dl>
      )}
      <p class="small">
        <span class={meter.clock_status ? "doubt" : undefined}>{clockText(meter.clock_status)}</span>
        {read && ` \u00b7 registers read${read}`}
      </p>
      <LedgerProblem meter={meter} now_s={now_s} timezone={timezone} />
      <Details meter={meter} now_s={now_s} timezone={timezone} />
      <p class="links">
        {meter.sealed === null && <a href={`#/usage?meter=${meter.kid}`} aria-label={`Usage of ${meter.label}`}>Usage</a>}
        <a href={`#/log?meter=${meter.kid}`} aria-label={`Log of ${meter.label}`}>Log</a>
      </p>
    </li>
  );
}

export function MeterCards({ meters, now_s, timezone }: { meters: Meter[]; now_s: number; timezone: string }) {
  return (
    <section aria-label="Meters">
      <h2>Meters</h2>
      <ul class="cards">
        {ownFirst(meters).map((meter) => <MeterCard key={meter.kid} meter={meter} now_s={now_s} timezone={timezone} />)}
      </ul>
    </section>
  );
}
