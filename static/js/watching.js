// The watching page: if it cannot be asked for any more, it says since when it is not current.
(() => {
  const mark = document.querySelector("[data-watch-stale]");
  if (!mark) return;
  let heardAt = new Date();

  const say = (isCurrent) => {
    const page = document.getElementById("watch");
    if (isCurrent) heardAt = new Date();
    if (page) page.toggleAttribute("data-stale", !isCurrent);
    const time = heardAt.toLocaleTimeString(document.documentElement.lang, { timeZone: document.body.dataset.timeZone || undefined, hourCycle: "h23" });
    const says = isCurrent ? "" : mark.dataset.says.replace("{time}", time);
    mark.hidden = isCurrent;
    if (mark.textContent !== says) mark.textContent = says;
  };

  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.requestConfig?.path?.endsWith("/watching/now")) say(Boolean(event.detail.successful));
  });
  // Asleep, or a request that hangs: silence is no good sign either.
  setInterval(() => { if (new Date() - heardAt > 12000) say(false); }, 1000);
})();
