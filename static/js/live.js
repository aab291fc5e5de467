// Says honestly how fresh the page is, and keeps it fresh while the socket is down.
//
// The server sends marks beside fragments: <!--live--> (what you have is right) and <!--stale--> (I cannot tell). Without
// a live mark the page asks by itself, every few seconds; without a word for too long the socket is replaced.
(() => {
  const SILENT_MS = 15000; // a mark comes every 10 s
  const CONNECTING_MS = 5000;
  const FRESH_MS = 5000; // a poll that went well keeps the page fresh for so long
  const POLL_MS = [2000, 3000];
  const FIRST_POLL_MS = [700, 1500]; // most sockets are back before
  const ANSWER_MS = 5000;
  const LONGEST_DELAY_MS = 2000;
  const SAYS = { live: "live", reconnecting: "reconnecting", stale: "stale since {time}", ended: "not live: reload the page" };

  const root = document.querySelector("[ws-connect][data-poll-url]");
  const sign = document.querySelector("[data-live-status]");
  if (!root || !window.htmx) return;

  let socket = null; // the newest one
  let wrapper = null; // htmx-ext-ws' handle on it
  let since = Date.now(); // when it was made, or last heard
  let isLive = false;
  let tries = 0; // since it was live
  let hasEnded = false; // nobody is signed in here any more, or what was shown is gone
  let freshAt = Date.now(); // the page itself came fresh
  let poll = null; // what ends the one under way
  let pollTimer = 0;
  let shown = "";

  const between = ([least, most]) => least + Math.random() * (most - least);

  const show = () => {
    if (!sign) return;
    const isFresh = Date.now() - freshAt < FRESH_MS;
    const state = hasEnded ? "ended" : isLive ? "live" : isFresh ? "reconnecting" : "stale";
    const time = new Intl.DateTimeFormat(undefined, {
      hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
      timeZone: document.body.dataset.timeZone || undefined,
    }).format(freshAt);
    const says = (sign.dataset[`says${state[0].toUpperCase()}${state.slice(1)}`] || SAYS[state]).replace("{time}", time);
    if (says === shown || (!shown && state === "reconnecting" && !wrapper)) return; // the first connection is under way
    sign.dataset.liveStatus = state === "ended" ? "stale" : state;
    sign.textContent = shown = says;
  };

  const becomeLive = () => {
    isLive = true;
    hasEnded = false; // a socket that was on its way when its user signed in again
    tries = 0;
    freshAt = Date.now();
    clearTimeout(pollTimer);
    poll?.abort(); // its answer would be older than what the socket brought
    show();
  };

  const loseTouch = () => {
    if (isLive) {
      isLive = false;
      pollIn(FIRST_POLL_MS);
    }
    show();
  };

  // --- polling

  const pollIn = (range) => {
    clearTimeout(pollTimer);
    if (!isLive && !hasEnded) pollTimer = setTimeout(ask, between(range));
  };

  const ask = async () => {
    poll?.abort();
    const mine = (poll = new AbortController());
    const timeout = setTimeout(() => mine.abort(), ANSWER_MS);
    try {
      if (document.hidden) return;
      const answer = await fetch(root.dataset.pollUrl, {
        headers: { "HX-Request": "true", "HX-Current-URL": location.href }, cache: "no-store", redirect: "manual", signal: mine.signal,
      });
      const html = answer.ok ? await answer.text() : "";
      if (mine.signal.aborted || isLive) return;
      if (answer.ok) {
        swap(html);
        freshAt = Date.now();
        if (hasEnded) {
          hasEnded = false; // signed in again, in another tab
          wrapper?.reconnect();
        }
      } else if (answer.type === "opaqueredirect" || [401, 403, 404].includes(answer.status)) {
        hasEnded = true;
      }
    } catch {
      // No answer is an answer: the page grows stale and says so.
    } finally {
      clearTimeout(timeout);
      if (poll === mine) {
        poll = null;
        pollIn(POLL_MS);
      }
      show();
    }
  };

  const swap = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    for (const child of [...template.content.children]) {
      if (!child.hasAttribute("hx-swap-oob")) child.setAttribute("hx-swap-oob", "true");
      if (!hasPlace(child)) announce(child);
    }
    htmx.swap(root, template.innerHTML, { swapStyle: "none", swapDelay: 0, settleDelay: 0 });
  };

  // What this page has no place for is not swapped, which htmx would call an error; whoever can use it may take it.
  const hasPlace = (element) => !/^(true|delete)$/.test(element.getAttribute("hx-swap-oob")) || !element.id || document.getElementById(element.id);

  const announce = (element) => {
    element.remove();
    if (element.getAttribute("hx-swap-oob") === "delete") return;
    element.removeAttribute("hx-swap-oob");
    document.dispatchEvent(new CustomEvent("live:newcomer", { detail: element }));
  };

  const isNewcomer = (message) => {
    const [, id, way] = /^\s*<\w+\s+id="([^"]+)"[^>]*?\shx-swap-oob="([^"]+)"/.exec(message) || [];
    if (!id || !/^(true|delete)$/.test(way) || document.getElementById(id)) return false;
    const template = document.createElement("template");
    template.innerHTML = message;
    for (const child of [...template.content.children]) announce(child);
    return true;
  };

  // --- the socket

  // The extension counts a socket that opens as a success, even if it is closed at once; ours counts once it is live.
  htmx.config.wsReconnectDelay = () => {
    if (hasEnded) return 3600000;
    tries += 1;
    return 50 + Math.random() * (Math.min(LONGEST_DELAY_MS, 150 * 2 ** tries) - 50);
  };

  const create = htmx.createWebSocket;
  htmx.createWebSocket = (url) => {
    since = Date.now();
    socket = create(url);
    return socket;
  };

  const replaceIfDead = () => {
    if (!socket || hasEnded) return;
    const silent = Date.now() - since;
    if (socket.readyState === WebSocket.CONNECTING && silent > CONNECTING_MS) {
      since = Date.now();
      socket.close(); // counts as a failure, after which the extension tries again
    } else if (socket.readyState === WebSocket.OPEN && silent > SILENT_MS) {
      socket.onclose = socket.onerror = null; // else the extension would take the old one's end for the new one's
      socket.close();
      loseTouch();
      wrapper.reconnect();
    }
  };

  document.addEventListener("htmx:wsOpen", (event) => {
    wrapper = event.detail.socketWrapper;
    since = Date.now();
  });

  document.addEventListener("htmx:wsClose", (event) => {
    wrapper = event.detail.socketWrapper;
    loseTouch();
  });

  document.addEventListener("htmx:wsBeforeMessage", (event) => {
    since = Date.now();
    const mark = /^<!--(\w+)-->$/.exec(event.detail.message)?.[1];
    if (mark || isNewcomer(event.detail.message)) event.preventDefault(); // nothing to swap
    if (mark === "live") becomeLive();
    else if (mark === "stale") loseTouch();
    else if (isLive) freshAt = Date.now();
  });

  // --- time, sleep, network

  const wake = () => {
    if (document.hidden) return;
    replaceIfDead();
    if (hasEnded) ask();
    else if (!isLive && !poll) pollIn([0, 300]);
    show();
  };

  setInterval(() => {
    replaceIfDead();
    show();
  }, 1000);
  for (const name of ["online", "offline", "pageshow", "focus"]) window.addEventListener(name, wake);
  document.addEventListener("visibilitychange", wake);
  pollIn(POLL_MS);
})();
