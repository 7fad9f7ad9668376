// Each owner's month so far: the amount, its items, and the contracts behind them.

import { useEffect, useState } from "preact/hooks";
import { ask, type Bill, type BillLine, type Community } from "./api";
import { amount, date, energy, exactAmount, month, moment, price } from "./format";
import { replaceValue, useNow } from "./hooks";
import type { ScreenProps } from "./screen";
import { SealedNote } from "./sealed";
import { firstOwner } from "./state";
import { SignInCard } from "./you";

const FIRST_LINES = 30;

function sentence(bill: Bill, currency: string): string {
  const figure = amount(Math.abs(bill.net_nano), currency);
  if (bill.net_nano > 0) return `${bill.label} has to pay ${figure}.`;
  return bill.net_nano < 0 ? `${bill.label} receives ${figure}.` : `${bill.label} has nothing to pay.`;
}

function due(nano: number, currency: string): string {
  return `${amount(Math.abs(nano), currency)} ${nano >= 0 ? "to pay" : "to receive"}`;
}

/** Whether the month is final, and what readings that came late change. */
function stated(bill: Bill, community: Community): string {
  if (bill.stated_s === null || bill.stated_nano === null || bill.closed_nano === null) return "";
  const { currency, timezone } = community;
  const change = bill.net_nano - bill.stated_nano;
  const closes = date(bill.closes_s, timezone);
  if (!bill.closed) {
    const was = change === 0 ? "" : ` with ${due(bill.stated_nano, currency)}`;
    return `Stated on ${date(bill.stated_s, timezone)}${was}; late readings can change it until it closes on ${closes}.`;
  }
  const parts = [`Closed on ${closes} with ${due(bill.closed_nano, currency)}; late readings make corrections.`];
  if (bill.corrections > 0) {
    const times = bill.corrections === 1 ? "once" : `${bill.corrections} times`;
    parts.push(`Corrected ${times}, last on ${date(bill.stated_s, timezone)}: ${due(bill.stated_nano, currency)} in all.`);
  }
  if (change !== 0) parts.push(`Readings that came since change it: a correction follows, ${due(change, currency)}.`);
  return parts.join(" ");
}

interface Part {
  name: string;
  wh: number | null;
  nano: number;
  way: "pays" | "earns";
}

function partsOf(bill: Bill): Part[] {
  const parts: Part[] = [
    { name: "Bought from neighbours", wh: bill.bought_wh, nano: bill.bought_nano, way: "pays" },
    { name: "Bought from the grid", wh: bill.grid_import_wh, nano: bill.grid_import_nano, way: "pays" },
    { name: "Agreed with neighbours, not used", wh: null, nano: bill.unused_nano, way: "pays" },
    { name: "Sold to neighbours", wh: bill.sold_wh, nano: bill.sold_nano, way: "earns" },
    { name: "Sold to the grid", wh: bill.grid_export_wh, nano: bill.grid_export_nano, way: "earns" },
    { name: "Sold to neighbours, not used", wh: null, nano: bill.unused_earned_nano, way: "earns" },
  ];
  return parts.filter((part) => part.wh !== null || part.nano !== 0);
}

function Table({ bill, currency }: { bill: Bill; currency: string }) {
  return (
    <table class="bill">
      <thead>
        <tr><th scope="col">Item</th><th scope="col">Energy</th><th scope="col">Pays</th><th scope="col">Earns</th></tr>
      </thead>
      <tbody>
        {partsOf(bill).map((part) => (
          <tr key={part.name}>
            <th scope="row">{part.name}</th>
            <td>{part.wh === null ? "" : energy(part.wh)}</td>
            <td>{part.way === "pays" ? amount(part.nano, currency) : ""}</td>
            <td>{part.way === "earns" ? amount(part.nano, currency) : ""}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">{bill.net_nano < 0 ? "To receive" : "To pay"}</th>
          <td />
          <td>{bill.net_nano >= 0 ? amount(bill.net_nano, currency) : ""}</td>
          <td>{bill.net_nano < 0 ? amount(-bill.net_nano, currency) : ""}</td>
        </tr>
      </tfoot>
    </table>
  );
}

function Line({ line, currency }: { line: BillLine; currency: string }) {
  return (
    <tr>
      <th scope="row">
        <a href={`#/contracts?contract=${line.contract}`}>{line.role === "bought" ? "from" : "to"} {line.with_label}</a>
      </th>
      <td>{energy(line.carried_wh)}</td>
      <td>{price(line.price_micro_per_kwh, currency)}</td>
      <td>{amount(line.nano + line.unused_nano, currency)}</td>
    </tr>
  );
}

function Lines({ bill, currency }: { bill: Bill; currency: string }) {
  const [all, setAll] = useState(false);
  if (!bill.lines.length) return <p class="quiet">{bill.label} used no contract this month.</p>;
  const shown = all ? bill.lines : bill.lines.slice(-FIRST_LINES);
  return (
    <>
      <h3>Contracts in this bill</h3>
      <table class="lines">
        <thead>
          <tr><th scope="col">With</th><th scope="col">Energy</th><th scope="col">Price</th><th scope="col">Amount</th></tr>
        </thead>
        <tbody>{shown.map((line) => <Line key={line.contract + line.role} line={line} currency={currency} />).reverse()}</tbody>
      </table>
      {bill.lines.length > shown.length && (
        <button type="button" class="more" onClick={() => setAll(true)}>Show all {bill.lines.length}</button>
      )}
    </>
  );
}

function OneBill({ bill, community, now_s }: { bill: Bill; community: Community; now_s: number }) {
  const { currency, timezone } = community;
  const saved = bill.saved_nano;
  return (
    <article class="card onebill">
      <h2>{sentence(bill, currency)}</h2>
      <p>
        {saved === 0 && "It would be the same with the grid alone."}
        {saved > 0 && <>That is <strong>{amount(saved, currency)} better</strong> than with the grid alone.</>}
        {saved < 0 && <>That is <strong>{amount(-saved, currency)} worse</strong> than with the grid alone.</>}
      </p>
      <Table bill={bill} currency={currency} />
      <p class="small">
        Exact amount: {exactAmount(bill.net_nano, currency)}. Settled until {moment(bill.settled_to_s, now_s, timezone)}.{" "}
        {bill.estimated_wh > 0 ? `${energy(bill.estimated_wh)} of the energy is estimated between two readings.` : "None of the energy is estimated."}
      </p>
      {bill.stated_s !== null && <p class="small">{stated(bill, community)}</p>}
      <Lines bill={bill} currency={currency} />
    </article>
  );
}

/** This month's bills come live; those of another month are requested. */
function useBills(live: Bill[] | null, chosen: string | null): { bills: Bill[] | null; problem: string | null } {
  const [requested, setRequested] = useState<Bill[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    setRequested(null);
    setProblem(null);
    if (chosen === null) return;
    const gone = new AbortController();
    ask<Bill[]>("bills", { month: chosen }, gone.signal).then(setRequested, (error: Error) => gone.signal.aborted || setProblem(error.message));
    return () => gone.abort();
  }, [chosen]);
  return { bills: chosen === null ? live : requested, problem };
}

export function BillScreen({ state, place }: ScreenProps) {
  const now_s = useNow(state.ahead_s);
  const chosenMonth = place.values.get("month");
  const { bills, problem } = useBills(state.bills, chosenMonth);
  const { community } = state;
  if (!community) return null;
  if (state.session?.role === "nobody") return <SignInCard problem={state.problem} />;
  const unread = community.counts.sealed > 0;
  const chosen = place.values.get("owner");
  const owner = bills?.some((bill) => bill.owner === chosen) ? chosen : firstOwner(bills ?? []);
  const bill = bills?.find((one) => one.owner === owner);
  return (
    <>
      <div class="tools">
        <label class="field">
          <span>Household</span>
          <select value={owner ?? ""} disabled={!bills?.length} onChange={(event) => replaceValue(place, "owner", event.currentTarget.value)}>
            {(bills ?? []).map((one) => <option key={one.owner} value={one.owner}>{one.label}</option>)}
          </select>
        </label>
        <label class="field">
          <span>Month</span>
          <input type="month" value={chosenMonth ?? bill?.month ?? ""} placeholder="YYYY-MM"
            onChange={(event) => replaceValue(place, "month", event.currentTarget.value || null)} />
        </label>
      </div>
      {problem && <p class="problem" role="alert">{problem}</p>}
      {bill && <p class="quiet">{month(bill.from_s, community.timezone)}</p>}
      {bill && <OneBill bill={bill} community={community} now_s={now_s} />}
      {bills?.length === 0 && unread && <section class="card"><SealedNote sealed="host" /></section>}
      {bills?.length === 0 && !unread && (
        <p class="quiet">No bill: {state.session?.role === "person" ? "you owned no meter here in this month." : "nobody owns a meter here yet."}</p>
      )}
    </>
  );
}
