"""The built page in a real browser, on a real store: it lives, it reads well, and requests go to its node alone."""

import asyncio
import gzip
import os
import re
import subprocess
import threading
import time
from pathlib import Path

import case
import pytest
from simulator.host import hosted
from simulator.http import ISSUER, app_at, code
from simulator.live_events import watch
from simulator.trading import PRICES, SLOT_S, Trading
from wattpact.api import page
from wattpact.api.server import WebServer
from wattpact.market import terms
from wattpact.membership import access_links
from wattpact.store.records import Witness

playwright = pytest.importorskip("playwright.sync_api", reason="there is no Playwright for this machine")

CHECKOUT = Path(__file__).parent.parent.parent
DIST = page.find_dist()
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SCREENS = ("now", "usage?span=minutes", "contracts", "log", "bill", "you")
SIZES = {"phone": (360, 800), "desk": (1280, 900)}
KILOBYTE = 1000
LEFT = ".link .left strong"


class Served:
    """A community's application on a port, from a thread of its own; it can stop and come back on the same port."""

    def __init__(self, community, clock, seen_s=dict, signers=ISSUER):
        self._store, self._clock, self._seen_s, self._signers = community.sink.store, clock, seen_s, signers
        self.port = 0
        self.start()

    def link(self, person=None):
        """What the operator opens, or a person."""
        return access_links.link(self.base, code(self._store, person, self._clock()))

    @property
    def base(self):
        return f"http://localhost:{self.port}"

    def start(self):
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(started)))
        self._thread.start()
        assert started.wait(10)

    async def _run(self, started):
        app = app_at(self._store.path, self._clock, DIST, self._seen_s, signers=self._signers)
        server = WebServer(app, app.state.feed.close)
        self.port = await server.start("127.0.0.1", self.port)
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        watching = asyncio.create_task(watch(app))
        started.set()
        await self._stopping.wait()
        watching.cancel()
        await server.stop()

    def stop(self):
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)


@pytest.fixture(scope="module")
def browser():
    assert (DIST / "index.html").is_file(), "the page is not built: run `make web`"
    found = subprocess.run([CHECKOUT / "tools/fetch_chromium.sh"], capture_output=True, text=True, timeout=250)
    if found.returncode:
        raise case.Skip(found.stderr.strip())
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found.stdout.strip(), args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def trading(tmp_path_factory):
    """Half way through the first of two contracts."""
    made = Trading(tmp_path_factory.mktemp("trading"), int(time.time()) // 5 * 5 - 60)
    made.run(slots=4)
    made.trade()
    made.run(slots=2)
    yield made
    made.close()


@pytest.fixture(scope="module")
def served(trading):
    def received():
        return {meter.kid: int(time.time()) for meter in trading.meters}

    made = Served(trading.community, lambda: max(trading.now_s, int(time.time())), received)
    yield made
    made.stop()


class Watched:
    """A page, and what went wrong in it: errors in its console, and requests to anyone but the node."""

    def __init__(self, browser, size="desk", theme="light", link=None, **more):
        width, height = SIZES[size]
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, **more)
        self.problems = []
        self.context.route("**/*", self._pass_or_stop)
        self.page = self.context.new_page()
        self.page.set_default_timeout(8000)
        if link is not None:
            self.open(link)
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.problems.append(said.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open(self, link):
        """Sign in: the code is gone from the address, and the page knows who looks."""
        self.page.goto(link)
        playwright.expect(self.page.locator(".who")).not_to_have_class("who nobody")
        assert "code=" not in self.page.url

    def _pass_or_stop(self, route):
        if route.request.url.startswith("http://localhost:"):
            route.continue_()
        else:
            self.problems.append(f"a request for {route.request.url}")
            route.abort()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


def test_the_page_is_small():
    files = [path for path in DIST.rglob("*") if path.is_file()]
    packed = {path.name: len(gzip.compress(path.read_bytes())) for path in files}
    assert sum(packed.values()) < 150 * KILOBYTE, packed


def test_types_style_and_pure_parts():
    """`npm run check` and `npm test`, with the Node that built the page."""
    web = CHECKOUT / "host/web"
    assert (web / "node_modules").is_dir(), "the page's tools are not installed: run `make web`"
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:{CHECKOUT / '.venv/bin'}"}
    for script in ("check", "test"):
        command = ["npm", "run", "--silent", script]
        done = subprocess.run(command, cwd=web, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_happens_appears_by_itself(browser, served, trading):
    """A reading, the end of a contract and a relay that opens show within moments, and nothing was reloaded."""
    with Watched(browser, link=served.link()) as watched:
        shown = watched.page
        shown.goto(served.base)
        shown.wait_for_selector("text=Live")
        playwright.expect(shown.locator(LEFT).first).to_have_text("20\u00a0Wh")
        playwright.expect(shown.locator(".relayline")).to_contain_text("House 1 solar supplies it: 20 Wh left")
        shown.evaluate("window.sameDocument = true")
        trading.run(slots=1)
        playwright.expect(shown.locator(LEFT).first).to_have_text("10\u00a0Wh")
        trading.run(slots=5)
        playwright.expect(shown.locator(".relayline strong").first).to_have_text("Relay open")
        playwright.expect(shown.locator(".relayline")).to_contain_text("No contract has energy left")
        playwright.expect(shown.locator(".countdown")).to_contain_text("left.")
        latest = shown.locator(".log .text").first
        playwright.expect(latest).to_have_text("Opened the relay: no contract has energy left")
        playwright.expect(shown.locator(".net .quiet")).to_contain_text("Bought from neighbours: 80\u00a0Wh")
        trading.trade()
        trading.run(slots=2)
        playwright.expect(shown.locator(LEFT).first).to_have_text("20\u00a0Wh")
        assert shown.evaluate("window.sameDocument")
        assert shown.title() == "7.2\u00a0kW from neighbours \u00b7 Sun Street"
        assert watched.problems == []


# What a person with other eyes or another keyboard needs, checked for every element that is shown.
AUDIT = """() => {
  const found = [];
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const part = (v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const seen = (e) => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && e.getClientRects().length;
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !seen(e) || e.closest(".hidden, .skip, option, svg, .link.over")) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(rgb(style.color)), light(ground(e))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) found.push(`contrast ${ratio.toFixed(2)}: ${e.textContent.trim().slice(0, 40)}`);
  }
  for (const e of document.querySelectorAll("a, button, input, select, summary, [tabindex='0']")) {
    const label = e.getAttribute("aria-label") || [...(e.labels || [])].map((l) => l.textContent).join(" ");
    if (seen(e) && !(label || e.textContent).trim()) found.push(`no name: ${e.outerHTML.slice(0, 80)}`);
    const box = e.getBoundingClientRect();
    if (seen(e) && ["BUTTON", "SELECT", "INPUT"].includes(e.tagName) && box.height < 18) {
      found.push(`small: ${e.outerHTML.slice(0, 60)}`);
    }
  }
  for (const e of document.querySelectorAll("[style]")) if (e.getAttribute("style").includes("http")) found.push("a far style");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) found.push("an id is given twice");
  if (!document.documentElement.lang) found.push("no language");
  for (const one of ["main", "nav", "h1"]) if (document.querySelectorAll(one).length !== 1) found.push(`not one ${one}`);
  if (document.documentElement.scrollWidth > innerWidth) found.push(`wider than the screen: ${document.documentElement.scrollWidth}`);
  return found;
}"""  # noqa: E501


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("viewer", ["operator", "owner", "nobody"])
def test_every_screen_can_be_read(browser, served, trading, viewer, size, theme):
    """Contrast of WCAG AA, a name for every control, no sideways scrolling; phone and desk, light and dark."""
    found = []
    links = {"operator": served.link, "owner": lambda: served.link(trading.wallbox.owner.kid), "nobody": lambda: None}
    with Watched(browser, size, theme, links[viewer](), reduced_motion="reduce") as watched:
        for screen in SCREENS:
            watched.page.goto(f"{served.base}/#/{screen}")
            watched.page.wait_for_selector("main .card, main .log")
            watched.page.wait_for_timeout(150)
            found += [f"{screen}: {problem}" for problem in watched.page.evaluate(AUDIT)]
        assert found == []
        assert watched.problems == []


def test_the_audit_sees_what_it_is_for(browser, served):
    with Watched(browser) as watched:
        watched.page.goto(served.base)
        watched.page.wait_for_selector(".house")
        watched.page.evaluate("""() => {
          const main = document.querySelector("main");
          const add = (name, change) => change(main.appendChild(document.createElement(name)));
          add("p", (e) => { e.textContent = "faint"; e.style.color = "rgb(170, 170, 165)"; });
          add("button", (e) => { e.style.height = "30px"; });
          add("div", (e) => { e.style.width = "3000px"; e.style.height = "1px"; });
        }""")
        found = " ".join(watched.page.evaluate(AUDIT))
    assert all(word in found for word in ("contrast", "faint", "no name", "wider than the screen")), found


def test_the_theme_is_the_machines_until_one_is_chosen(browser, served):
    def ground(watched):
        return watched.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    with Watched(browser, theme="dark") as watched:
        watched.page.goto(served.base)
        dark = ground(watched)
        watched.page.emulate_media(color_scheme="light")
        light = ground(watched)
        assert dark != light
        watched.page.get_by_role("button", name="Use the dark theme").click()
        assert ground(watched) == dark
        watched.page.reload()
        assert ground(watched) == dark
        assert watched.problems == []


def test_nothing_moves_for_who_does_not_want_it(browser, served, trading):
    counted = "document.getAnimations().filter((one) => one.playState === 'running').length"
    link = served.link()
    with Watched(browser, link=link) as moving, Watched(browser, link=link, reduced_motion="reduce") as still:
        for watched in (moving, still):
            watched.page.goto(served.base)
            watched.page.wait_for_selector(".house")
        assert moving.page.evaluate(counted) > 0
        assert still.page.evaluate(counted) == 0


def test_the_chart_can_be_read_by_keyboard_and_as_a_table(browser, served, trading):
    with Watched(browser, "phone", link=served.link()) as watched:
        shown = watched.page
        shown.goto(f"{served.base}/#/usage?span=minutes&meter={trading.wallbox.kid.hex()}")
        chart = shown.locator(".chart")
        chart.focus()
        shown.keyboard.press("End")
        for _ in range(60):
            if "imported" in shown.locator(".readout").inner_text():
                break
            shown.keyboard.press("ArrowLeft")
        playwright.expect(shown.locator(".readout")).to_contain_text("imported")
        assert "Energy of House 3 wallbox" in chart.get_attribute("aria-label")
        shown.locator("summary", has_text="Show as a table").click()
        imported = [int(text.split()[0]) for text in shown.locator(".astable td:nth-child(2)").all_inner_texts()]
        assert sum(imported) == trading.wallbox.registers[0]
        assert watched.problems == []


def test_dates_that_make_no_sense_are_rejected_with_a_sentence(browser, served):
    with Watched(browser, link=served.link()) as watched:
        watched.page.goto(f"{served.base}/#/usage?span=days&from=2026-02-03&to=2026-02-01")
        playwright.expect(watched.page.get_by_role("alert")).to_contain_text("must not be after")
        watched.page.goto(f"{served.base}/#/usage?span=days&from=2026-02-01&to=2026-02-03")
        playwright.expect(watched.page.locator("main")).to_contain_text("Nothing was measured")
        assert watched.problems == []


def test_the_log_of_one_meter(browser, served, trading):
    with Watched(browser, link=served.link()) as watched:
        shown = watched.page
        shown.goto(f"{served.base}/#/log")
        shown.wait_for_selector(".row")
        shown.get_by_label("Meter").select_option("House 1 solar")
        playwright.expect(shown.locator(".row .author", has_text="House 3")).to_have_count(0)
        shown.get_by_label("Also show readings, usage and receipts").check()
        row = shown.locator(".row.kind-reading").first
        row.locator("summary").click()
        playwright.expect(row).to_contain_text("generation 0, sequence")
        before = shown.locator(".row").count()
        trading.run(slots=1)
        playwright.expect(shown.locator(".row")).to_have_count(before + 1)
        assert watched.problems == []


def test_who_saw_a_step_is_shown_with_the_contract_and_the_entry(browser, tmp_path):
    """Two of three witnesses saw the contract; a third sees it while the page is open, and nothing is reloaded."""
    trading = Trading(tmp_path, int(time.time()) // 5 * 5 - 60)
    contract = trading.trade()[0].hex()
    trading.run(slots=2)
    store = trading.community.sink.store
    blocks = store.last_block().height + 1
    height = store.place(store.entry_with_id(bytes.fromhex(contract)).cursor).height

    def cosign(name, blocks):
        store.keep_witness(Witness(name, bytes(32), "http://x.example", 1, blocks, None, None, None))

    for name, seen in (("pi.example/house-4", blocks), ("omni.example/w1", height + 1), ("late.example", 0)):
        cosign(name, seen)
    served = Served(trading.community, lambda: max(trading.now_s, int(time.time())))
    try:
        with Watched(browser, "phone", "dark", served.link()) as watched:
            shown = watched.page
            shown.goto(f"{served.base}/#/contracts?contract={contract}")
            chosen = shown.locator(".contract.chosen")
            chosen.locator("summary").click()
            steps = chosen.locator(".life li")
            playwright.expect(steps).to_have_count(5)
            words = [" ".join(text.split()) for text in steps.all_inner_texts()]
            assert [word.partition(" by ")[0] for word in words] == [
                "offered",
                "accepted",
                "agreed",
                "granted",
                "started",
            ]
            assert f"block {height} \u00b7 seen by 2 of 3 witnesses" in words[2]
            assert words[4].endswith("seen by 1 of 3 witnesses")
            playwright.expect(chosen).to_contain_text("late.example has seen nothing yet")
            assert shown.evaluate(AUDIT) == []
            cosign("late.example", height + 1)
            trading.run(slots=1)
            playwright.expect(steps.nth(2)).to_contain_text("seen by 3 of 3 witnesses", timeout=15_000)
            shown.goto(f"{served.base}/#/log")
            row = shown.locator(".row.kind-contract").last
            row.locator("summary").click()
            shown_place = re.compile(f"block {height} at [0-9:]{{8}} \u00b7 seen by 3 of 3 witnesses")
            playwright.expect(row).to_contain_text(shown_place)
            terms.set_witnesses(store, trading.community.issuer, [("late.example", bytes(32))], 1, trading.now_s)
            trading.run(slots=1)
            required = "1 of 1 witness must have cosigned; none have signed the newest head."
            playwright.expect(shown.locator("main")).to_contain_text(required, timeout=15_000)
            row = shown.locator(".row.kind-event").first
            row.locator("summary").click()
            playwright.expect(row).to_contain_text("Author's clock")
            playwright.expect(row).not_to_contain_text("block")
            assert shown.evaluate(AUDIT) == []
            assert watched.problems == []
    finally:
        served.stop()
        trading.close()


def test_a_node_that_goes_and_comes_back(browser, trading):
    served = Served(trading.community, lambda: max(trading.now_s, int(time.time())))
    with Watched(browser) as watched:
        shown = watched.page
        shown.goto(served.base)
        shown.wait_for_selector("text=Live")
        playwright.expect(shown.locator(".house")).to_have_count(3)
        served.stop()
        playwright.expect(shown.locator(".banner")).to_contain_text("The node does not answer.")
        assert shown.locator("main.stale .house").count() == 3
        served.start()
        try:
            playwright.expect(shown.locator(".banner")).to_have_count(0, timeout=15_000)
            assert all("ERR_" in problem for problem in watched.problems), watched.problems
        finally:
            watched.context.close()
            served.stop()


def test_a_community_without_meters_shows_what_to_do(browser, tmp_path):
    community = hosted(tmp_path, int(time.time()), SLOT_S, PRICES)
    served = Served(community, lambda: int(time.time()))
    try:
        with Watched(browser, "phone") as watched:
            watched.page.goto(served.base)
            playwright.expect(watched.page.locator("main")).to_contain_text("wattpact meter enrol --code")
            assert watched.page.evaluate(AUDIT) == []
            community.owned_meter("House 9")
            playwright.expect(watched.page.locator("main")).to_contain_text("House 9")
            assert watched.problems == []
    finally:
        served.stop()
        community.sink.close()


SEALED = "Sealed: only its owner and the operator can see this."


def card(shown, label):
    return shown.locator("li.meter", has_text=label)


def test_nobody_sees_that_there_are_meters_and_not_what_they_measure(browser, served, trading):
    with Watched(browser) as watched:
        shown = watched.page
        shown.goto(served.base)
        playwright.expect(shown.locator("main")).to_contain_text("Measurements are sealed")
        playwright.expect(shown.locator("li.meter .sealed")).to_have_text([SEALED] * 3)
        playwright.expect(shown.locator(".who")).to_have_text("Not signed in")
        cards = " ".join(shown.locator("li.meter").all_inner_texts())
        assert not re.search(r"\d\s(Wh|kWh|W|kW)\b", cards), cards
        assert shown.title() == "Sun Street"
        for screen in ("usage", "bill", "you"):
            shown.goto(f"{served.base}/#/{screen}")
            playwright.expect(shown.get_by_label("Link or code")).to_be_visible()
        shown.goto(f"{served.base}/#/log?routine=yes")
        row = shown.locator(".row.kind-reading .text").first
        playwright.expect(row).to_have_text("A sealed reading")
        shown.goto(f"{served.base}/#/contracts")
        playwright.expect(shown.locator(".contract .sealed").first).to_contain_text(
            "Only its two parties and the operator can see"
        )
        assert watched.problems == []


def test_an_owner_sees_what_is_theirs_and_signs_out(browser, served, trading):
    """House 1 sells to House 3: its own meter, its bill and the usage of its contract; nothing else."""
    with Watched(browser, link=served.link(trading.solar.owner.kid)) as watched:
        shown = watched.page
        playwright.expect(shown.locator(".who")).to_have_text("House 1")
        own = shown.locator("li.meter").first
        playwright.expect(own).to_contain_text("House 1 solar")
        playwright.expect(own).to_contain_text("Export register")
        for label in ("House 2 battery", "House 3 wallbox"):
            playwright.expect(card(shown, label)).to_contain_text(SEALED)
        playwright.expect(shown.locator(".net-head")).to_contain_text("House 1")
        shown.goto(f"{served.base}/#/contracts")
        playwright.expect(shown.locator(".contract .progress").first).to_contain_text("delivered")
        playwright.expect(
            shown.locator(".contract", has_text="House 2 battery").locator(".sealed").first
        ).to_be_visible()
        shown.goto(f"{served.base}/#/usage?meter={trading.wallbox.kid.hex()}")
        playwright.expect(shown.locator("main .sealed")).to_contain_text("Only the owner of House 3 wallbox")
        other = watched.context.new_page()
        other.goto(served.base)
        playwright.expect(other.locator(".who")).to_have_text("House 1")
        shown.goto(f"{served.base}/#/you")
        shown.get_by_role("button", name="Sign out").click()
        for tab in (shown, other):
            playwright.expect(tab.locator(".who")).to_have_text("Not signed in")
        playwright.expect(other.locator("li.meter .sealed")).to_have_count(3)
        playwright.expect(other.get_by_role("alert")).to_have_count(0)
        shown.goto(f"{served.base}/#/now")
        playwright.expect(shown.locator("li.meter .sealed")).to_have_count(3)
        shown.reload()
        playwright.expect(shown.locator(".who")).to_have_text("Not signed in")
        assert watched.problems == []


def test_a_link_is_pasted_or_opened_in_a_page_that_is_there_already(browser, served, trading):
    with Watched(browser, "phone") as watched:
        shown = watched.page
        shown.goto(served.base)
        field = shown.get_by_label("Link or code")
        field.fill("what is this")
        field.press("Enter")
        playwright.expect(shown.get_by_role("alert")).to_contain_text("This is not a link to this page")
        field.fill(served.link(trading.battery.owner.kid))
        field.press("Enter")
        playwright.expect(shown.locator(".who")).to_have_text("House 2")
        shown.evaluate("link => { location.href = link }", served.link(trading.wallbox.owner.kid))
        playwright.expect(shown.locator(".who")).to_have_text("House 3")
        playwright.expect(shown.locator("li.meter").first).to_contain_text("House 3 wallbox")
        assert "code=" not in shown.url
        assert shown.evaluate("document.cookie") == ""
        assert watched.problems == []


def test_a_link_that_opens_nothing_gives_the_reason(browser, served):
    with Watched(browser) as watched:
        shown = watched.page
        for fragment, words in (("code=" + "a" * 26, "not known here"), ("code=short", "is damaged")):
            shown.goto("about:blank")
            shown.goto(f"{served.base}/#{fragment}")
            playwright.expect(shown.get_by_role("alert")).to_contain_text(words)
            assert "code=" not in shown.url
        assert all("401" in problem for problem in watched.problems), watched.problems


def test_a_page_whose_link_is_revoked_is_signed_out(browser, served, trading, monkeypatch):
    monkeypatch.setattr("wattpact.api.feed.CHECKED_EVERY_S", 0.5)
    kid = trading.battery.owner.kid
    with Watched(browser, link=served.link(kid)) as watched:
        playwright.expect(watched.page.locator(".who")).to_have_text("House 2")
        store = trading.community.sink.store
        access_links.revoke(store, [row.digest for row in access_links.listed(store) if row.person == kid])
        playwright.expect(watched.page.locator(".who")).to_have_text("Not signed in")
        playwright.expect(watched.page.get_by_role("alert")).to_contain_text("your link has expired or was revoked")
        playwright.expect(watched.page.locator("li.meter .sealed")).to_have_count(3)


def test_a_link_that_ends_before_the_stream_opens_is_noticed(browser, served, trading):
    """Between the request who looks and the stream, which is nobody's then."""
    kid, store = trading.battery.owner.kid, trading.community.sink.store

    def revoke_first(route):
        access_links.revoke(store, [row.digest for row in access_links.listed(store) if row.person == kid])
        route.continue_()

    with Watched(browser) as watched:
        watched.context.route("**/api/events", revoke_first)
        watched.page.goto(served.link(kid))
        playwright.expect(watched.page.get_by_role("alert")).to_contain_text("your link has expired or was revoked")
        playwright.expect(watched.page.locator(".who")).to_have_text("Not signed in")


def test_a_host_without_the_key_gives_the_reason(browser, tmp_path):
    """To the operator as to everyone; what is open it shows all the same."""
    trading = Trading(tmp_path, int(time.time()) // 5 * 5 - 20, readers=[])
    trading.trade()
    trading.run(slots=2)
    served = Served(trading.community, lambda: max(trading.now_s, int(time.time())), signers=())
    words = "This host has no key to the readings"
    try:
        with Watched(browser, "phone", link=served.link()) as watched:
            shown = watched.page
            playwright.expect(shown.locator("main h2").first).to_have_text(words)
            playwright.expect(shown.locator("li.meter .sealed")).to_have_text([f"{words}."] * 3)
            playwright.expect(card(shown, "House 3 wallbox")).to_contain_text("Relay closed")
            assert shown.evaluate(AUDIT) == []
            for screen in ("usage", "bill", "contracts"):
                shown.goto(f"{served.base}/#/{screen}")
                playwright.expect(shown.locator("main .sealed").first).to_contain_text(words)
                assert shown.evaluate(AUDIT) == []
            assert watched.problems == []
        with Watched(browser) as watched:
            watched.page.goto(served.base)
            playwright.expect(watched.page.locator("main h2").first).to_have_text(words)
            playwright.expect(watched.page.locator(".relayline")).to_have_count(0)
    finally:
        served.stop()
        trading.close()
