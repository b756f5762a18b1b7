"""Chromium, and what it measures of a page."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, CDPSession, Page, Response, async_playwright

from ..processes import Failed

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage")
LONG_TASK = 50
"""Milliseconds from which a browser calls a task of the main thread long."""

WATCH = """
window.measured = { tasks: [], frames: [], gap: 0, painted: null };
const entries = (type, take) =>
  new PerformanceObserver((list) => list.getEntries().forEach(take)).observe(
    { type, buffered: true });
entries("paint", (entry) => {
  if (entry.name === "first-contentful-paint") measured.painted = entry.startTime;
});
entries("longtask", (entry) => measured.tasks.push([entry.startTime, entry.duration]));
entries("long-animation-frame", (entry) => measured.frames.push({
  start: entry.startTime, duration: entry.duration, blocking: entry.blockingDuration,
  render: entry.startTime + entry.duration - entry.renderStart,
  scripts: entry.scripts.map((script) => ({
    invoker: script.invoker, duration: script.duration,
    layout: script.forcedStyleAndLayoutDuration,
    where: `${script.sourceURL.split("/").pop()} ${script.sourceFunctionName}`
      + `:${script.sourceCharPosition}` })) }));
let last = performance.now();
const tick = (now) => {
  measured.gap = Math.max(measured.gap, now - last);
  last = now;
  requestAnimationFrame(tick);
};
requestAnimationFrame(tick);
"""


@dataclass
class Figures:
    """What was measured of a scene. Times are milliseconds, `cpu` seconds, `heap` bytes.

    `long_tasks` are those over 50 ms by the clock, as browsers report them; `busy_tasks` those with
    more than 50 ms of the main thread's CPU time, on a machine that has other things to do.
    """

    seconds: float
    long_tasks: list[float]
    busy_tasks: list[float]
    busiest: float
    gap: float
    heap: tuple[float, float]
    nodes: tuple[float, float]
    listeners: tuple[float, float]
    cpu: float
    script: float
    layout: float
    frames: list[Any] = field(default_factory=list)


class Tab:
    """A tab, and its counters."""

    def __init__(self, browser: Browser, page: Page, devtools: CDPSession) -> None:
        self.page = page
        self._browser = browser
        self.loaded: dict[str, int] = {}
        self._devtools = devtools
        page.on("response", lambda response: self._responses.append(response))
        self._responses: list[Response] = []

    async def open(self, url: str) -> None:
        await self.page.goto(url)
        await self.page.wait_for_function("() => !!customElements.get('open-chatkit')")
        await self.page.wait_for_function("() => window.measured.painted !== null")
        for response in self._responses:
            body = await response.body()
            self.loaded[response.url] = len(gzip.compress(body, 9))

    async def counters(self) -> dict[str, float]:
        """Return Chromium's counters, after a collection of garbage."""
        for _ in range(2):
            await self._devtools.send("HeapProfiler.collectGarbage")
        metrics = (await self._devtools.send("Performance.getMetrics"))["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics}

    async def begin(self) -> dict[str, float]:
        """Forget what was measured so far; return the counters."""
        counters = await self.counters()
        await self.page.evaluate(
            "new Promise((done) => setTimeout(done, 100)).then(() => "
            "{ measured.tasks = []; measured.frames = []; measured.gap = 0; })"
        )
        await self._browser.start_tracing(page=self.page, categories=["toplevel"])
        return counters

    async def end(self, before: dict[str, float]) -> Figures:
        """Return what was measured since then."""
        found = await self.page.evaluate("measured")
        tasks = _cpu_times(json.loads(await self._browser.stop_tracing()))
        after = await self.counters()

        def passed(name: str) -> float:
            return after[name] - before[name]

        return Figures(
            seconds=passed("Timestamp"),
            long_tasks=sorted((duration for _, duration in found["tasks"]), reverse=True),
            busy_tasks=[task for task in tasks if task > LONG_TASK],
            busiest=max(tasks, default=0),
            gap=found["gap"],
            heap=(before["JSHeapUsedSize"], after["JSHeapUsedSize"]),
            nodes=(before["Nodes"], after["Nodes"]),
            listeners=(before["JSEventListeners"], after["JSEventListeners"]),
            cpu=passed("TaskDuration"),
            script=passed("ScriptDuration"),
            layout=passed("LayoutDuration") + passed("RecalcStyleDuration"),
            frames=found["frames"],
        )


def _cpu_times(trace: Any) -> list[float]:
    """Return the CPU times of the tasks of the page's main thread, in milliseconds."""
    events = trace["traceEvents"]
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"].get("name") == "CrRendererMain"
    }
    tasks = (event for event in events if (event.get("pid"), event.get("tid")) in mains)
    times = (task["tdur"] / 1000 for task in tasks if "tdur" in task and "RunTask" in task["name"])
    return sorted(times, reverse=True)


@asynccontextmanager
async def new_tab() -> AsyncIterator[Tab]:
    """Start Chromium with a tab."""
    command = shutil.which("chromium") or shutil.which("chromium-browser")
    if command is None:
        raise Failed("chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=Path(command), args=[*FLAGS, "--enable-precise-memory-info"]
        )
        context = await browser.new_context(viewport={"width": 1000, "height": 800})
        await context.add_init_script(WATCH)
        page = await context.new_page()
        devtools = await context.new_cdp_session(page)
        await devtools.send("Performance.enable")
        await devtools.send("HeapProfiler.enable")
        yield Tab(browser, page, devtools)
        await browser.close()
