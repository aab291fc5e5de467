// A live fragment must not undo what the person is doing: an older one never overwrites a newer one (data-seq), what was
// opened stays open, the focus stays, and a log line that is there is not added twice.
(() => {
  let kept = null;

  const isOlder = (target, fragment) => {
    const incoming = [...fragment.children].find((child) => child.id && child.id === target.id);
    if (!incoming?.dataset.seq || !target.dataset.seq) return false;
    // Pieces of it may have become newer than the whole.
    const shown = [target, ...target.querySelectorAll("[data-seq]")].map((piece) => Number(piece.dataset.seq));
    return Number(incoming.dataset.seq) < Math.max(...shown);
  };

  const parse = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content;
  };

  const remember = (target) => {
    kept = {
      open: new Map([...target.querySelectorAll("details[id]")].map((details) => [details.id, details.open])),
      focus: target.contains(document.activeElement) ? document.activeElement.id : "",
    };
  };

  const restore = () => {
    if (!kept) return;
    for (const [id, open] of kept.open) {
      const details = document.getElementById(id);
      if (details) details.open = open;
    }
    if (kept.focus) document.getElementById(kept.focus)?.focus({ preventScroll: true });
    kept = null;
  };

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    const doubled = [...fragment.children].some((child) => child.hasAttribute("data-once") && document.getElementById(child.id));
    if (doubled || isOlder(target, fragment)) event.detail.shouldSwap = false;
    else remember(target);
  });
  document.addEventListener("htmx:oobAfterSwap", restore);
  document.addEventListener("htmx:wsAfterMessage", restore);

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr, isError } = event.detail;
    if (isError || !target?.dataset) return;
    if (target.dataset.seq && isOlder(target, parse(xhr.response))) event.detail.shouldSwap = false;
    else remember(target);
  });
  document.addEventListener("htmx:afterSwap", restore);
})();
