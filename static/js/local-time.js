// Rewrites <time data-local> into the viewer's zone (body[data-time-zone], else the device's).
// data-local: "" or "both" (date and time), "clock" (time with seconds), "age" (3 min ago), "since" (a running duration).
(() => {
  const zone = document.body.dataset.timeZone || undefined;
  const language = document.documentElement.lang || undefined;
  const format = (options) => new Intl.DateTimeFormat(language, { timeZone: zone, ...options });
  const both = format({ dateStyle: "medium", timeStyle: "short" });
  const clock = format({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const day = format({ day: "numeric", month: "short", year: "numeric" });
  const ago = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });

  const age = (seconds, at) => {
    if (seconds < 45) return ago.format(0, "second");
    if (seconds < 5400) return ago.format(-Math.max(1, Math.round(seconds / 60)), "minute");
    if (seconds < 129600) return ago.format(-Math.round(seconds / 3600), "hour");
    if (seconds < 1209600) return ago.format(-Math.round(seconds / 86400), "day");
    return day.format(at);
  };

  const since = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
  };

  const write = (element) => {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) return;
    const seconds = (Date.now() - at) / 1000;
    const kind = element.dataset.local;
    const text = kind === "age" ? age(seconds, at) : kind === "since" ? since(seconds) : kind === "clock" ? clock.format(at) : both.format(at);
    if (element.textContent !== text) element.textContent = text;
    if (kind && !element.title) element.title = both.format(at);
  };

  const all = (selector) => document.querySelectorAll(selector).forEach(write);
  all("time[data-local]");
  // Fragments bring new elements at any time; ages and durations move on by themselves.
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) {
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        if (node.matches("time[data-local]")) write(node);
        node.querySelectorAll("time[data-local]").forEach(write);
      }
    }
  }).observe(document.body, { childList: true, subtree: true });
  setInterval(() => all('time[data-local="since"]'), 1000);
  setInterval(() => all('time[data-local="age"]'), 20000);
})();
