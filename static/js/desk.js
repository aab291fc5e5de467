// The desk: a product that is new comes in on top when it fits the filter; the current tab stays marked.
(() => {
  document.addEventListener("htmx:oobErrorNoTarget", (event) => {
    const row = event.detail.content;
    const rows = document.getElementById("rows");
    if (!rows || !row.id?.startsWith("row-") || !("firstPage" in rows.dataset)) return;
    const filter = rows.dataset.filter;
    if (filter !== "all" && filter !== row.dataset.state) return;
    if (document.getElementById(row.id)) return;
    rows.prepend(row);
    window.htmx.process(row);
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
