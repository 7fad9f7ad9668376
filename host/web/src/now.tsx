// The first screen: what happens now, as a picture, as cards, and as the latest entries.

import type { Bill, Community } from "./api";
import { Empty } from "./empty";
import { flowsOf, totalsOf } from "./flows";
import { amount, day, energy, moment, month, power } from "./format";
import { useNow, useRemembered } from "./hooks";
import { LockIcon } from "./icons";
import { LogList } from "./log";
import { MeterCards } from "./meters";
import { Picture } from "./picture";
import type { ScreenProps } from "./screen";
import { firstOwner, passes, type State } from "./state";
import { SignInCard } from "./you";

const LATEST = 8;

function Figure({ name, value, kind }: { name: string; value: string; kind: string }) {
  return (
    <div class={`figure ${kind}`}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function NowLine({ state }: { state: State }) {
  const totals = totalsOf(state.meters ?? [], state.contracts ?? []);
  const share = totals.consumed_w ? Math.round((100 * totals.neighbours_w) / totals.consumed_w) : 0;
  const own = state.session?.role === "person";
  return (
    <section class="nowline" aria-label="Power now">
      <dl class="figures">
        <Figure name={own ? "You produce" : "Produced"} value={power(totals.produced_w)} kind="sun" />
        <Figure name={own ? "You consume" : "Consumed"} value={power(totals.consumed_w)} kind="use" />
        <Figure name="From neighbours" value={power(totals.neighbours_w)} kind="pact" />
        {own && totals.produced_w > totals.consumed_w
          ? <Figure name="To neighbours" value={power(totals.sold_w)} kind="pact" />
          : <Figure name="From the grid" value={power(totals.grid_w)} kind="grid" />}
      </dl>
      <div class="share" aria-hidden="true">
        <span class="pact" style={{ width: `${share}%` }} />
      </div>
      <p class="quiet">
        {totals.consumed_w === 0
          ? own ? "You consume nothing now." : "Nobody consumes anything now."
          : `${share}\u00a0% of ${own ? "your" : "the"} consumption now comes from neighbours under contracts.`}
        {totals.surplus_w > 0 && ` ${power(totals.surplus_w)} of ${own ? "your" : "the"} production now goes to the grid.`}
      </p>
    </section>
  );
}

/** A host that stores and passes on what it cannot read. */
function NoKey() {
  return (
    <section class="card you" aria-label="No key">
      <h2><LockIcon /> This host has no key to the readings</h2>
      <p>It verifies their signatures, stores them and passes them on, but it can neither show them nor make bills. That needs
        the key of the operator or of the meter's owner.</p>
    </section>
  );
}

function netText(bill: Bill): string {
  if (bill.net_nano > 0) return "to pay so far";
  return bill.net_nano < 0 ? "to receive so far" : "nothing to pay so far";
}

function NetCard({ bills, community, now_s }: { bills: Bill[]; community: Community; now_s: number }) {
  const [chosen, choose] = useRemembered("household");
  const owner = bills.some((bill) => bill.owner === chosen) ? chosen : firstOwner(bills);
  const bill = bills.find((one) => one.owner === owner);
  if (!bill) return null;
  const saved = bill.saved_nano;
  return (
    <section class="card net" aria-label="This month">
      <div class="net-head">
        <h2>{month(bill.from_s, community.timezone)}</h2>
        {bills.length === 1 ? <span>{bill.label}</span> : (
          <label>
            <span class="hidden">Household</span>
            <select value={bill.owner} onChange={(event) => choose(event.currentTarget.value)}>
              {bills.map((one) => (
                <option key={one.owner} value={one.owner}>{one.label}</option>
              ))}
            </select>
          </label>
        )}
      </div>
      <p class="big">
        <strong>{amount(Math.abs(bill.net_nano), community.currency)}</strong> <span>{netText(bill)}</span>
      </p>
      <p class="quiet">
        Bought from neighbours: {energy(bill.bought_wh)}. Sold to neighbours: {energy(bill.sold_wh)}.{" "}
        {saved > 0 && `${amount(saved, community.currency)} better than with the grid alone.`}
        {saved < 0 && `${amount(-saved, community.currency)} worse than with the grid alone.`}
      </p>
      <p class="small">
        From {day(bill.from_s, community.timezone)}, settled until {moment(bill.settled_to_s, now_s, community.timezone)} ·{" "}
        <a href={`#/bill?owner=${bill.owner}`}>whole bill</a>
      </p>
    </section>
  );
}

export function NowScreen({ state }: ScreenProps) {
  const now_s = useNow(state.ahead_s);
  const { community, meters, contracts, bills, rows } = state;
  if (!community || !meters) return <p class="waiting">{state.line === "lost" ? "" : "Loading\u2026"}</p>;
  if (!meters.length) return <Empty community={community} />;
  const unreadable = meters.every((meter) => meter.sealed === "host");
  const latest = rows.filter((row) => passes(row, { meter: null, routine: false })).slice(0, LATEST);
  return (
    <>
      {unreadable && <NoKey />}
      {state.session?.role === "nobody" && <SignInCard problem={state.problem} />}
      {state.session?.role !== "nobody" && !unreadable && (
        <div class="lead">
          <NowLine state={state} />
          {bills?.length ? <NetCard bills={bills} community={community} now_s={now_s} /> : null}
        </div>
      )}
      <Picture flows={flowsOf(meters, contracts ?? [], now_s)} community={community} now_s={now_s} />
      <MeterCards meters={meters} now_s={now_s} timezone={community.timezone} />
      <section aria-label="Latest entries">
        <div class="section-head">
          <h2>Latest entries</h2>
          <a href="#/log">whole log</a>
        </div>
        <LogList rows={latest} community={community} now_s={now_s} />
      </section>
    </>
  );
}
