"""An open page while what stands behind it goes and comes back: it says so, and is right again by itself."""

import os
import re
import signal
import time

import psutil
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.bench.stack import processes_of
from tests.browser.test_main_job import expect_no_reload, know_samples, mark
from tests.running import Stack

pytestmark = pytest.mark.browser

PATIENCE_SECONDS = 60.0
WATCH = """() => {
  window.said = [];
  const sign = document.querySelector("[data-live-status]");
  new MutationObserver(() => window.said.push(sign.dataset.liveStatus)).observe(sign, { attributes: true });
}"""


def kill(stack: Stack, kind: str) -> None:
    """End all processes of a kind at once, as a crash would."""
    found = [pid for name, pid in processes_of(stack.process.pid) if name == kind]
    assert found
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # it ended with its parent
            assert not psutil.pid_exists(pid)


def act(page: Page, path: str) -> None:
    """Post a form as often as the server needs to be back."""
    token = page.locator("#act input[name=csrf_token]").get_attribute("value") or ""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = page.request.post(path, form={"csrf_token": token}, headers={"Referer": page.url}, max_redirects=0)
            if answer.status == 303:
                return
            said = f"{answer.status} {answer.text()[:200]}"
        except Exception as error:  # the server is away
            said = str(error)
        assert time.monotonic() < until, said
        page.wait_for_timeout(100)


def is_live(page: Page) -> None:
    expect(page.locator("[data-live-status]")).to_have_text("live")


@pytest.fixture
def row(page: Page) -> str:
    """A desk that is live; the id of its first product's row."""
    page.goto("/")
    if not page.locator("#rows .row").count():
        know_samples(page)
        page.goto("/")
    is_live(page)
    mark(page)
    page.evaluate(WATCH)
    return page.locator("#rows .row").first.get_attribute("id") or ""


def goes_and_comes(page: Page, row: str) -> None:
    """A product is removed and put back, by somebody else; the open desk follows, without a reload."""
    product = row.removeprefix("row-")
    act(page, f"/products/{product}/removal")
    expect(page.locator(f"#{row}")).to_have_count(0)
    act(page, f"/products/{product}/return")
    expect(page.locator(f"#{row}")).to_have_count(1)
    is_live(page)
    expect_no_reload(page)


@pytest.mark.parametrize("kind", ["web", "hub", "renderer", "redis", "postgres"])
def test_the_desk_is_right_again_after_a_process_was_killed(page: Page, stack: Stack, row: str, kind: str) -> None:
    kill(stack, kind)
    goes_and_comes(page, row)
    if kind in ("hub", "renderer"):
        assert "reconnecting" in page.evaluate("window.said") or "stale" in page.evaluate("window.said")


def test_what_happened_in_a_tunnel_is_there_after_it(page: Page, context: BrowserContext, row: str) -> None:
    product = row.removeprefix("row-")
    context.set_offline(True)
    act_from_elsewhere = context.browser.new_context(base_url=page.url, storage_state=context.storage_state())  # type: ignore[union-attr]
    other = act_from_elsewhere.new_page()
    other.goto(page.url)
    # A socket that is open does not notice; one that has to be made anew does.
    page.evaluate("window.dispatchEvent(new Event('offline'))")
    act(other, f"/products/{product}/removal")
    context.set_offline(False)
    expect(page.locator(f"#{row}")).to_have_count(0)
    act(other, f"/products/{product}/return")
    expect(page.locator(f"#{row}")).to_have_count(1)
    is_live(page)
    expect_no_reload(page)
    act_from_elsewhere.close()


def test_after_sleep_the_page_finds_out_that_its_socket_is_dead(page: Page, stack: Stack, row: str) -> None:
    """Asleep, the page hears nothing and its clock jumps; what was missed is there as soon as it wakes."""
    page.clock.install()
    page.reload()
    is_live(page)
    mark(page)
    product = row.removeprefix("row-")
    kill(stack, "hub")
    act(page, f"/products/{product}/removal")
    page.clock.fast_forward("08:00:00")
    expect(page.locator(f"#{row}")).to_have_count(0)
    act(page, f"/products/{product}/return")
    page.clock.fast_forward(5_000)
    expect(page.locator(f"#{row}")).to_have_count(1)
    expect(page.locator("[data-live-status]")).to_have_text(re.compile("live"))
    expect_no_reload(page)


LATE_ROW = """([id, newer]) => {
  const target = document.getElementById(id);
  const template = document.createElement("template");
  template.innerHTML = target.outerHTML;
  const row = template.content.firstElementChild;
  row.dataset.run = newer ? "ffffffff-ffff-7fff-bfff-ffffffffffff" : "00000000-0000-7000-8000-000000000000";
  row.dataset.seq = String(Number(target.dataset.seq) + (newer ? 1 : -1));
  const detail = { target, fragment: template.content, shouldSwap: true };
  document.dispatchEvent(new CustomEvent("htmx:oobBeforeSwap", { detail }));
  return [document.getElementById(id).dataset.run === row.dataset.run, detail.shouldSwap];
}"""


def test_a_row_of_an_earlier_run_that_comes_late_is_not_let_in(page: Page, row: str) -> None:
    """A later run's takes its place; `shouldSwap` is false for both, since the desk places rows itself."""
    assert page.evaluate(LATE_ROW, [row, False]) == [False, False]
    assert page.evaluate(LATE_ROW, [row, True]) == [True, False]
