// The frame: the community's name, the screens, the state of the connection to the node, and one screen.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { BillScreen } from "./bill";
import { ContractsScreen } from "./contracts";
import { clock, power } from "./format";
import { totalsOf } from "./flows";
import { useLive, usePlace, useRemembered } from "./hooks";
import { BillIcon, ContractIcon, LockIcon, LogIcon, MoonIcon, NowIcon, PersonIcon, SunIcon, UsageIcon } from "./icons";
import { LogScreen } from "./log";
import { NowScreen } from "./now";
import type { ScreenProps } from "./screen";
import { nameOf, viewerOf } from "./session";
import type { State } from "./state";
import { UsageScreen } from "./usage";
import { YouScreen } from "./you";

interface Screen {
  name: string;
  title: string;
  icon: ComponentType;
  screen: ComponentType<ScreenProps>;
}

const SCREENS: readonly Screen[] = [
  { name: "now", title: "Now", icon: NowIcon, screen: NowScreen },
  { name: "usage", title: "Usage", icon: UsageIcon, screen: UsageScreen },
  { name: "contracts", title: "Contracts", icon: ContractIcon, screen: ContractsScreen },
  { name: "log", title: "Log", icon: LogIcon, screen: LogScreen },
  { name: "bill", title: "Bill", icon: BillIcon, screen: BillScreen },
];

const YOU: Screen = { name: "you", title: "You", icon: PersonIcon, screen: YouScreen };

function systemTheme(): string {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function useTheme(): [string, () => void] {
  const [chosen, choose] = useRemembered("theme");
  const [system, setSystem] = useState(systemTheme);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => setSystem(systemTheme());
    query.addEventListener("change", follow);
    return () => query.removeEventListener("change", follow);
  }, []);
  const theme = chosen === "dark" || chosen === "light" ? chosen : system;
  const toggle = () => {
    const next = theme === "dark" ? "light" : "dark";
    document.documentElement.dataset["theme"] = next;
    choose(next);
    window.dispatchEvent(new Event("themechange"));
  };
  return [theme, toggle];
}

function LineBanner({ state }: { state: State }) {
  if (state.line !== "lost") return null;
  const known = state.contact_ms !== null && state.community;
  return (
    <div class="banner" role="status">
      <strong>The node does not answer.</strong>{" "}
      {known
        ? `This is the state at ${clock(state.contact_ms! / 1000 + state.ahead_s, state.community!.timezone)}. `
        : ""}
      The page connects again by itself.
    </div>
  );
}

function Who({ state, current }: { state: State; current: string }) {
  const { session } = state;
  if (!session) return null;
  const nobody = session.role === "nobody";
  return (
    <a class={`who ${nobody ? "nobody" : ""}`} href={`#/${YOU.name}`} aria-current={current === YOU.name ? "page" : undefined}
      title={nobody ? "Sign in with a link" : nameOf(session)}>
      {nobody ? <LockIcon /> : <PersonIcon />}
      <span>{nameOf(session)}</span>
    </a>
  );
}

function Header({ state, current }: { state: State; current: string }) {
  const [theme, toggle] = useTheme();
  const other = theme === "dark" ? "light" : "dark";
  const line = { live: "Live", connecting: "Connecting", lost: "No answer" }[state.line];
  return (
    <header class="top">
      <div class="name">
        <h1>{state.community?.name ?? "Wattpact"}</h1>
        <span class={`line ${state.line}`}>{line}</span>
      </div>
      <nav aria-label="Screens">
        {SCREENS.map(({ name, title, icon: Icon }) => (
          <a key={name} href={`#/${name}`} aria-current={name === current ? "page" : undefined}>
            <Icon />
            <span>{title}</span>
          </a>
        ))}
      </nav>
      <Who state={state} current={current} />
      <button class="theme" type="button" onClick={toggle} aria-label={`Use the ${other} theme`} title={`Use the ${other} theme`}>
        {theme === "dark" ? <SunIcon /> : <MoonIcon />}
      </button>
    </header>
  );
}

function titleOf(state: State): string {
  if (!state.community) return "Wattpact";
  if (state.line === "lost") return `No answer \u00b7 ${state.community.name}`;
  const { neighbours_w } = totalsOf(state.meters ?? [], state.contracts ?? []);
  return neighbours_w ? `${power(neighbours_w)} from neighbours \u00b7 ${state.community.name}` : state.community.name;
}

export function App() {
  const state = useLive();
  const place = usePlace();
  const chosen = [...SCREENS, YOU].find((one) => one.name === place.screen) ?? SCREENS[0]!;
  const title = titleOf(state);
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
        Skip to the content
      </a>
      <Header state={state} current={chosen.name} />
      <LineBanner state={state} />
      <main id="main" tabIndex={-1} class={state.line === "lost" ? "stale" : undefined} aria-label={chosen.title}>
        <chosen.screen key={state.session && viewerOf(state.session)} state={state} place={place} />
      </main>
    </>
  );
}
