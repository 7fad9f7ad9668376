// The live picture: households, the contracts between them as they are used up, and the grid for the rest.

import { useMemo } from "preact/hooks";
import type { Community } from "./api";
import { type Box, type House, type Layout, type Link, type Flows, type Wire, layoutOf } from "./flows";
import { duration, energy, power, price } from "./format";
import { useWidth } from "./hooks";
import { LockIcon, RelayIcon } from "./icons";

const at = ({ x, y, width, height }: Box) => ({
  transform: `translate(${Math.round(x)}px, ${Math.round(y)}px)`,
  width: `${Math.round(width)}px`,
  height: `${Math.round(height)}px`,
});

function HouseBox({ house, box }: { house: House; box: Box }) {
  const { meter, power_w, side } = house;
  const offline = meter !== null && !meter.online;
  const closed = meter?.relay?.closed ?? null;
  const sealed = meter !== null && meter.sealed !== null;
  const doing = power_w === null ? "power unknown" : power_w === 0 ? "idle" : side === "producer" ? "produces" : "uses";
  return (
    <a class={`house ${side} ${offline ? "offline" : ""} ${power_w ? "" : "idle"}`} style={at(box)}
      href={`#/${sealed ? "log" : "usage"}?meter=${house.kid}`}>
      <span class="label">{house.label}</span>
      <span class="watts">{sealed ? <LockIcon /> : power_w === null ? "\u2013" : power(power_w)}</span>
      <span class="doing">
        {offline ? "no contact" : sealed ? "sealed" : doing}
        {closed !== null && (
          <span class={`relay ${closed ? "closed" : "open"}`}>
            <RelayIcon closed={closed} />
            {closed ? "closed" : "open"}
          </span>
        )}
      </span>
    </a>
  );
}

function linkText(link: Link, now_s: number): string {
  const { contract, status } = link;
  if (status === "over") return contract.end_reason ?? "ended";
  if (status === "flowing") return power(contract.flow_w ?? 0);
  if (status === "sealed") return "in use";
  if (status === "next" && contract.start_s > now_s) return `starts in ${duration(contract.start_s - now_s)}`;
  if (link.isCut) return "waits until the relay closes";
  return status === "idle" ? "no energy flows" : "used next";
}

function LinkBox({ link, box, community, now_s }: { link: Link; box: Box; community: Community; now_s: number }) {
  const { contract, left_wh, status } = link;
  const share = contract.wh && left_wh !== null ? left_wh / contract.wh : 0;
  return (
    <a class={`link ${status}`} style={at(box)} href={`#/contracts?contract=${contract.id}`}>
      <span class="hidden">{`${contract.supplier_label} to ${contract.consumer_label}: `}</span>
      {left_wh === null ? (
        <span class="left">
          <strong>{energy(contract.wh)}</strong> agreed{status === "sealed" && <>, <LockIcon /> use sealed</>}
        </span>
      ) : (
        <>
          <span class="left">
            <strong>{energy(left_wh)}</strong> left of {energy(contract.wh)}
          </span>
          <span class="tank" aria-hidden="true">
            <span class="fill" style={{ transform: `scaleX(${share.toFixed(4)})` }} />
          </span>
        </>
      )}
      <span class="terms">
        <span>{price(contract.price_micro_per_kwh, community.currency)}</span>
        <span>{linkText(link, now_s)}</span>
      </span>
    </a>
  );
}

/** A wire with dots that run the way the energy goes; more power, wider and faster. */
function WireLine({ wire }: { wire: Wire }) {
  const flowing = wire.status === "flowing" && wire.power_w > 0;
  const strength = Math.min(1, Math.sqrt(wire.power_w / 10_000));
  const seconds = (1.7 - 1.1 * strength).toFixed(1);
  return (
    <g class={`wire ${wire.kind} ${wire.status}`}>
      <path class="bed" d={wire.path} style={{ strokeWidth: flowing ? 3 + 5 * strength : 2 }} />
      {flowing && <path class="flow" d={wire.path} style={{ strokeWidth: 2.5 + 2.5 * strength, animationDuration: `${seconds}s` }} />}
    </g>
  );
}

function GridBox({ flows, box }: { flows: Flows; box: Box }) {
  const from_w = flows.fromGrid.reduce((sum, flow) => sum + flow.power_w, 0);
  const to_w = flows.toGrid.reduce((sum, flow) => sum + flow.power_w, 0);
  return (
    <div class="gridbox" style={at(box)}>
      <span class="label">Grid</span>
      <span class="terms">
        {from_w > 0 && <span>delivers {power(from_w)}</span>}
        {to_w > 0 && <span>takes {power(to_w)}</span>}
      </span>
    </div>
  );
}

/** The picture as a text, for whoever cannot see it. */
export function pictureText(flows: Flows): string {
  const flowing = flows.links.filter((link) => link.status === "flowing");
  if (!flowing.length && flows.links.some((link) => link.status === "sealed")) return "Contracts are in use; their power is sealed.";
  if (!flowing.length) return "No energy flows under a contract now.";
  const sentences = flowing.map(({ contract, left_wh }) =>
    `${contract.supplier_label} supplies ${contract.consumer_label} with ${power(contract.flow_w ?? 0)}, ${energy(left_wh ?? 0)} left`);
  return `${sentences.join("; ")}.`;
}

function Boxes({ flows, layout, community, now_s }: { flows: Flows; layout: Layout; community: Community; now_s: number }) {
  const house = (one: House) => {
    const box = layout.houses.get(one.kid);
    return box ? <HouseBox key={one.kid} house={one} box={box} /> : null;
  };
  return (
    <>
      {flows.producers.map(house)}
      {flows.links.map((link) => {
        const box = layout.links.get(link.contract.id);
        return box ? <LinkBox key={link.contract.id} link={link} box={box} community={community} now_s={now_s} /> : null;
      })}
      {layout.grid && <GridBox flows={flows} box={layout.grid} />}
      {flows.consumers.map(house)}
    </>
  );
}

export function Picture({ flows, community, now_s }: { flows: Flows; community: Community; now_s: number }) {
  const [frame, width] = useWidth();
  const layout = useMemo(() => layoutOf(flows, width), [flows, width]);
  return (
    <section class="card picture" aria-label="Energy between neighbours">
      <div ref={frame} class="flows" style={{ height: `${Math.ceil(layout.height)}px` }}>
        {width > 0 && (
          <>
            <svg width={layout.width} height={layout.height} aria-hidden="true" focusable="false">
              {layout.wires.map((wire) => <WireLine key={wire.key} wire={wire} />)}
            </svg>
            <Boxes flows={flows} layout={layout} community={community} now_s={now_s} />
          </>
        )}
      </div>
      {flows.links.length === 0 && <p class="quiet none">No contract is running now. The next one appears here by itself.</p>}
      <p class="hidden">{pictureText(flows)}</p>
    </section>
  );
}
