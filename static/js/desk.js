// The desk: products that are new, or run again, come in where they belong (newest run on top) when they fit the filter;
// the current tab stays marked.
(() => {
  const rows = document.getElementById("rows");
  if (!rows) return;
  const runOf = (row) => row.dataset.run; // ids grow with time

  const place = (row) => {
    const after = [...rows.children].find((other) => other !== row && runOf(other) < runOf(row));
    if (!after && "more" in rows.dataset && rows.children.length) return; // it stands on an older page
    rows.insertBefore(row, after || null);
    window.htmx.process(row);
  };

  document.addEventListener("live:newcomer", (event) => {
    const row = event.detail;
    if (!row.id?.startsWith("row-") || !("firstPage" in rows.dataset)) return;
    const fits = rows.dataset.filter === "all" || rows.dataset.filter === row.dataset.state;
    if (fits) place(row);
  });

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    const row = fragment.firstElementChild;
    if (!row || target.parentElement !== rows || runOf(target) === runOf(row) || !("firstPage" in rows.dataset)) return;
    if (Number(row.dataset.seq) < Number(target.dataset.seq)) return; // of an earlier run: it is not let in
    event.detail.shouldSwap = false;
    target.remove();
    place(row);
  });

  const markTab = () => {
    const tabs = document.querySelector("[data-tabs]");
    for (const tab of tabs?.querySelectorAll(".tab") || []) {
      if (tab.dataset.state === tabs.dataset.current) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
  };
  document.addEventListener("htmx:oobAfterSwap", markTab);
  document.addEventListener("htmx:wsAfterMessage", markTab);
})();
