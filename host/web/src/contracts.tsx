// All contracts: who sells to whom, how much, for how long, at what price, how much was delivered, and why it ended.

import { useEffect, useRef, useState } from "preact/hooks";
import { ask, type Community, type Contract, type ContractLife, type Step } from "./api";
import { isLive } from "./flows";
import { amount, energy, exactAmount, moment, power, price, shortId } from "./format";
import { replaceValue, useNow } from "./hooks";
import { blockText, witnessesText } from "./ledger";
import { MeterSelect } from "./meterselect";
import type { ScreenProps } from "./screen";
import { SealedNote } from "./sealed";

const FIRST_SHOWN = 40;

const STATES: Record<Contract["state"], string> = {
  matched: "agreed, not granted yet",
  granted: "granted, not used yet",
  active: "in use",
  ended: "ended",
  void: "void, never started",
  settled: "settled",
};

function stateText(contract: Contract): string {
  const text = STATES[contract.state];
  return contract.end_reason && !isLive(contract) && contract.state !== "void" ? `${text}: ${contract.end_reason}` : text;
}

function Progress({ contract }: { contract: Contract }) {
  const { carried_wh, flow_w } = contract;
  if (carried_wh === null) return <SealedNote sealed={contract.sealed} text="Only its two parties and the operator can see how much of it is used." />;
  const share = contract.wh ? Math.min(1, carried_wh / contract.wh) : 0;
  return (
    <div class="progress">
      <span class="tank" role="img" aria-label={`${Math.round(share * 100)} percent delivered`}>
        <span class="fill" style={{ transform: `scaleX(${share.toFixed(4)})` }} />
      </span>
      <span>
        <strong>{energy(carried_wh)}</strong> of {energy(contract.wh)} delivered
        {flow_w !== null && flow_w > 0 && `, ${power(flow_w)} now`}
      </span>
    </div>
  );
}

/** The steps of a contract's life: requested when they are looked at, and again when the contract changes. */
function Life({ contract, community, now_s }: { contract: Contract; community: Community; now_s: number }) {
  const [life, setLife] = useState<Step[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const { id, state, used_from_s, ended_s } = contract;
  useEffect(() => {
    const gone = new AbortController();
    ask<ContractLife>(`contracts/${id}`, {}, gone.signal).then(
      (found) => {
        setLife(found.life);
        setProblem(null);
      },
      (error: Error) => gone.signal.aborted || setProblem(error.message),
    );
    return () => gone.abort();
  }, [id, state, used_from_s, ended_s]);
  if (problem) return <p class="problem" role="alert">{problem}</p>;
  if (!life) return <p class="waiting">Loading…</p>;
  const witnesses = witnessesText(community.ledger);
  return (
    <>
      <ol class="life">
        {life.map((step) => (
          <li key={`${step.step} ${step.block.height} ${step.author}`}>
            <span>{step.step} by {step.author_label}</span>
            <time>{moment(step.block.time_s, now_s, community.timezone)}</time>
            <small>{blockText(step.block, community.ledger)}</small>
          </li>
        ))}
      </ol>
      {witnesses && <p class="small">{witnesses}</p>}
    </>
  );
}

function Card({ contract, community, now_s, chosen }: { contract: Contract; community: Community; now_s: number; chosen: boolean }) {
  const element = useRef<HTMLLIElement>(null);
  const [open, setOpen] = useState(false);
  const { timezone, currency } = community;
  useEffect(() => {
    if (chosen) element.current?.scrollIntoView({ block: "center" });
  }, [chosen]);
  const pairs: [string, string][] = [
    ["Price", price(contract.price_micro_per_kwh, currency)],
    ["From", moment(contract.start_s, now_s, timezone)],
    ["To", moment(contract.end_s, now_s, timezone)],
    ["At most", power(contract.max_w)],
    ["Priority", String(contract.priority)],
    contract.due_nano === null ? ["Energy", energy(contract.wh)] : ["Due so far", amount(contract.due_nano, currency)],
  ];
  const known = (wh: number | null) => (wh === null ? "not shown" : energy(wh));
  return (
    <li ref={element} class={`card contract ${isLive(contract) ? "live" : "over"} ${chosen ? "chosen" : ""}`}>
      <h3>
        {contract.supplier_label} <span class="to" aria-hidden="true">→</span><span class="hidden">to</span> {contract.consumer_label}
      </h3>
      <p class="state">{stateText(contract)}</p>
      <Progress contract={contract} />
      <dl class="pairs">
        {pairs.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
      </dl>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Details</summary>
        <dl class="pairs">
          <div><dt>Id</dt><dd><code title={contract.id}>{shortId(contract.id)}</code></dd></div>
          <div><dt>Used, as the consumer's meter reports</dt><dd>{known(contract.attributed_wh)}</dd></div>
          <div><dt>Not supplied</dt><dd>{known(contract.short_wh)}</dd></div>
          <div><dt>Due although not used</dt><dd>{known(contract.unused_wh)}</dd></div>
          {contract.used_from_s !== null && <div><dt>In use since</dt><dd>{moment(contract.used_from_s, now_s, timezone)}</dd></div>}
          {contract.ended_s !== null && <div><dt>Ended</dt><dd>{moment(contract.ended_s, now_s, timezone)}</dd></div>}
          <div><dt>Exact amount due</dt><dd>{contract.due_nano === null ? "sealed" : exactAmount(contract.due_nano, currency)}</dd></div>
        </dl>
        {open && <Life contract={contract} community={community} now_s={now_s} />}
      </details>
    </li>
  );
}

/** All contracts: requested when the screen opens and when a contract ends, kept up to date by the live ones. */
function useContracts(live: Contract[] | null, meter: string | null): { contracts: Contract[]; problem: string | null } {
  const [requested, setRequested] = useState<Contract[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const running = (live ?? []).filter(isLive).map((contract) => contract.id).join();
  useEffect(() => {
    const gone = new AbortController();
    ask<Contract[]>("contracts", { meter }, gone.signal).then(
      (found) => {
        setRequested(found);
        setProblem(null);
      },
      (error: Error) => gone.signal.aborted || setProblem(error.message),
    );
    return () => gone.abort();
  }, [meter, running]);
  const fresh = new Map((live ?? []).map((contract) => [contract.id, contract]));
  return { contracts: requested.map((contract) => fresh.get(contract.id) ?? contract), problem };
}

export function ContractsScreen({ state, place }: ScreenProps) {
  const now_s = useNow(state.ahead_s);
  const meter = place.values.get("meter");
  const chosen = place.values.get("contract");
  const [shown, setShown] = useState(FIRST_SHOWN);
  const { contracts, problem } = useContracts(state.contracts, meter);
  const { community } = state;
  if (!community) return null;
  const current = contracts.filter(isLive);
  const ended = contracts.filter((contract) => !isLive(contract));
  const at = ended.findIndex((contract) => contract.id === chosen);
  const list = (some: Contract[]) => (
    <ul class="cards">
      {some.map((contract) => (
        <Card key={contract.id} contract={contract} community={community} now_s={now_s} chosen={contract.id === chosen} />
      ))}
    </ul>
  );
  return (
    <>
      <div class="tools">
        <MeterSelect meters={state.meters ?? []} value={meter} all="All meters" onChange={(kid) => replaceValue(place, "meter", kid)} />
      </div>
      {problem && <p class="problem" role="alert">{problem}</p>}
      <h2>Current</h2>
      {current.length ? list(current) : <p class="quiet">No contract is agreed or in use now.</p>}
      <h2>Ended</h2>
      {ended.length ? list(ended.slice(0, Math.max(shown, at + 1))) : <p class="quiet">No contract has ended yet.</p>}
      {ended.length > shown && <button type="button" class="more" onClick={() => setShown(shown + FIRST_SHOWN)}>Show earlier</button>}
    </>
  );
}
